r"""Maths answers judged per second against the serial loop of TRL, what a hanging answer costs a batch, Countdown checks.

    python benchmarks/rewards.py --pairs 1200 --rounds 5

Both sides judge the same pairs in turns, so that a busy machine slows both; read the ratios. Each round has pairs of its own.
The serial loop is `trl.rewards.accuracy_reward`, which is Open-R1's as well: parse the gold answer, parse the reply, verify.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from countdown_check import by_check, ordinary_answers, rate

import r1sdk
from r1_verifiers import MathsVerifier, maths
from r1sdk.scoring.score_rollouts import verify
from r1sdk.scoring.verification import VerifierAlone

GROUP = 8  # completions of one problem, as in GRPO
HANGS = r"\dfrac{5^{\left(5^{\left(5^{\left(5^5\right)}\right)} - 4\right)} - 5}{16}"
THOUGHTS = (
    "We are given the problem. Let $x$ be the unknown, then $2x + 3 = y$. Substituting gives the result step by step. "
)


class Pair(NamedTuple):
    """A gold answer, a reply to the problem, and whether the reply is right."""

    gold: str
    reply: str
    right: bool
    takes_algebra: bool = False  # a root, a polynomial, a set, a point: nothing that is compared as a number or a word


class Answer(NamedTuple):
    """A gold answer, ways in which models write it, and answers that are wrong."""

    gold: str
    right: list[str]
    wrong: list[str]


def integer(rng: random.Random) -> Answer:
    n = rng.choice([rng.randint(-20, 200), rng.randint(1000, 10**6)])
    return Answer(str(n), [str(n), str(n), f"{n:,}", f"{n}.0"], [str(n - 1), str(n + 1), str(n + 10)])


def fraction(rng: random.Random) -> Answer:
    a, b = rng.randint(1, 40), rng.randint(2, 40)
    right = [rf"\frac{{{a}}}{{{b}}}", rf"\dfrac{{{a}}}{{{b}}}", f"{a}/{b}", rf"\frac{{{2 * a}}}{{{2 * b}}}"]
    return Answer(rng.choice([right[0], right[2]]), right, [rf"\frac{{{a + 1}}}{{{b}}}", f"{a}/{b + 1}"])


def decimal(rng: random.Random) -> Answer:
    n = rng.randint(1, 9999)
    right = [f"{n / 100:.2f}", rf"\frac{{{n}}}{{100}}", f"{n / 100:.3f}"]
    return Answer(right[0], right, [f"{(n + 1) / 100:.2f}", f"{n / 10:.1f}"])


def root(rng: random.Random) -> Answer:
    a, b = rng.randint(2, 12), rng.choice([2, 3, 5, 6, 7])
    right = [rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b}}}", rf"\sqrt{{{b}}} \cdot {a}"]
    return Answer(right[0], right, [rf"{a + 1}\sqrt{{{b}}}", rf"{a}\sqrt{{{b + 1}}}"])


def polynomial(rng: random.Random) -> Answer:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    right = [f"x^2+{a + b}x+{a * b}", f"(x+{a})(x+{b})", f"{a * b}+{a + b}x+x^2"]
    return Answer(right[0], right, [f"x^2+{a + b}x-{a * b}", f"(x+{a})(x-{b})"])


def interval(rng: random.Random) -> Answer:
    a = rng.randint(-9, 9)
    b = a + rng.randint(1, 9)
    return Answer(f"[{a},{b})", [f"[{a},{b})", rf"\left[{a}, {b}\right)"], [f"[{a},{b}]", f"({a},{b})"])


def numbers(rng: random.Random) -> Answer:
    a, b, c = rng.sample(range(-20, 20), 3)
    right = [rf"\{{{a},{b},{c}\}}", rf"\{{{c}, {a}, {b}\}}", f"{b}, {a}, {c}"]
    return Answer(right[0], right, [rf"\{{{a},{b}\}}", rf"\{{{a},{b},{c + 50}\}}"])


def point(rng: random.Random) -> Answer:
    a, b, c = (rng.randint(-20, 20) for _ in range(3))
    right = [f"({a},{b},{c})", rf"\left({a}, {b}, {c}\right)"]
    return Answer(right[0], right, [f"({a},{b},{c + 1})", f"({b},{a},{c + 1})"])


def angle(rng: random.Random) -> Answer:
    a, b = rng.randint(1, 11), rng.choice([2, 3, 4, 6])
    right = [rf"\frac{{{a}\pi}}{{{b}}}", rf"{a}\pi/{b}", rf"\frac{{{a}}}{{{b}}}\pi"]
    return Answer(right[0], right, [rf"\frac{{{a}\pi}}{{{b + 1}}}", rf"\frac{{{a + 1}\pi}}{{{b}}}"])


def word(rng: random.Random) -> Answer:
    right, *wrong = rng.sample(["even", "odd", "Monday", "Evelyn", "ellipse", "parabola"], 3)
    return Answer(rf"\text{{{right}}}", [rf"\text{{{right}}}", right], [rf"\text{{{other}}}" for other in wrong])


def choice(rng: random.Random) -> Answer:
    right, *wrong = rng.sample("ABCDE", 3)
    return Answer(right, [right, f"({right})", rf"\text{{{right}}}"], wrong)


SHARES: dict[Callable[[random.Random], Answer], int] = {
    integer: 35,
    fraction: 14,
    decimal: 8,
    root: 8,
    polynomial: 9,
    interval: 5,
    numbers: 4,
    point: 4,
    angle: 5,
    word: 4,
    choice: 4,
}


ALGEBRA = (root, polynomial, interval, numbers, point, angle)


def pairs(count: int, seed: int) -> list[Pair]:
    """Replies to problems such as those of MATH and GSM8K, eight to each; about half of them right."""
    rng = random.Random(seed)
    found: list[Pair] = []
    while len(found) < count:
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        gold, right, wrong = kind(rng)
        if not gold.isdecimal():
            gold = f"${gold}$"  # the serial loop cannot read them bare, and would have nothing to do
        for _ in range(GROUP):
            is_right = rng.random() < 0.5
            answer = rng.choice(right if is_right else wrong)
            thoughts = THOUGHTS * rng.randint(2, 12)
            found.append(
                Pair(
                    gold,
                    rf"<think>{thoughts}</think> The final answer is $\boxed{{{answer}}}$.",
                    is_right,
                    kind in ALGEBRA,
                )
            )
    return found[:count]


def serial(some: Sequence[Pair]) -> list[float | None]:
    """One after the other, as TRL does it."""
    from trl.rewards import accuracy_reward

    replies = [[{"role": "assistant", "content": pair.reply}] for pair in some]
    return list(accuracy_reward(replies, [pair.gold for pair in some]))


def ours(some: Sequence[Pair], mode: maths.Mode, timeout_s: float = 30.0) -> list[r1sdk.Verdict]:
    """A batch as the trainer has it judged."""
    rollouts = [
        r1sdk.Rollout(
            r1sdk.Task([], answer=pair.gold), r1sdk.Completion([{"role": "assistant", "content": pair.reply}])
        )
        for pair in some
    ]
    judged = asyncio.run(verify(rollouts, VerifierAlone(MathsVerifier(mode=mode, timeout_s=timeout_s))))
    return [rollout.verdict for rollout in judged if rollout.verdict is not None]


def timed(function: Callable[[], list]) -> tuple[float, list]:  # type: ignore[type-arg]
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def compare(label: str, rounds: Iterator[list[Pair]], mode: maths.Mode) -> None:
    """One line: the ratio of serial to ours over the rounds, and how many verdicts were right, and how many the same."""
    ratios, rates, right, theirs_right, same, total = [], [], 0, 0, 0, 0
    for some in rounds:
        theirs_s, theirs = timed(lambda some=some: serial(some))
        ours_s, verdicts = timed(lambda some=some: ours(some, mode))
        ratios.append(theirs_s / ours_s)
        rates.append((len(some) / theirs_s, len(some) / ours_s))
        total += len(some)
        right += sum(v.value == float(pair.right) for v, pair in zip(verdicts, some, strict=True))
        theirs_right += sum(v == float(pair.right) for v, pair in zip(theirs, some, strict=True))
        same += sum(v.value == other for v, other in zip(verdicts, theirs, strict=True))
    serial_rate, our_rate = (statistics.median(column) for column in zip(*rates, strict=True))
    print(
        f"{label:38} {statistics.median(ratios):5.2f}x ({min(ratios):.2f}-{max(ratios):.2f})  "
        f"{our_rate:6.0f}/s against {serial_rate:5.0f}/s  right {right}/{total} against {theirs_right}, same {same}"
    )
    if mode == "trl" and same != total:
        raise SystemExit(f"mode trl differs from TRL on {total - same} of {total} pairs")


def hanging(rounds: int, deadline_s: float) -> None:
    """What one answer that hangs costs a batch of 64, against its deadline."""
    costs = []
    for seed in range(rounds):
        some = pairs(64, seed)
        at = random.Random(seed).randrange(len(some))
        some[at] = Pair(r"2\sqrt{3}", rf"\boxed{{{HANGS}}}", False)
        seconds, verdicts = timed(lambda some=some: ours(some, "r1", deadline_s))
        statuses = [verdict.status for verdict in verdicts]
        if statuses.count("timeout") != 1 or statuses[at] != "timeout":
            raise SystemExit(f"one timeout was to be expected, got {statuses}")
        costs.append(seconds / deadline_s)
    print(
        f"64 answers, one of which hangs: {statistics.median(costs):.3f} of the deadline of {deadline_s:g} s "
        f"({min(costs):.3f}-{max(costs):.3f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deadline", type=float, default=5.0, help="seconds, of the answer that hangs")
    options = parser.parse_args()

    seeds = itertools.count(1, options.rounds)

    def rounds(only_algebra: bool) -> Iterator[list[Pair]]:
        first = next(seeds)  # what was judged is remembered, here and in math-verify: nobody may see a pair twice
        for seed in range(first, first + options.rounds):
            some = pairs(options.pairs * (3 if only_algebra else 1), seed)
            yield [pair for pair in some if pair.takes_algebra][: options.pairs] if only_algebra else some

    for mode in ("r1", "trl"):  # the workers start, the grammar's tables fill
        ours(pairs(200, 0), mode)
    serial(pairs(200, 0))
    print(f"{options.pairs} pairs a round, {options.rounds} rounds; medians (least-greatest)")
    compare("mode r1, all pairs", rounds(False), "r1")
    compare("mode r1, those that take algebra", rounds(True), "r1")
    compare("mode trl, all pairs", rounds(False), "trl")
    hanging(options.rounds, options.deadline)
    cases = ordinary_answers(2000)
    print(f"Countdown: {statistics.median(rate(by_check, cases) for _ in range(options.rounds)):,.0f} checks/s")


if __name__ == "__main__":
    main()
