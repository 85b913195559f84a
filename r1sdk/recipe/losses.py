"""The losses of GRPO by the names that the field uses: each is a set of TRL's settings. docs/algorithms.md shows this table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss by name: the paper that it comes from, the difference it makes, and the settings of TRL that select it."""

    paper: str  # arXiv number, or a report
    changes: str  # one line
    selects: Mapping[str, Any]  # TRL's arguments that make it this loss; another value would be another loss
    tuned: Mapping[str, Any] = field(default_factory=dict)  # the paper's values, which `trainer:` may override

    @property
    def settings(self) -> dict[str, Any]:
        """All settings of TRL's GRPOConfig, by name."""
        return {**self.selects, **self.tuned}


LOSSES: Mapping[str, Loss] = {
    "grpo": Loss(
        "2402.03300",
        "The loss of a completion is the mean over its tokens, so a token of a long completion weighs less.",
        {"loss_type": "grpo", "importance_sampling_level": "token"},
        {"epsilon": 0.2, "epsilon_high": 0.2},
    ),
    "dapo": Loss(
        "2503.14476",
        "Every token of the batch weighs the same, and the upper clip is higher. Truncated completions are left out. "
        "The paper's dynamic sampling is a switch of its own: --dynamic-sampling.",
        {"loss_type": "dapo", "importance_sampling_level": "token"},
        {"epsilon": 0.2, "epsilon_high": 0.28, "mask_truncated_completions": True},
    ),
    "dr_grpo": Loss(
        "2503.20783",
        "Divides by a constant, the token limit, in place of the length, and advantages are not divided by the std.",
        {"loss_type": "dr_grpo", "importance_sampling_level": "token"},
        {"epsilon": 0.2, "epsilon_high": 0.2, "scale_rewards": "none"},
    ),
    "bnpo": Loss(
        "2506.02864",
        "Divides by the number of tokens in the batch of one device, as TRL defines it; the paper's Beta normalization "
        "of rewards is not part of it.",
        {"loss_type": "bnpo", "importance_sampling_level": "token"},
        {"epsilon": 0.2, "epsilon_high": 0.2},
    ),
    "gspo": Loss(
        "2507.18071",
        "One importance ratio for each completion, the geometric mean of its tokens' ratios, clipped as a whole.",
        {"loss_type": "grpo", "importance_sampling_level": "sequence"},
        {"epsilon": 3e-4, "epsilon_high": 4e-4},
    ),
    "cispo": Loss(
        "2506.13585",
        "Clips the importance ratio, which is a constant factor, in place of the objective: no token loses its gradient. "
        "The bound is that of ScaleRL (2510.13786).",
        {"loss_type": "cispo", "importance_sampling_level": "token"},
        {"epsilon_high": 5.0},
    ),
    "sapo": Loss(
        "2511.20347",
        "A smooth gate in place of the clip, steeper for tokens with a negative advantage.",
        {"loss_type": "sapo", "importance_sampling_level": "token"},
        {"sapo_temperature_pos": 1.0, "sapo_temperature_neg": 1.05},
    ),
    "luspo": Loss(
        "2602.05261",
        "GSPO with the loss of each completion multiplied by its length.",
        {"loss_type": "luspo", "importance_sampling_level": "sequence"},
        {"epsilon": 2e-3, "epsilon_high": 2.5e-3},
    ),
    "vespo": Loss(
        "2602.10693",
        "Weighs each completion by a smooth function of its importance ratio, with no clip.",
        {"loss_type": "vespo", "importance_sampling_level": "token"},
        {"vespo_k_pos": 2.0, "vespo_lambda_pos": 3.0, "vespo_k_neg": 3.0, "vespo_lambda_neg": 2.0},
    ),
}
_SETTINGS = frozenset(key for loss in LOSSES.values() for key in loss.settings)


def loss_settings(name: str | None) -> dict[str, Any]:
    """Return the settings of a loss; none for None or an unknown name."""
    return LOSSES[name].settings if name is not None and name in LOSSES else {}


def with_loss(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a recipe with the settings of its loss below its own `trainer`."""
    name, trainer = recipe.get("loss"), recipe.get("trainer") or {}
    applies = recipe.get("method", "grpo") == "grpo" and not recipe.get("experimental_async")
    if not isinstance(name, str) or not isinstance(trainer, Mapping) or not applies:
        return dict(recipe)
    return {**recipe, "trainer": {**loss_settings(name), **trainer}}


def without_loss(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a recipe without those that select a loss: a layer above it names another."""
    trainer = recipe.get("trainer")
    kept = {key: value for key, value in recipe.items() if key != "loss"}
    if isinstance(trainer, Mapping):
        kept["trainer"] = {key: value for key, value in trainer.items() if key not in _SETTINGS}
    return kept
