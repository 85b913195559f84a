"""Verdicts of several graders on the cases of the tests, against what a mathematician says.

    python benchmarks/maths_graders.py --verl FOLDER_OF_VERL --qwen FOLDER_OF_QWEN2.5_MATH

The graders of other projects are taken from checkouts of them, and are no part of r1sdk: verl and PRIME's grader in it are under the
Apache License 2.0, the grader in Qwen2.5-Math under the MIT License. They get each answer in a box, as they expect it. PRIME's grader
needs pylatexenc, Qwen's word2number and regex, and latex2sympy2, for which math-verify's copy stands in. Some of them hand text to `eval`: run this on these cases only.
"""

import argparse
import json
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from r1_verifiers import maths
from r1_verifiers.maths.extract import answer_text

CASES = Path(__file__).parent.parent / "tests" / "data" / "maths_cases.jsonl"
Grader = Callable[[dict[str, Any]], float | None]  # a case -> 1.0, 0.0, or None for a gold answer that cannot be read


def ours(case: dict[str, Any]) -> float | None:
    return maths.check(case["reply"], case["gold"]).value


def boxed(case: dict[str, Any]) -> str:
    """The answer of a case in a box."""
    found = answer_text(case["reply"])
    return rf"The answer is \boxed{{{(found or '').strip().strip('$')}}}"


def math_verify(text: Callable[[dict[str, Any]], str]) -> Grader:
    from math_verify import parse, verify

    def grade(case: dict[str, Any]) -> float | None:
        gold = case["gold"] if "$" in case["gold"] else f"${case['gold']}$"
        known = parse(gold, parsing_timeout=None)
        return float(verify(known, parse(text(case), parsing_timeout=None), timeout_seconds=None)) if known else None

    return grade


def verl_graders(folder: Path) -> dict[str, Grader]:
    """The graders of verl, loaded as files: the package itself needs torch and ray."""
    scores = folder / "verl" / "utils" / "reward_score"
    made: dict[str, Grader] = {}
    for name in ("math_reward", "math_dapo"):
        module = types.ModuleType(name)
        exec(compile((scores / f"{name}.py").read_text(), name, "exec"), module.__dict__)  # noqa: S102 - a program that you named
        made[f"verl {name}"] = _scoring(module.compute_score)
    helpers = types.ModuleType("verl.utils.py_functional")
    helpers.timeout_limit = lambda **_: lambda function: function  # type: ignore[attr-defined]
    for name in ("verl", "verl.utils", "verl.utils.reward_score"):
        package = sys.modules.setdefault(name, types.ModuleType(name))
        package.__path__ = [str(folder / name.replace(".", "/"))]
    sys.modules["verl.utils.py_functional"] = helpers
    try:
        from verl.utils.reward_score import prime_math  # type: ignore[import-not-found]
    except ImportError as error:
        print(f"PRIME's grader is left out: {error}", file=sys.stderr)
        return made
    made["PRIME (in verl)"] = _scoring(prime_math.compute_score)
    return made


def qwen_grader(folder: Path) -> Grader:
    sys.path.insert(0, str(folder / "evaluation"))
    try:
        import latex2sympy2  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        import latex2sympy2_extended

        sys.modules["latex2sympy2"] = latex2sympy2_extended
    from grader import math_equal  # type: ignore[import-not-found]
    from parser import extract_answer, strip_string  # type: ignore[import-not-found]

    return lambda case: float(math_equal(extract_answer(boxed(case), "math"), strip_string(_bare(case["gold"]))))


def _scoring(compute: Callable[[str, str], Any]) -> Grader:
    return lambda case: _number(compute(boxed(case), _bare(case["gold"])))


def _bare(gold: str) -> str:
    return gold.strip().strip("$")


def _number(found: Any) -> float:
    """The score in what a grader returns: a number, a pair that begins with one, or a mapping."""
    if isinstance(found, dict):
        found = found.get("acc", found.get("score"))
    if isinstance(found, tuple):
        found = found[0]
    return float(found)


def verdict(grader: Grader, case: dict[str, Any]) -> float | None | str:
    signal.setitimer(signal.ITIMER_REAL, 5.0)
    try:
        return grader(case)
    except Exception as error:  # noqa: BLE001 - whatever somebody's grader raises, it gave no verdict
        return type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def _too_long(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--verl", type=Path, help="a checkout of volcengine/verl")
    parser.add_argument("--qwen", type=Path, help="a checkout of QwenLM/Qwen2.5-Math")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    graders: dict[str, Grader] = {
        "r1sdk": ours,
        "math-verify, whole reply": math_verify(lambda case: case["reply"]),
        "math-verify, the answer in a box": math_verify(boxed),
    }
    if options.verl:
        graders |= verl_graders(options.verl)
    if options.qwen:
        graders["Qwen2.5-Math"] = qwen_grader(options.qwen)
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    wanted = [None if case["verdict"] == "unverifiable" else case["verdict"] for case in cases]
    theirs = [case["source"] != "ours" for case in cases]
    print(f"{len(cases)} cases, {sum(theirs)} of them from issues and data sets")
    print(f"{'':34} right  from issues  right answers lost  wrong answers paid")
    for name, grader in graders.items():
        given = [verdict(grader, case) for case in cases]
        right = [one == other for one, other in zip(given, wanted, strict=True)]
        lost = sum(other == 1.0 and one != 1.0 for one, other in zip(given, wanted, strict=True))
        paid = sum(other != 1.0 and one == 1.0 for one, other in zip(given, wanted, strict=True))
        print(
            f"{name:34} {sum(right):5} {sum(r and t for r, t in zip(right, theirs, strict=True)):12} {lost:19} {paid:19}",
            flush=True,
        )


if __name__ == "__main__":
    main()
