"""Gold answers checked against themselves before training: what fails is named, left out, or stops the run."""

import json
from dataclasses import dataclass

import pytest

import r1sdk
from r1sdk.scoring.gold_check import PROBED, SHOWN, GoldCheck, check_gold, enforce, enforce_suspects
from r1sdk.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Quiz:
    """Tasks of the given answers; "bad" cannot be judged, "dear" takes too long, "half" earns a half."""

    answers: tuple[str | None, ...]

    def tasks(self, split):
        for index, answer in enumerate(self.answers):
            yield r1sdk.Task([{"role": "user", "content": f"question {index}"}], answer=answer, id=f"{split}/{index}")

    async def verify(self, rollout):
        answer = rollout.task.answer
        if answer == "bad":
            return None
        if answer == "dear":
            return r1sdk.Verdict(0.0, "timeout", reason="too long")
        if answer == "half":
            return 0.5
        return float(r1sdk.extract_answer(rollout.completion.text) == answer)


@dataclass(frozen=True)
class Rubrics(Quiz):
    """Says itself which reply is right: none for what begins with a hash."""

    def gold_reply(self, task):
        return None if task.answer.startswith("#") else f"<answer>{task.answer}</answer>"


def found(environment):
    return check_gold(environment.tasks("train"), environment)


def test_gold_answers_that_earn_one_are_fine():
    assert found(Quiz(("4", "5", "x y"))) == GoldCheck(3, 3, ())


def test_each_gold_answer_that_does_not_earn_one_is_named_with_its_place_and_reason():
    checked = found(Quiz(("4", "bad", "dear", "5", "half")))
    assert [(fault.index, fault.task, fault.answer) for fault in checked.faults] == [
        (1, "train/1", "bad"),
        (2, "train/2", "dear"),
        (4, "train/4", "half"),
    ]
    assert [fault.reason for fault in checked.faults] == ["unverifiable", "timeout: too long", "earns 0.5"]


def test_tasks_without_an_answer_are_not_checked():
    assert found(Quiz((None, "4", None))) == GoldCheck(3, 1, ())


def test_an_environment_may_say_which_reply_is_right_or_that_none_is_to_be_checked():
    assert found(Rubrics(("4", "#essay"))) == GoldCheck(2, 1, ())


def test_a_verifier_that_raises_stops_with_the_task_in_the_message():
    class Broken(Quiz):
        def verify(self, rollout):
            raise ValueError("no such thing")

    with pytest.raises(r1sdk.RewardError, match="no such thing(.|\n)*train/0"):
        found(Broken(("4",)))


def test_many_tasks_are_all_checked_and_progress_is_told():
    told = []
    environment = Quiz(tuple("bad" if n % 100 == 7 else "4" for n in range(600)))
    checked = check_gold(environment.tasks("train"), environment, progress=told.append)
    assert [fault.index for fault in checked.faults] == [7, 107, 207, 307, 407, 507]
    assert told == sorted(told) and told[-1] == 600


def test_below_the_limit_a_warning_names_the_first_and_counts_the_rest():
    warning = enforce(found(Quiz(("bad",) * 7 + ("4",) * 93)), limit=0.1, split="train")
    assert warning.startswith("7 of 100 gold answers cannot be verified\n  train/0: answer 'bad': unverifiable")
    assert warning.count("answer 'bad'") == SHOWN and "and 2 more" in warning and "left out of training" in warning


def test_above_the_limit_the_run_stops_and_says_what_to_do():
    with pytest.raises(r1sdk.R1Error) as stop:
        enforce(found(Quiz(("bad", "4"))), limit=0.1, split="train")
    said = str(stop.value)
    assert "1 of 2 gold answers" in said and "train/0" in said and "50.0%, and limits.unverifiable is 10.0%" in said


def test_nothing_is_said_where_nothing_failed_and_no_limit_trains_on_nothing():
    assert enforce(found(Quiz(("4",))), limit=0.0, split="train") is None
    with pytest.raises(r1sdk.R1Error):
        enforce(found(Quiz(("bad", "bad"))), limit=1.0, split="train")


def test_what_was_found_reads_back_from_its_file():
    checked = found(Quiz(("bad", "4")))
    assert GoldCheck.from_json(json.loads(json.dumps(checked.to_json()))) == checked


