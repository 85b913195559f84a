"""Which tasks GRPO trains on, as keys of a recipe: dynamic sampling, and a curriculum by measured pass rate."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from .strict import Strict


class DynamicSampling(Strict):
    """Groups without spread give way to groups of fresh prompts (DAPO, arXiv 2503.14476, section 3.2). `true` is `{}`."""

    max_rounds: Annotated[int, Field(ge=1, le=100)] = 3  # of fresh prompts for one batch; what still lacks spread stays
    metric: Literal["reward", "accuracy"] = "reward"  # that must spread: the weighted total, or the verdicts


class CurriculumSettings(Strict):
    """Tasks whose pass rate may be near the target are drawn first (MoPPS, arXiv 2507.04632). `true` is `{}`."""

    target: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5  # pass rate
    discount: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5  # what earlier groups of a task count beside its newest
    pass_rates: Path | None = None  # to begin with: what `r1 data difficulty` wrote; None: nothing is known


def on_or_off(value: Any) -> Any:
    """`true` as the defaults, `false` as none."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value
