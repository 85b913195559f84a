"""The verifiers that come with r1sdk, registered the way anyone's are.

Other plugins use the names below, and nothing deeper.
"""

from collections.abc import Callable
from typing import Any

import r1sdk

from .cells import cell_text
from .choice import ChoiceVerifier
from .code import TEST_COLUMNS, Imports, Scoring
from .code.code_block import find_blocks
from .code_verifier import CodeVerifier
from .countdown import CountdownVerifier, value_of
from .exact import ExactVerifier
from .fences import LINE_END, language_name
from .judge import JudgeVerifier
from .maths_verifier import MathsVerifier

__all__ = [
    "LINE_END",
    "TEST_COLUMNS",
    "ChoiceVerifier",
    "CodeVerifier",
    "CountdownVerifier",
    "ExactVerifier",
    "Imports",
    "JudgeVerifier",
    "MathsVerifier",
    "Scoring",
    "cell_text",
    "find_blocks",
    "language_name",
    "value_of",
]


@r1sdk.hookimpl
def r1_register_verifiers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("choice", ChoiceVerifier)
    register("code", CodeVerifier)
    register("countdown", CountdownVerifier)
    register("exact", ExactVerifier)
    register("judge", JudgeVerifier)
    register("maths", MathsVerifier)
