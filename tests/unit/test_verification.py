"""Verifiers as plugins: how they are named, built and shared, how gold answers are read once, and what cannot be verified."""

import asyncio
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

import r1sdk
from r1_envs import Countdown
from r1_envs.table import File
from r1_verifiers import ChoiceVerifier, CodeVerifier, CountdownVerifier, ExactVerifier, MathsVerifier
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.gold_check import check_gold
from r1sdk.scoring.score_rollouts import score
from r1sdk.testing import attempt, in_format, judge_reply


def task(answer="4", **info):
    return r1sdk.Task([{"role": "user", "content": "2 + 2?"}], answer, info, "sum")


@dataclass(frozen=True)
class Same:
    """1.0 for the same text, else 0.0."""

    ignore_case: bool = False
    timeout_s: float = 1.0
    read: list[str] = field(
        init=False, repr=False, compare=False, default_factory=list
    )  # what read_gold was called with

    def read_gold(self, task):
        self.read.append(task.answer)
        if task.answer is None:
            raise r1sdk.Unverifiable("there is nothing to compare with")
        return task.answer.casefold() if self.ignore_case else task.answer

    def verify(self, gold, reply):
        written = reply.answer or ""
        return r1sdk.Verdict(float((written.casefold() if self.ignore_case else written) == gold))


@dataclass(frozen=True)
class Slow(Same):
    """1.0 for the same text, else 0.0, after a while."""

    async def verify(self, gold, reply):
        await asyncio.sleep(0)
        if reply.answer == "nobody knows":
            raise r1sdk.Unverifiable("only the comparison shows it")
        if reply.answer == "down":
            raise r1sdk.Unavailable("no connection")
        return r1sdk.Verdict(float(reply.answer == gold))


@dataclass(frozen=True)
class Running(Same):
    """1.0 for the same text, else 0.0, with a sandbox."""

    sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option("unsafe")


@dataclass(frozen=True)
class Sums:
    """Sums, by whatever verifier."""

    verifier: r1sdk.Verifier | None = r1sdk.verifier_option(
        {"name": "same", "options": {"ignore_case": True}}, shares=("timeout_s", "sandbox")
    )
    timeout_s: float = 7.0
    digits: int = 2
    sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option(needed=lambda options: False)

    def __post_init__(self):
        if self.digits < 1:
            raise ValueError(f"digits is at least 1, got {self.digits}")

    def tasks(self, split):
        yield task()

    def verify(self, rollout):
        return r1sdk.verify_with(r1sdk.verifier_of(self), rollout)


class Mine:
    @staticmethod
    @r1sdk.hookimpl
    def r1_register_verifiers(register):
        register("same", Same)
        register("slow", Slow)
        register("running", Running)
        register("no_verifier", Sums)

    @staticmethod
    @r1sdk.hookimpl
    def r1_register_environments(register):
        register("sums", Sums)
        register("table", File)


@pytest.fixture
def registry():
    import r1_sandboxes

    return load_plugins({"mine": Mine, "sandboxes": lambda: r1_sandboxes})


# Names, options and what is shared


def test_a_verifier_is_named_with_options_or_without_and_left_out_it_is_the_default(registry):
    assert registry.build("environment", "sums").verifier == Same(ignore_case=True, timeout_s=7.0)
    assert registry.build("environment", "sums", {"verifier": "same"}).verifier == Same(timeout_s=7.0)
    named = {"name": "slow", "options": {"ignore_case": True, "timeout_s": 2}}
    assert registry.build("environment", "sums", {"verifier": named, "timeout_s": 3.0}).verifier == Slow(True, 2.0)
    given = Slow()
    assert registry.build("environment", "sums", {"verifier": given}).verifier is given


def test_a_sandbox_is_shared_where_it_was_named_and_is_the_verifiers_own_where_not(registry):
    from r1_sandboxes import UnsafeSandbox

    own = registry.build("environment", "sums", {"verifier": "running"})
    assert own.verifier.sandbox == UnsafeSandbox() and own.sandbox is None
    sandbox = UnsafeSandbox()
    shared = registry.build("environment", "sums", {"verifier": "running", "sandbox": sandbox})
    assert shared.verifier.sandbox is shared.sandbox is sandbox


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"verifier": "smae"},
            ["unknown verifier 'smae'; did you mean 'same'?", "available: no_verifier, running, same"],
        ),
        ({"verifier": {"name": "same", "options": {"ignore_caes": True}}}, ["did you mean 'ignore_case'?"]),
        (
            {"verifier": {"name": "same", "options": {"ignore_case": "why"}}},
            ["verifier 'same', option 'ignore_case': "],
        ),
        ({"verifier": {"name": "same", "option": {}}}, ["the name of a verifier, or {name: ..., options: ...}"]),
        ({"verifier": {"name": "same", "options": [1]}}, ["the name of a verifier, or {name: ..., options: ...}"]),
        ({"verifier": 3}, ["environment 'sums', option 'verifier': the name of a verifier"]),
        ({"verifier": "no_verifier"}, ["verifier 'no_verifier' must have read_gold(task) and verify(gold, reply)"]),
        ({"verifier": "smae", "digits": 0}, ["2 problems", "did you mean 'same'?", "digits is at least 1"]),
        (
            {"verifier": "smae", "digit": 0, "sandbox": "nosuch"},
            ["3 problems", "'same'?", "'digits'?", "sandbox 'nosuch'"],
        ),
    ],
)
def test_everything_that_is_wrong_is_said_at_once(registry, options, said):
    with pytest.raises(r1sdk.PluginError) as refused:
        registry.build("environment", "sums", options)
    assert all(part in str(refused.value) for part in said), refused.value


