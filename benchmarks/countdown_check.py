"""Countdown checks per second: the equation check against one that calls `eval`, on the same answers in one run.

    python benchmarks/countdown_check.py

Both judge the same ordinary answers, in turns, so that a busy machine slows both; the figure to read is the ratio. Then
come the cases where the two disagree, and those on which the `eval` one does not come back, which are not run.
"""

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence

from r1_verifiers.countdown import check

Case = tuple[str, list[int], int]
Checker = Callable[[str, Sequence[int], int], float]

MISJUDGED: list[Case] = [
    ("3**2+5", [3, 2, 5], 14),
    ("5//2*3", [5, 2, 3], 6),
    ("2.8*10", [2, 8, 10], 28),
    ("3*-9", [3, 9], -27),
    ("99999999/99999998", [99999999, 99999998], 1),
    ("3*9 = 27", [3, 9], 27),
    ("3 × 9", [3, 9], 27),
    ("9 − 3", [3, 9], 6),
    (r"\frac{27}{9}", [27, 9], 3),
    ("$3*9$", [3, 9], 27),
    ("3\n*9", [3, 9], 27),
]
NOT_RUN: list[Case] = [
    ("9**9**9**9", [9, 9, 9, 9], 1),
    ("9**9**8", [9, 9, 8], 1),
]


def by_eval(answer: str, nums: Sequence[int], target: int) -> float:
    """1.0 or 0.0 in the way of TinyZero's `countdown.compute_score`: two regular expressions, then `eval`."""
    if sorted(int(number) for number in re.findall(r"\d+", answer)) != sorted(nums):
        return 0.0
    if not re.match(r"^[\d+\-*/().\s]+$", answer):
        return 0.0
    try:
        return float(abs(eval(answer, {"__builtins__": None}, {}) - target) < 1e-5)
    except Exception:  # noqa: BLE001 - whatever the model wrote, it is wrong
        return 0.0


def by_check(answer: str, nums: Sequence[int], target: int) -> float:
    return check(answer, nums, target).value or 0.0


def ordinary_answers(count: int, seed: int = 0) -> list[Case]:
    """Answers such as a model in training gives: half right, a quarter of a wrong value, a quarter of wrong numbers."""
    rng = random.Random(seed)
    cases: list[Case] = []
    while len(cases) < count:
        nums = [rng.randint(1, 99) for _ in range(rng.randint(3, 6))]
        parts = [str(number) for number in nums]
        while len(parts) > 1:
            at = rng.randrange(len(parts) - 1)
            joined = f"{parts[at]} {rng.choice('++--*/')} {parts[at + 1]}"
            parts[at : at + 2] = [f"({joined})" if len(parts) > 2 else joined]
        try:
            value = eval(parts[0])  # our own text, not a model's
        except ZeroDivisionError:
            continue
        if value != int(value):
            continue
        kind = len(cases) % 4
        target = int(value) + (kind == 2) * rng.choice([-3, -1, 1, 10])
        given = [*nums[:-1], nums[-1] + 1] if kind == 3 else nums
        cases.append((parts[0], given, target))
    return cases


def rate(checker: Checker, cases: Sequence[Case]) -> float:
    """Checks per second over `cases`."""
    started = time.perf_counter()
    for answer, nums, target in cases:
        checker(answer, nums, target)
    return len(cases) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    cases = ordinary_answers(options.answers)
    rates = [(rate(by_check, cases), rate(by_eval, cases)) for _ in range(options.rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
    ratios = sorted(a / b for a, b in rates)
    length = statistics.mean(len(answer) for answer, *_ in cases)
    print(f"{len(cases)} ordinary answers, {length:.0f} characters on average; medians of {options.rounds} rounds")
    print(f"  equation check  {ours:9,.0f} checks/s  {1e6 / ours:5.1f} us")
    print(f"  eval            {theirs:9,.0f} checks/s  {1e6 / theirs:5.1f} us")
    print(f"  ratio           {statistics.median(ratios):9.2f}            ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    same = sum(by_check(*case) == by_eval(*case) for case in cases)
    right = sum(by_check(*case) for case in cases)
    print(f"verdicts agree on {same} of {len(cases)} ordinary answers ({right:.0f} of them right)\n")
    print(f"{'answer':24} {'numbers':22} {'target':>6}  {'check':>5} {'eval':>5}  reason")
    for answer, nums, target in MISJUDGED:
        verdict = check(answer, nums, target)
        row = f"{answer!r:24} {nums!s:22} {target:6}  {verdict.value:5} {by_eval(answer, nums, target):5}"
        print(f"{row}  {verdict.reason or 'right'}")
    for answer, nums, target in NOT_RUN:
        verdict = check(answer, nums, target)
        print(f"{answer!r:24} {nums!s:22} {target:6}  {verdict.value:5}  hangs  {verdict.reason}")


if __name__ == "__main__":
    main()
