"""The rewards that come with r1sdk, registered the way anyone's are."""

from collections.abc import Callable
from typing import Any

import r1sdk

from .accuracy import accuracy
from .code_format import CodeFormat
from .code_reward import BinaryCode, Code
from .cosine import Cosine
from .countdown_reward import CountdownReward
from .format import Format
from .language_consistency import LanguageConsistency
from .length import Length
from .model_judge import ModelJudge
from .narrowing import narrowing
from .reasoning_steps import ReasoningSteps
from .repetition_penalty import RepetitionPenalty
from .reward_model import RewardModel
from .soft_overlong import SoftOverlong
from .tag_count import TagCount

__all__ = [
    "BinaryCode",
    "Code",
    "CodeFormat",
    "Cosine",
    "CountdownReward",
    "Format",
    "LanguageConsistency",
    "Length",
    "ModelJudge",
    "ReasoningSteps",
    "RepetitionPenalty",
    "RewardModel",
    "SoftOverlong",
    "TagCount",
    "accuracy",
    "narrowing",
]


@r1sdk.hookimpl
def r1_register_rewards(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("accuracy", accuracy)
    register("binary_code", BinaryCode)
    register("code", Code)
    register("code_format", CodeFormat)
    register("cosine", Cosine)
    register("countdown", CountdownReward)
    register("format", Format)
    register("language_consistency", LanguageConsistency)
    register("length", Length)
    register("model_judge", ModelJudge)
    register("narrowing", narrowing)
    register("reasoning_steps", ReasoningSteps)
    register("repetition_penalty", RepetitionPenalty)
    register("reward_model", RewardModel)
    register("soft_overlong", SoftOverlong)
    register("tag_count", TagCount)
