"""The advantage estimators that come with r1sdk, registered the way anyone's are."""

from collections.abc import Callable
from typing import Any

import r1sdk

from .dr_grpo import DrGrpo
from .gdpo import Gdpo
from .grpo_advantage import Grpo
from .maxrl import MaxRl
from .pass_at_k import PassAtK
from .reinforce_pp import ReinforcePlusPlus
from .rloo import Rloo
from .turn_episode import TurnEpisode
from .turn_loo import TurnLeaveOneOut
from .turn_normalized import TurnNormalized
from .turn_to_go import TurnToGo

__all__ = [
    "DrGrpo",
    "Gdpo",
    "Grpo",
    "MaxRl",
    "PassAtK",
    "ReinforcePlusPlus",
    "Rloo",
    "TurnEpisode",
    "TurnLeaveOneOut",
    "TurnNormalized",
    "TurnToGo",
]


@r1sdk.hookimpl
def r1_register_advantages(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("dr_grpo", DrGrpo)
    register("gdpo", Gdpo)
    register("grpo", Grpo)
    register("maxrl", MaxRl)
    register("pass_at_k", PassAtK)
    register("reinforce_pp", ReinforcePlusPlus)
    register("rloo", Rloo)
    register("turn_episode", TurnEpisode)
    register("turn_loo", TurnLeaveOneOut)
    register("turn_normalized", TurnNormalized)
    register("turn_to_go", TurnToGo)