def test_any_registered_verifier_judges_a_table_and_needs_not_know_of_tables(registry, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(
        json.dumps({"problem": "Capital?", "answer": "Paris"}) + "\n" + json.dumps({"problem": "?", "answer": 4})
    )
    table = registry.build("environment", "table", {"source": str(file), "verifier": "same", "test_share": 0.0})
    first, second = table.tasks("train")
    assert (first.answer, second.answer) == ("Paris", "4")
    assert judge_reply(table, first, in_format("Paris")).value == 1.0
    assert judge_reply(table, first, in_format("paris")).value == 0.0
    assert "answer from 'answer'" in table.summary() and table.summary().endswith("verified by Same")
    assert check_gold(table.tasks("train"), table).faults == ()


def test_a_row_shows_a_verifier_its_columns_by_role_and_by_name(tmp_path):
    seen = []

    @dataclass(frozen=True)
    class Looking(Same):
        reads: ClassVar[Sequence[str]] = ("answer", "solution")

        def pose(self, row):
            seen.append((row.problem, row.get("answer"), row.find("solution"), row.find("tests"), dict(row.row)))
            with pytest.raises(ValueError, match="no role 'anwser'"):
                row.get("anwser")
            with pytest.raises(r1sdk.R1Error, match="no column 'choices' or 'options'"):
                row.get("choices")
            return r1sdk.Posed("Be brief.", "x", {"unit": row.row["unit"]})

    row = {"question": "How far?", "final_answer": 3, "code": "pass", "unit": "km"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    table = File(str(tmp_path / "a.jsonl"), test_share=0.0, verifier=Looking())
    (posed,) = table.tasks("train")
    assert seen == [("How far?", 3, "pass", None, row)]
    assert posed.prompt[-1]["content"] == "How far?\n\nBe brief." and posed.info["unit"] == "km" and posed.answer == "x"
    assert "answer from 'final_answer', solution from 'code'" in table.summary()


# Without a registry


def test_without_a_registry_an_environment_takes_a_verifier_or_the_name_of_an_installed_one(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"problem": "Capital?", "answer": "Paris", "options": ["Lyon", "Paris"]}))
    for given in ("choice", ChoiceVerifier(), {"name": "choice", "options": {}}):
        table = File(str(file), test_share=0.0, verifier=given)
        (posed,) = table.tasks("train")
        assert posed.answer == "B" and judge_reply(table, posed, in_format("B")).value == 1.0
    assert r1sdk.verifier_of(File(str(file))) == MathsVerifier()
    assert r1sdk.verifier_of(Countdown(use_all=False)) == CountdownVerifier(use_all=False)


def test_an_environment_with_its_verifier_is_sent_to_a_worker_process():
    built = load_plugins().build("environment", "countdown", {"level": "easy"})
    assert pickle.loads(pickle.dumps(built)) == built


# The call


def test_a_gold_answer_is_read_once_for_all_replies_to_a_task_and_again_for_another_verifier():
    verifier, other = Same(), Same()
    first, equal, changed = task(), task(), task(unit="km")
    for asked in (first, first, equal):
        assert judge_reply(verifier, asked, in_format("4")).value == 1.0
    assert verifier.read == ["4"]
    judge_reply(verifier, changed, in_format("4"))
    judge_reply(other, first, in_format("4"))
    assert (verifier.read, other.read) == (["4", "4"], ["4"])


def test_only_so_many_gold_answers_are_kept():
    verifier = Same()
    for number in [*range(100), 0, 99]:
        judge_reply(verifier, task(str(number)), in_format("4"))
    assert verifier.read == [*map(str, range(100)), "0"]


@pytest.mark.parametrize("verifier", [Same(), Slow()])
def test_a_task_without_a_gold_answer_judges_nobody_and_says_why(verifier):
    verdict = judge_reply(verifier, task(None), in_format("4"))
    assert (verdict.value, verdict.status, verdict.reason) == (None, "unverifiable", "there is nothing to compare with")


def test_what_only_the_comparison_shows_is_unverifiable_and_a_silent_service_an_error():
    verdict = judge_reply(Slow(), task(), in_format("nobody knows"))
    assert (verdict.value, verdict.status, verdict.reason) == (None, "unverifiable", "only the comparison shows it")
    verdict = judge_reply(Slow(), task(), in_format("down"))
    assert (verdict.value, verdict.status, verdict.reason) == (None, "error", "no connection")