@pytest.fixture
def problems(tmp_path):
    """A file of sums in which one gold answer of twenty cannot be read, at row 3."""
    file = tmp_path / "sums.jsonl"
    rows = [{"problem": f"What is {n} + {n}?", "answer": r"\foo{" if n == 3 else str(2 * n)} for n in range(1, 21)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def train(run_r1, small, problems, out, *more):
    return run_r1(
        *("train", "--env", "file", "--model", "tiny_blank", "--steps", "2", *small[2:], "--out", out),
        *("--set", f"env.options.source={problems}", "--set", "env.options.test_share=0", *more),
    )


def test_a_run_leaves_out_what_cannot_be_verified_and_warns_once(run_r1, small, problems, tmp_path):
    said = train(run_r1, small, problems, tmp_path / "run")
    assert said.code == 0, said.err
    assert "1 of 20 gold answers cannot be verified" in said.err and "train/row 3" in said.err
    folder = RunFolder.open(tmp_path / "run")
    (warning,) = folder.metrics("warning")[:1]
    assert warning["name"] == "gold" and "train/row 3" in warning["text"]
    assert folder.gold()["faults"][0]["index"] == 2
    seen = {rollout["task"]["id"] for rollout in folder.rollouts()}
    assert seen and "train/row 3" not in seen
    assert {rollout["verdict"]["status"] for rollout in folder.rollouts()} == {"ok"}
    resumed = run_r1("train", "--resume", tmp_path / "run", "--steps", "3")
    assert resumed.code == 0, resumed.err
    assert len([line for line in RunFolder.open(tmp_path / "run").metrics("warning") if line["name"] == "gold"]) == 1


def test_a_run_stops_before_the_model_is_loaded_where_too_many_cannot_be(run_r1, small, problems, tmp_path):
    said = train(run_r1, small, problems, tmp_path / "run", "--set", "limits.unverifiable=0.01")
    assert said.code == 1
    assert "1 of 20 gold answers cannot be verified" in said.err and "limits.unverifiable is 1.0%" in said.err
    assert not (tmp_path / "run" / "base_model").exists()
    assert RunFolder.open(tmp_path / "run").status()["state"] == "failed"


def test_an_evaluation_leaves_nothing_out_and_counts_what_it_could_not_judge(run_r1, problems, tmp_path):
    said = run_r1(
        *("eval", "tiny_blank", "--env", "file", "--split", "train", "--tasks", "20", "--json"),
        *("--set", f"env.options.source={problems}", "--set", "env.options.test_share=0"),
        *("--set", "generation.max_tokens=4", "--out", tmp_path / "eval"),
    )
    assert said.code == 0, said.err
    result = json.loads(said.out)["results"]["tiny_blank"]["file"]
    assert result["statuses"] == {"ok": 19, "unverifiable": 1} and result["accuracy"]["n"] == 19


@dataclass(frozen=True)
class Careless(Quiz):
    """Takes any answer that begins as the gold answer does."""

    async def verify(self, rollout):
        return float((r1sdk.extract_answer(rollout.completion.text) or "").startswith(rollout.task.answer[:1]))

    def wrong_replies(self, task):
        yield f"<answer>{'9' if task.answer[0] != '9' else '8'}</answer>"
        yield f"<answer>{task.answer[:1]}0000</answer>"


def test_a_gold_answer_that_pays_a_wrong_answer_too_is_a_suspect_and_named_with_it():
    checked = check_gold(Quiz(("42", "5")).tasks("train"), Careless(("42", "5")))
    assert checked.faults == () and checked.probed == 2
    assert [(s.index, s.answer, s.variant) for s in checked.suspects] == [(0, "42", "40000"), (1, "5", "50000")]
    assert GoldCheck.from_json(json.loads(json.dumps(checked.to_json()))) == checked
    assert "leave" not in enforce_suspects(checked, "keep", "train")
    with pytest.raises(
        r1sdk.R1Error, match=r"train/0: answer '42': '40000' earns 1.0 too(.|\n)*limits.suspect is stop"
    ):
        enforce_suspects(checked, "stop", "train")
    with pytest.raises(r1sdk.R1Error, match="nothing is left"):
        enforce_suspects(checked, "leave_out", "train")
    assert enforce_suspects(found(Quiz(("42",))), "stop", "train") is None


def test_of_a_large_split_a_sample_is_tried():
    environment = Careless(("42",) * (2 * PROBED + 100))
    checked = check_gold(environment.tasks("train"), environment)
    assert PROBED / 2 <= checked.probed <= PROBED and len(checked.suspects) == checked.probed


def test_the_gold_answers_of_real_data_sets_pay_no_wrong_answer(tmp_path):
    rows = [
        r"48,\!048",
        "9 (apples)",
        r"3+4\mathrm{i}",
        r"3;$\frac{5}{7}$",
        "2 hours 30 minutes",
        r"\text{B,E}",
        r"6.63 \times 10^{-34}",
    ]
    file = tmp_path / "golds.jsonl"
    file.write_text("".join(json.dumps({"problem": f"p{n}", "answer": gold}) + "\n" for n, gold in enumerate(rows)))
    environment = r1sdk.load_plugins().build("environment", "file", {"source": str(file), "test_share": 0.0})
    checked = found(environment)
    assert (checked.checked, checked.faults, checked.suspects, checked.probed) == (7, (), (), 7)


def test_a_run_leaves_out_suspects_or_keeps_them(run_r1, small, tmp_path):
    """The verdicts of math-verify as they are: it takes any equation for the value on its right."""
    file = tmp_path / "sums.jsonl"
    rows = [
        {"problem": f"What is {n} + {n}?", "answer": r"$\frac{1}{2^{99}}$" if n == 3 else str(2 * n)}
        for n in range(1, 13)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    trl = ("--set", "env.options.verifier={name: maths, options: {mode: trl}}")
    said = train(run_r1, small, file, tmp_path / "left", *trl)
    assert said.code == 0, said.err
    assert "1 of 12 gold answers pay a wrong answer too" in said.err and "left out of training" in said.err
    seen = {rollout["task"]["id"] for rollout in RunFolder.open(tmp_path / "left").rollouts()}
    assert "train/row 3" not in seen
    said = train(run_r1, small, file, tmp_path / "kept", *trl, "--set", "limits.suspect=keep")
    assert said.code == 0 and "limits.suspect is keep" in said.err, said.err
