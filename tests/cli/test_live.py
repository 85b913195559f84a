"""The live view: what a run that is being written looks like, and that nothing a model wrote reaches the terminal raw."""

import io
import json
import time

import pytest
from rich.console import Console

from r1sdk import Completion, Rollout, Score, Task, Verdict
from r1sdk.progress.follower import Follower
from r1sdk.progress.live import BARS, CURVE, _Lines, curve, health, render, step_line, watch
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07<think>[bold red]\x00\x9b31m\u202e\r\n"
    + "line\n" * 40
    + "</think><answer>[/]1\x08+1</answer>"
)


def step(number, reward=0.5):
    return {
        "kind": "step",
        "step": number,
        "step_seconds": 2.0,
        "loss": 0.01,
        "reward": reward,
        "reward_std": 0.2,
        "rewards/accuracy/mean": reward,
        "rewards/format/mean": 1.0,
        "completions/mean_length": 123.4,
        "completions/clipped_ratio": 0.05,
        "frac_reward_zero_std": 0.25,
        "tokens_per_second": 1500.0,
    }


def attempt(text, verdict):
    return Rollout(
        Task([{"role": "user", "content": "Make 3 from 1 and 2."}]),
        Completion([{"role": "assistant", "content": text}]),
        verdict,
    )


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    folder.set_status("running", phase="training", done=3, total=80)
    return folder


def test_a_training_that_is_over_between_two_looks_has_its_number_of_steps(tmp_path):
    asked = {"model": "tiny", "env": "countdown", "trainer": {"max_steps": 1}}
    folder = RunFolder.create(tmp_path / "short", load_recipe(None, asked), {})
    folder.metrics_file.write_text(json.dumps({**step(1), "time": time.time() + 60}) + "\n")
    folder.set_status("running", phase="evaluating after training", done=0, total=9)
    stream = io.StringIO()
    follower = Follower(folder)
    with _Lines(stream) as view:
        view.show(follower, follower.refresh())
    assert "step 1/1 " in stream.getvalue()


def shown(follower, note=""):
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(render(follower, note))
    return console.export_text(styles=False), console.file.getvalue()


def test_a_reward_that_applied_nowhere_is_shown_as_none():
    line = step_line({**step(3), "rewards/format/mean": None}, 80)
    assert "accuracy 0.500" in line and "format none" in line
    assert "format none" in step_line({**step(3, reward=None), "rewards/format/mean": None}, 80)


def test_a_curve_rises_from_the_lowest_block_to_the_highest():
    assert curve([0.0, 1.0]).rstrip() == BARS[0] + BARS[-1]
    assert curve(list(range(8))).rstrip() == BARS
    assert curve([5.0]).rstrip() == curve([5.0, 5.0])[0]


@pytest.mark.parametrize("n", [1, 2, CURVE - 1, CURVE, CURVE + 1, 2 * CURVE + 7, 5000])
def test_a_curve_of_any_number_of_values_is_as_wide_as_it_should_be_and_keeps_its_order(n):
    line = curve([float(i) for i in range(n)])
    assert len(line) == CURVE
    assert list(line.rstrip()) == sorted(line.rstrip(), key=BARS.index)


def test_a_step_is_one_line_with_its_rewards_and_its_speed():
    line = step_line(step(12), 80)
    assert "\n" not in line
    assert line.startswith(
        "step 12/80  reward 0.500  accuracy 0.500  format 1.000  length 123  clipped 5.0%  zero variance 25%"
    )
    assert line.endswith("1500 tokens/s  2.0 s")
    assert step_line(step(12), None).startswith("step 12/? ")


def test_the_log_of_a_resumed_run_does_not_repeat_its_earlier_steps(folder, capsys):
    folder.append_metrics(step(1) | {"time": time.time() - 60})

    def poll():
        if not folder.metrics()[1:]:
            folder.append_metrics(step(2) | {"time": time.time()})
            return None
        return 0

    assert watch(folder, poll, lambda: None, every_s=0) == 0
    told = capsys.readouterr().err
    assert "step 2/80" in told
    assert "step 1/80" not in told


def test_what_a_reward_could_not_price_stands_beside_it_and_a_healthy_one_says_nothing():
    sick = {"rewards/format/timeout": 0.02, "rewards/format/none": 0.03, "rewards/format/error": 0.01}
    line = step_line(step(12) | sick, 80)
    assert "accuracy 0.500  format 1.000 (timeout 2.0%, error 1.0%)" in line
    measured = {"rewards/format/verdict_correlation": 0.25, "rewards/format/ms_p99": 40.0}
    assert health([step(1) | sick | measured], "format") == (
        "with verdict +0.25, none 3.0%, timeout 2.0%, error 1.0%, p99 40 ms"
    )
    assert (
        health([step(1) | {"rewards/accuracy/verdict_correlation": 1.0, "rewards/accuracy/none": 0.0}], "accuracy")
        == ""
    )


def test_a_step_of_sft_is_one_line_with_its_loss():
    line = step_line({"kind": "step", "step": 3, "loss": 1.2345, "step_seconds": 0.5}, 10)
    assert line.startswith("step 3/10  loss 1.2345")


