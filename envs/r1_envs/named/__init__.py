"""Data sets by name: `Table` with the source, the columns and the verifier that each needs."""

from .code_sets import MBPP, Codeforces, HumanEval, LiveCodeBench
from .maths_sets import AIME24, AIME25, GSM8K, MATH500, BigMath, DeepMath, NuminaMath, OpenR1Math
from .science_sets import GPQADiamond

NAMED = {
    "aime24": AIME24,
    "aime25": AIME25,
    "big_math": BigMath,
    "codeforces": Codeforces,
    "deepmath": DeepMath,
    "gpqa_diamond": GPQADiamond,
    "gsm8k": GSM8K,
    "humaneval": HumanEval,
    "livecodebench": LiveCodeBench,
    "math_500": MATH500,
    "mbpp": MBPP,
    "numina_math": NuminaMath,
    "openr1_math": OpenR1Math,
}

__all__ = ["NAMED"]
