"""Rewards of groups in, whether each group has anything to learn from out."""

import torch
from torch import Tensor


def have_spread(
    rewards: Tensor, weights: Tensor, group_size: int, aggregation: str = "sum_then_normalize"
) -> list[bool]:
    """Of each group, whether its completions differ in what GRPO compares: the weighted total, or, where TRL normalizes each
    reward by itself, any reward. Shapes: [N x G, K], [K] -> [N]. A completion that has no price (NaN) at all is left out.
    """
    weights = weights.to(rewards.device)
    priced = ~torch.isnan(rewards).all(dim=1, keepdim=True)  # [N x G, 1]
    if aggregation == "sum_then_normalize":
        compared = torch.where(priced, (rewards * weights).nansum(dim=1, keepdim=True), torch.nan)
    else:
        compared = rewards[:, weights != 0]
    groups = compared.view(-1, group_size, compared.size(1))
    highest = groups.nan_to_num(nan=-torch.inf).amax(dim=1)
    lowest = groups.nan_to_num(nan=torch.inf).amin(dim=1)
    differs = (highest > lowest) & ~torch.isclose(highest, lowest, rtol=0.0, atol=1e-8)
    found: list[bool] = differs.any(dim=1).tolist()
    return found