def test_a_verifier_that_raises_or_returns_no_verdict_stops_the_run_with_the_task():
    class Broken(Same):
        def verify(self, gold, reply):
            return 1.0

    class Raising(Same):
        def read_gold(self, task):
            return task.info["nosuch"]

    with pytest.raises(r1sdk.RewardError, match=r"Broken.verify must return an r1sdk.Verdict, got 1.0\n  task 'sum'"):
        judge_reply(Broken(), task(), in_format("4"))
    with pytest.raises(r1sdk.RewardError, match="KeyError: 'nosuch'\n  task 'sum'"):
        judge_reply(Raising(), task(), in_format("4"))


def test_a_submission_has_the_views_of_a_reply():
    rollout = attempt(task(), "<think>a</think><answer> 4 </answer>")
    reply = r1sdk.Submission(rollout)
    assert (reply.answer, reply.parsed, reply.rollout) == ("4", r1sdk.Reply("a", "4"), rollout)
    assert r1sdk.Submission(attempt(task(), "4")).answer is None


# The verifiers that come with r1sdk, in both directions

OPTIONS = ["Lyon", "Paris", "Nice"]
TESTS = [{"input": "2 3\n", "output": "5\n"}]
GOLD = [
    *(
        (MathsVerifier(timeout_s=20.0), task(gold))
        for gold in ("4", r"\frac{1}{2}", "3.14", "x=3", "(1,2)", "yes", "B")
    ),
    *((MathsVerifier("trl", 20.0), task(gold)) for gold in ("4", r"\frac{1}{2}")),
    *((ExactVerifier(), task(gold)) for gold in ("Paris", "4.", "a")),
    (ExactVerifier(), task("Paris", accepted=["Paris", "Paris not", "Pari"])),
    (ChoiceVerifier(), task("B", choices=OPTIONS)),
    (CountdownVerifier(), task(None, nums=[3, 7, 7], target=17)),
    (CountdownVerifier(use_all=False), task(None, nums=[3, 7, 17], target=17)),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("verifier", "asked"), GOLD, ids=lambda value: getattr(value, "answer", None))
def test_the_gold_answer_is_paid_and_no_variant_of_it_is(verifier, asked):
    reply = r1sdk.gold_reply_of(verifier, asked)
    assert reply is None or judge_reply(verifier, asked, reply).value == 1.0
    variants = list(verifier.variants(verifier.read_gold(asked)))
    assert variants or asked.info.get("accepted")
    for text in variants:
        assert judge_reply(verifier, asked, in_format(text)).value == 0.0, text


@pytest.mark.parametrize(
    ("verifier", "asked", "reason"),
    [
        (MathsVerifier(), task(None), "no gold answer"),
        (ExactVerifier(), task(" . "), "the gold answer is empty"),
        (ExactVerifier(), task(None), "the gold answer is empty"),
        (ChoiceVerifier(), task("B"), "no list of 2 to 26 choices"),
        (ChoiceVerifier(), task("B", choices="AB"), "no list of 2 to 26 choices"),
        (ChoiceVerifier(), task("D", choices=OPTIONS), "'D' is no letter of 3 options"),
        (ChoiceVerifier(), task(None, choices=OPTIONS), "None is no letter"),
        (CodeVerifier(), task(), "no tests"),
        (CodeVerifier(), task(tests=[]), "tests"),
        (CountdownVerifier(), task(), "no whole numbers"),
        (CountdownVerifier(), task(nums=["3", "7"], target=10), "no whole numbers"),
        (CountdownVerifier(), task(nums=[3, True], target=4), "no whole numbers"),
        (CountdownVerifier(), task(nums=[3, 7], target=None), "no whole numbers"),
    ],
)
def test_a_gold_answer_that_cannot_be_read_is_unverifiable_with_the_reason(verifier, asked, reason):
    with pytest.raises(r1sdk.Unverifiable, match=reason):
        verifier.read_gold(asked)
    verdict = judge_reply(verifier, asked, in_format("4"))
    assert verdict.value is None and verdict.status == "unverifiable" and reason in verdict.reason


def test_the_registry_tells_which_plugins_a_run_is_verified_by():
    registry = load_plugins()
    parts = {"parts": ["countdown", {"name": "code", "options": {"verifier": "exact"}}]}
    used = [(entry.kind, entry.name) for entry in registry.used("environment", "mixture", parts)]
    assert used == [
        *(("environment", "mixture"), ("environment", "countdown"), ("verifier", "countdown")),
        *(("environment", "code"), ("verifier", "exact")),
    ]


def test_verdicts_of_a_batch_are_those_of_single_calls():
    environment = Countdown(level="easy")
    asked = next(iter(environment.tasks("train")))
    replies = ["no tags", in_format(""), in_format("1+"), in_format(str(asked.info["target"]))]
    rollouts = [attempt(asked, reply) for reply in replies]
    judged, _ = score(rollouts, environment, {})
    assert [rollout.verdict.value for rollout in judged] == [environment.verify(rollout).value for rollout in rollouts]
