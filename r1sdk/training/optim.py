"""Muon for the hidden matrices of a model and AdamW for the rest, as one optimizer."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Newton-Schulz coefficients, momentum and number of iterations of Muon (Jordan et al., github.com/KellerJordan/Muon).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95
MUON_LR = 0.02

BETAS = (0.9, 0.98)  # of AdamW
EPSILON = 1e-8


def muon(model: nn.Module, lr: float, weight_decay: float = 0.0) -> "MuonAdamW":
    """Return an optimizer for `model`: Muon at 0.02 for its hidden matrices, AdamW at `lr` for embeddings, head and vectors."""
    embeddings = {id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    head = getattr(model, "get_output_embeddings", lambda: None)()
    embeddings |= {id(p) for p in head.parameters()} if head is not None else set()
    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 2 and id(p) not in embeddings]
    chosen = {id(p) for p in hidden}
    rest = [p for p in trained if id(p) not in chosen]
    groups = [
        {"params": hidden, "lr": MUON_LR, "muon": True, "weight_decay": 0.01},
        {"params": rest, "lr": lr, "muon": False, "weight_decay": weight_decay},
    ]
    return MuonAdamW([group for group in groups if group["params"]])


class MuonAdamW(torch.optim.Optimizer):
    """Each parameter group is stepped by Muon or by AdamW, as its key `muon` says; a scheduler scales both rates.

    `torch.optim.Muon` takes matrices only and orthogonalises them one by one in bfloat16, which a CPU without bfloat16
    matrix units does slowly. This one stacks matrices of a shape and stays in their own precision.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {"lr": MUON_LR, "muon": True, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters in place from their gradients. Takes no closure."""
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            if group["muon"]:
                self._muon(trained, group["lr"], group["weight_decay"])
            else:
                self._adamw(trained, group["lr"], group["weight_decay"])

    def _muon(self, matrices: list[Tensor], lr: float, weight_decay: float) -> None:
        by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for matrix in matrices:
            by_shape[matrix.shape].append(matrix)
        for (rows, columns), alike in by_shape.items():
            updates = orthogonal(torch.stack([self._nesterov(matrix) for matrix in alike]))
            rate = lr * max(1.0, rows / columns) ** 0.5
            for matrix, update in zip(alike, updates, strict=True):
                matrix.mul_(1 - lr * weight_decay).add_(update, alpha=-rate)

    def _nesterov(self, matrix: Tensor) -> Tensor:
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        assert matrix.grad is not None
        state["momentum"].mul_(MOMENTUM).add_(matrix.grad)
        return matrix.grad.add(state["momentum"], alpha=MOMENTUM)

    def _adamw(self, parameters: list[Tensor], lr: float, weight_decay: float) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
            assert parameter.grad is not None
            state["step"] += 1
            state["mean"].lerp_(parameter.grad, 1 - BETAS[0])
            state["square"].mul_(BETAS[1]).addcmul_(parameter.grad, parameter.grad, value=1 - BETAS[1])
            unbiased = (state["square"] / (1 - BETAS[1] ** state["step"])).sqrt_().add_(EPSILON)
            parameter.mul_(1 - lr * weight_decay)
            parameter.addcdiv_(state["mean"], unbiased, value=-lr / (1 - BETAS[0] ** state["step"]))


def orthogonal(matrices: Tensor) -> Tensor:
    """Return the nearest matrices with all singular values near 1, by Newton-Schulz iteration. Shapes: [N, R, C] -> [N, R, C]."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.size(1) > matrices.size(2)
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