def test_the_panel_shows_curves_progress_a_sample_warnings_and_the_note(folder):
    for number in (1, 2, 3):
        folder.append_metrics(step(number, number / 4))
    folder.append_metrics({"kind": "warning", "step": 3, "name": "flat", "text": "the reward is flat"})
    folder.append_rollouts(3, [attempt("<think>a</think><answer>1+2</answer>", Verdict(1.0))], [Score({}, 1.0)])
    follower = Follower(folder)
    follower.refresh()
    text, _ = shown(follower, "saving a checkpoint")
    for part in (
        "training",
        "3/80",
        "2:34 left",
        "reward",
        "0.500",
        "accuracy",
        "format",
        "123",
        "5.0%",
        "25%",
        "1500",
        "! the reward is flat",
        "Make 3 from 1 and 2.",
        "<answer>1+2</answer>",
        "right",
        "saving a checkpoint",
    ):
        assert part in text
    assert BARS[0] in text and BARS[-1] in text


@pytest.mark.parametrize(
    ("verdict", "mark"),
    [
        (Verdict(0.0, reason="uses 3 twice"), "wrong: uses 3 twice"),
        (Verdict(0.5), "wrong"),
        (Verdict(None, "error", reason="no sandbox"), "error: no sandbox"),
        (None, "1 and 2"),
    ],
)
def test_the_sample_is_marked_with_its_verdict(folder, verdict, mark):
    folder.append_metrics(step(1))
    folder.append_rollouts(1, [attempt("x", verdict)], [Score({}, 0.0)])
    follower = Follower(folder)
    follower.refresh()
    assert mark in shown(follower)[0]


def test_no_control_character_and_no_markup_of_a_sample_reaches_the_terminal(folder):
    folder.append_metrics(step(1))
    verdict = Verdict(0.0, reason="unexpected '\x1b[31m'\x07")
    folder.append_rollouts(1, [attempt(HOSTILE, verdict)], [Score({}, 0.0)])
    follower = Follower(folder)
    follower.refresh()
    text, raw = shown(follower)
    assert "[bold red]" in text and "[/]1" in text  # shown as they are, not obeyed
    assert "more lines" in text
    for hostile in ("\x1b[2J", "\x1b]0", "\x07", "\x00", "\x9b", "\x08", "\u202e"):
        assert hostile not in raw
    assert "\x1b[31m'" not in raw


def test_an_empty_run_can_be_shown(folder):
    folder.status_file.unlink()
    follower = Follower(folder)
    assert follower.refresh() == []
    shown(follower)


def test_only_whole_lines_are_read_and_each_once(folder):
    follower = Follower(folder)
    folder.append_metrics(step(1))
    text = json.dumps({**step(2), "note": "é"}, ensure_ascii=False).encode()
    cut = text.index("é".encode()) + 1  # inside the character
    with folder.metrics_file.open("ab") as file:
        file.write(text[:cut])
    assert [line["step"] for line in follower.refresh()] == [1]
    assert follower.refresh() == []
    with folder.metrics_file.open("ab") as file:
        file.write(text[cut:])
    assert follower.refresh() == []
    with folder.metrics_file.open("ab") as file:
        file.write(b"\n")
    assert [line["step"] for line in follower.refresh()] == [2]
    assert [line["step"] for line in follower.steps] == [1, 2]


def test_a_run_that_is_rewound_is_read_again(folder):
    follower = Follower(folder)
    for number in range(1, 6):
        folder.append_metrics(step(number))
    folder.append_metrics({"kind": "warning", "step": 5, "name": "flat", "text": "flat"})
    follower.refresh()
    assert len(follower.steps) == 5 and len(follower.warnings) == 1
    folder.rewind()  # no checkpoint: from the start
    folder.append_metrics(step(1))
    follower.refresh()
    assert [line["step"] for line in follower.steps] == [1] and follower.warnings == []


def test_the_newest_whole_rollout_is_the_sample(folder):
    follower = Follower(folder)
    folder.append_metrics(step(1))
    folder.append_rollouts(1, [attempt("old", Verdict(1.0)), attempt("new", Verdict(1.0))], [Score({}, 1.0)] * 2)
    with folder.rollouts_file.open("a") as file:
        file.write('{"step": 2, "ta')
    follower.refresh()
    assert follower.sample["completion"]["messages"][0]["content"] == "new"


def test_a_rollout_longer_than_the_tail_that_is_read_keeps_the_sample_before(folder):
    follower = Follower(folder)
    folder.append_metrics(step(1))
    folder.append_rollouts(1, [attempt("short", Verdict(1.0))], [Score({}, 1.0)])
    follower.refresh()
    folder.append_metrics(step(2))
    folder.append_rollouts(2, [attempt("x" * 100_000, Verdict(1.0))], [Score({}, 1.0)])
    follower.refresh()
    assert follower.sample["completion"]["messages"][0]["content"] == "short"


def test_a_log_gets_one_plain_line_a_step_and_ctrl_c_asks_the_worker_once_each_time(folder, capsys):
    asked = []
    folder.append_metrics(step(1))

    codes = iter([None, KeyboardInterrupt, None, 130])

    def poll():
        code = next(codes)
        if code is KeyboardInterrupt:
            raise KeyboardInterrupt
        return code

    assert watch(folder, poll, lambda: asked.append(1), every_s=0.0) == 130
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 1/80")
    assert any("saving a checkpoint after this step; Ctrl-C again stops at once" in line for line in lines)
    assert len(asked) == 1
    assert not any("\x1b" in line for line in lines)
