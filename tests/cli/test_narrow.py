"""The screens of the commands at 60 columns: no word is cut, no line is wider, and a pipe still gets whole lines."""

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from r1_command import QUIET
from rich.console import Console

from r1_cli.viewer.app import ViewApp
from r1_cli.viewer.table import RolloutTable
from r1sdk import Completion, Rollout, Score, Task, Verdict
from r1sdk.progress.follower import Follower
from r1sdk.progress.live import render
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder

WIDTH = 60
AT_TERMINAL = Path(__file__).parents[1] / "support" / "at_terminal.py"
END = "4"  # the code of Ctrl-D


def at_terminal(*arguments, cwd, prompt="nothing is typed"):
    """What a command prints at a terminal of `WIDTH` columns, line by line."""
    environment = {**os.environ, **QUIET, "COLUMNS": str(WIDTH), "TERM": "dumb"}
    program = [sys.executable, AT_TERMINAL, prompt, END, *map(str, arguments)]
    said = subprocess.run(program, capture_output=True, text=True, env=environment, cwd=cwd, timeout=90, check=True)
    return said.stdout.split("\n")


def make_run(path, **trainer):
    folder = RunFolder.create(
        path, load_recipe(None, {"model": "tiny", "env": "countdown", "trainer": {"max_steps": 80, **trainer}}), {}
    )
    folder.append_metrics({"kind": "step", "step": 80})
    for moment, value in (("before", 0.0), ("after", 1.0)):
        made = [
            Rollout(
                Task([{"role": "user", "content": f"Make {at}."}], None, {}, f"test/{at}"),
                Completion([{"role": "assistant", "content": "<think>a</think><answer>b</answer>"}], [1]),
                Verdict(value if at else 0.5, extracted="((12+34)-5)*(67-8)+90"),
            )
            for at in range(4)
        ]
        folder.append_evaluation(moment, made, [Score({"accuracy": value}, value)] * 4)
        folder.write_evaluation(moment, {"accuracy": {"mean": value / 2, "stderr": 0.125, "n": 4}})
    folder.set_status("finished", done=80, total=80)
    return folder


@pytest.fixture
def runs(tmp_path):
    for name, schedule in (("a-run-with-a-long-name", "constant_with_warmup"), ("b", "cosine_with_restarts")):
        make_run(tmp_path / "runs" / name, lr_scheduler_type=schedule, warmup_steps=10)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("train", "--help"),
        ("plugins",),
        ("recipes",),
        ("runs",),
        ("runs", "compare", "runs/a-run-with-a-long-name", "runs/b"),
        ("runs", "--root", "nowhere"),
        ("train", "--env", "countdwn"),
        ("train", "--env", "countdown", "--rewards", "accuracy,fromat", "--dry-run"),
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(runs, arguments):
    lines = at_terminal(*arguments, cwd=runs)
    assert len(lines) > 3
    assert [line for line in lines if len(line) > WIDTH] == []


def test_tasks_and_hints_of_a_chat_break_at_words(tmp_path):
    lines = at_terminal("chat", "--env", "countdown", cwd=tmp_path, prompt="answer> ")
    assert [line for line in lines if len(line) > WIDTH] == []
    assert "give only the final answer inside <answer> and </answer>." in " ".join(lines)


def test_names_are_beside_their_text_or_above_it(tmp_path):
    rewards = at_terminal("plugins", "--kind", "reward", cwd=tmp_path)
    at = next(at for at, line in enumerate(rewards) if line.startswith("  accuracy "))
    assert rewards[at][24:].startswith("The environment's verdict")
    assert rewards[at + 1].startswith(" " * 24) and rewards[at + 1][24] != " "
    recipes = at_terminal("recipes", cwd=tmp_path)
    at = recipes.index("countdown/tiny")
    assert recipes[at + 1].startswith("    GRPO from the embedded model")
    assert recipes[-5].startswith("next: r1 recipes show") and recipes[-4].startswith("      r1 train")


def test_a_run_and_its_settings_take_several_lines_and_no_figure_is_broken(runs):
    lines = at_terminal("runs", "compare", "runs/a-run-with-a-long-name", "runs/b", cwd=runs)
    assert "runs/a-run-with-a-long-name  finished" in lines
    assert any("80/80  0.000 ± 0.125 -> 0.500 ± 0.125" in line for line in lines)
    at = lines.index("  trainer.lr_scheduler_type")
    assert lines[at + 1] == '    "constant_with_warmup" -> "cosine_with_restarts"'


def test_a_pipe_gets_one_line_for_each_entry_whatever_the_width(r1, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    listed = json.loads(r1("recipes", "--json").out)["recipes"]
    assert len(r1("recipes").out.splitlines()) == len(listed)
    said = r1("plugins", "--kind", "reward").out.splitlines()
    assert len(said) == 1 + len(json.loads(r1("plugins", "--kind", "reward", "--json").out)["plugins"])


@pytest.mark.parametrize("width", [WIDTH, 80])
def test_the_live_view_shows_each_curve_whole_with_the_newest_steps(tmp_path, width):
    folder = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    folder.set_status("running", phase="training", done=60, total=80)
    steps = [
        {
            "kind": "step",
            "step": at,
            "step_seconds": 2.0,
            "loss": 0.01,
            "reward": float(at == 60),
            "rewards/accuracy/mean": 0.5,
            "rewards/format/mean": 0.999,
            "rewards/format/verdict_correlation": 0.15,
            "completions/mean_length": 123.4,
            "completions/clipped_ratio": 0.05,
            "frac_reward_zero_std": 0.25,
            "tokens_per_second": 1500.0,
            "time": time.time(),
        }
        for at in range(1, 61)
    ]
    folder.metrics_file.write_text("".join(json.dumps(step) + "\n" for step in steps))
    follower = Follower(folder)
    follower.refresh()
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(render(follower))
    lines = console.export_text(styles=False).splitlines()
    assert {len(line) for line in lines if line} == {width} and not any("…" in line for line in lines)
    (reward,) = (line for line in lines if line.startswith("│ reward "))
    assert "█  0.000 → 0.200" in reward
    assert any(line.startswith("│ zero-variance groups  ▁") and "25% → 25%" in line for line in lines)
    assert any("with verdict +0.15" in line for line in lines)


def test_the_viewer_marks_an_answer_that_has_no_room(tmp_path):
    folder = make_run(tmp_path / "run")

    async def drawn():
        app = ViewApp(folder.path, "")
        async with app.run_test(size=(WIDTH, 24)) as pilot:
            await app.workers.wait_for_complete()
            await pilot.pause(0.2)
            table = app.query_one(RolloutTable)
            return [table.render_line(y).text for y in range(3)]

    header, first, _ = asyncio.run(drawn())
    assert header.rstrip().endswith("answer") and first.rstrip().endswith("…")
    assert len(first) == WIDTH
