"""The viewer, driven by keys as a reader would, in a terminal that textual keeps in memory."""

import asyncio
import json
import re
import subprocess
import sys
import time

import pytest
from rich.text import Text

from r1_cli.viewer.app import ViewApp
from r1_cli.viewer.paint import HIT, difference, plain, rollout
from r1_cli.viewer.screens import DiffScreen, GroupScreen
from r1_cli.viewer.table import RolloutTable
from r1sdk import Completion, R1Error, Rollout, Score, Task, Verdict
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder

HOSTILE = "\x1b[2J\x1b]0;owned\x07<think>[bold red]x[/]\x00\x9b31m\u202e\r\nsecond\n</think><answer>1\x08+1</answer>"


def attempt(task, text, value):
    asked = Task([{"role": "user", "content": f"Make 3 for {task}."}], None, {}, task)
    return Rollout(
        asked, Completion([{"role": "assistant", "content": text}], [1, 2]), Verdict(value, extracted=text[-9:])
    )


def keep(folder, step, task, values):
    texts = [f"<think>\nstep {step} try {at}\n</think>\n<answer>{value}</answer>" for at, value in enumerate(values)]
    scores = [Score({"accuracy": value}, value) for value in values]
    folder.append_rollouts(step, [attempt(task, t, v) for t, v in zip(texts, values, strict=True)], scores)


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    keep(folder, 1, "train/1", [0.0, 1.0, 0.0, 0.0])
    keep(folder, 2, "train/2", [1.0, 1.0])
    one = [Score({"accuracy": 0.0}, 0.0)]
    folder.append_evaluation("before", [attempt("test/1", "<think>a b</think><answer>old words</answer>", 0.0)], one)
    folder.append_evaluation("after", [attempt("test/1", "<think>a b</think><answer>new words</answer>", 1.0)], one)
    folder.set_status("finished", done=2, total=2)
    return folder


def drive(folder, steps, text="", size=(140, 40)):
    """Run the viewer on `folder`, and `steps(app, pilot)` in it."""

    async def run():
        app = ViewApp(folder.path, text)
        async with app.run_test(size=size) as pilot:
            await settle(app, pilot)
            await steps(app, pilot)

    asyncio.run(run())


async def settle(app, pilot, shows=""):
    """Until nothing is loading and the terminal shows that text."""
    deadline = time.monotonic() + 60
    while True:
        await app.workers.wait_for_complete()
        await pilot.pause()
        if shows in screen(app):
            return
        assert time.monotonic() < deadline, f"{shows!r} is not shown"


def screen(app):
    """What the terminal shows, without its styles."""
    return re.sub(r"<[^>]+>", "\n", app.export_screenshot()).replace("&#160;", " ")


def words(app):
    """The words on the terminal, as if it had one long line."""
    return " ".join(
        " ".join("".join(s.text for s in strip) for strip in app.screen._compositor.render_strips()).split()
    )


def test_the_rollouts_of_a_run_are_listed_in_order_with_the_one_under_the_cursor_beside(folder):
    async def steps(app, pilot):
        table = app.query_one(RolloutTable)
        assert len(table.shown) == 8 and table.current.moment == "before"
        await pilot.press("down", "down")
        await settle(app, pilot)
        assert (table.current.step, table.current.task, table.current.value) == (1, "train/1", 1.0)
        shown = screen(app)
        assert "step 1 try 1" in shown and "Make 3 for train/1." in shown and "8 rollouts" in shown
        await pilot.press("end")
        assert table.current.moment == "after"

    drive(folder, steps)


def test_a_filter_that_is_typed_shows_what_it_names_and_a_wrong_one_says_so(folder):
    async def steps(app, pilot):
        await pilot.press("slash", *"verdict:right", "space", *"step:1-2", "enter")
        await settle(app, pilot)
        table = app.query_one(RolloutTable)
        assert [row.value for row in table.shown] == [1.0] * 3
        assert "3 of 8 rollouts" in screen(app)
        await pilot.press("slash", "x", "colon", "1", "enter")
        await settle(app, pilot)
        assert "is not a number" in screen(app) or "no filter" in screen(app)

    drive(folder, steps)


def test_a_filter_finds_words_in_the_completions(folder):
    async def steps(app, pilot):
        assert [row.moment for row in app.query_one(RolloutTable).shown] == ["after"]

    drive(folder, steps, text='"new words"')


def test_the_group_of_a_prompt_stands_side_by_side(folder):
    async def steps(app, pilot):
        await pilot.press("down", "g")
        await settle(app, pilot, "4 completions")
        assert isinstance(app.screen, GroupScreen) and len(app.screen.query(".column")) == 4
        assert "4 completions, 1 right, reward 0.250 ± 0.433" in screen(app)
        await pilot.press("escape")
        await settle(app, pilot, "8 rollouts")
        await pilot.press("end", "up", "up", "g")
        await settle(app, pilot, "zero variance: GRPO learns nothing from this group")

    drive(folder, steps)


def test_an_attempt_is_compared_with_the_same_task_at_another_step(folder):
    async def steps(app, pilot):
        await pilot.press("d")
        await settle(app, pilot, "before → after")
        assert isinstance(app.screen, DiffScreen)
        assert "before → after" in screen(app) and "old" in screen(app) and "new" in screen(app)
        await pilot.press("escape")
        await settle(app, pilot, "8 rollouts")
        await pilot.press("down")
        await settle(app, pilot, "step 1 try 0")
        await pilot.press("d")
        await settle(app, pilot, "attempted at no other step")

    drive(folder, steps)


def test_the_help_names_the_keys_and_the_filters(folder):
    async def steps(app, pilot):
        await pilot.press("question_mark")
        await settle(app, pilot)
        shown = screen(app)
        assert "word by word" in shown and "reward.format<1" in shown.replace("&lt;", "<")
        await pilot.press("escape", "s")
        await settle(app, pilot)
        assert "by reward" in screen(app) and app.table.current.total == 1.0

    drive(folder, steps)


def test_a_difference_marks_the_words_that_differ_and_loses_none():
    lines = [{"completion": {"messages": [{"content": text}]}} for text in ("one two\nthree", "one 2\nthree four")]
    old, new = difference(*lines)
    assert old.plain.split() == ["one", "two", "three"] and new.plain.split() == ["one", "2", "three", "four"]
    assert [old.plain[span.start : span.end].strip() for span in old.spans] == ["two"]
    assert [new.plain[span.start : span.end].split() for span in new.spans] == [["2"], ["four"]]


def test_a_run_that_is_being_written_is_followed(folder):
    folder.set_status("running", phase="training", done=2, total=5)

    async def steps(app, pilot):
        assert app.following and app.query_one(RolloutTable).current.moment == "after"
        (folder.evaluations / "after.jsonl").unlink()
        keep(folder, 3, "train/3", [1.0])
        deadline = time.monotonic() + 10
        while app.query_one(RolloutTable).current.step != 3 and time.monotonic() < deadline:
            await pilot.pause(0.1)
            await settle(app, pilot)
        assert app.query_one(RolloutTable).current.task == "train/3"
        assert "running, step 2 of 5" in screen(app)

    drive(folder, steps)


def test_what_a_model_wrote_reaches_the_terminal_as_plain_text_only(folder):
    folder.append_rollouts(9, [attempt("evil\x1b[2J", HOSTILE, 0.0)] * 2, [Score({"accuracy": 0.0}, 0.0)] * 2)

    async def steps(app, pilot):
        await pilot.press("end", "up")
        await settle(app, pilot)
        for key in ("", "g"):
            if key:
                await pilot.press(key)
                await settle(app, pilot)
            lines = [segment.text for strip in app.screen._compositor.render_strips() for segment in strip]
            assert any("[bold red]x[/]" in line for line in lines)  # markup is text
            assert not [c for line in lines for c in line if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]

    drive(folder, steps)


def test_control_and_format_characters_become_visible_and_letters_stay():
    assert plain("a\x1b[2J\x9b\u202e\ud800\x7f\tb\né 𝕏 漢") == "a‹ESC›[2J‹U+009B›‹RLO›‹U+D800›‹DEL›    b\né 𝕏 漢"
    assert plain("a\nb\tc", lines=False) == "a b c"


def test_hints_notes_and_help_are_whole_on_a_narrow_terminal(folder):
    async def steps(app, pilot):
        for hint in (
            "/ Filter",
            "n Next wrong",
            "p Previous wrong",
            "g Group",
            "d Diff",
            "e Export",
            "? Help",
            "q Quit",
        ):
            assert hint in words(app), hint
        await pilot.press("slash", *"reward.acuracy>1", "enter")
        await settle(app, pilot, "did you mean")
        assert "no reward 'acuracy'; did you mean 'accuracy'?; the rollouts have accuracy" in words(app)
        await pilot.press("escape", "end", "up", "d")
        await settle(app, pilot, "step:held-out")
        assert "attempted at no other step; the filter step:held-out lists tasks that were" in words(app)
        await pilot.press("question_mark")
        await settle(app, pilot)
        for told in ("wrong completion of the list", "reward.format<1", "esc Back"):
            assert told in words(app), told

    for width in (80, 60):
        drive(folder, steps, size=(width, 50))


def test_the_next_and_the_previous_wrong_rollout_are_a_key_away(folder):
    async def steps(app, pilot):
        table = app.query_one(RolloutTable)
        await pilot.press("home", "n", "n")
        assert table.cursor == 3 and table.current.value == 0.0  # over the right one at 2
        await pilot.press("p", "p", "p")
        await settle(app, pilot, "no wrong completion above this one")
        assert table.cursor == 0
        await pilot.press("end", "p", "g")
        await settle(app, pilot, "4 completions")
        await pilot.press("p")
        await pilot.pause()
        assert app.screen.at == 2
        await pilot.press("p")
        assert app.screen.at == 0

    drive(folder, steps)


def test_what_was_searched_is_highlighted(folder):
    async def steps(app, pilot):
        line = app.index.read(app.table.current)
        shown = rollout(app.table.current, line, app.filter.marked)
        hits = [
            text.plain[span.start : span.end]
            for text in shown.renderables
            if isinstance(text, Text)
            for span in text.spans
            if span.style == HIT
        ]
        assert sorted(hits) == ["Make 3", "new words"]

    drive(folder, steps, text='"NEW words" "make 3"')


def test_the_listed_rollouts_are_exported_by_a_key_and_by_a_flag(folder, r1, tmp_path):
    async def steps(app, pilot):
        await pilot.press("slash", *"verdict:right", "enter")
        await settle(app, pilot, "4 of 8 rollouts")
        await pilot.press("e")
        await settle(app, pilot, "selection.jsonl")
        await pilot.press("enter")
        await settle(app, pilot, "4 rollouts are in")
        await pilot.press("e", "enter")
        await settle(app, pilot, "choose another name")

    drive(folder, steps, size=(200, 40))
    by_key = folder.path / "selection.jsonl"
    by_flag = tmp_path / "deep" / "right.jsonl"
    said = r1("view", folder.path, "--filter", "verdict:right", "--export", by_flag)
    assert said.code == 0 and "4 of 8 rollouts are in" in said.err
    assert by_key.read_bytes() == by_flag.read_bytes()
    rows = [json.loads(line) for line in by_flag.read_text().splitlines()]
    assert [row["task"]["id"] for row in rows] == ["train/1", "train/2", "train/2", "test/1"]
    whole = folder.rollouts_file.read_bytes() + (folder.evaluations / "after.jsonl").read_bytes()
    assert all(line in whole for line in by_flag.read_bytes().splitlines(keepends=True))
    assert r1("view", by_flag, "--filter", "new", "--export", tmp_path / "again.jsonl").code == 0
    said = r1("view", folder.path, "--export", by_flag)
    assert said.code == 1 and "exists: choose another name" in said.err
    said = r1("view", folder.path, "--filter", "reward.acc>1", "--export", tmp_path / "none.jsonl")
    assert said.code == 1 and "no reward 'acc'" in said.err and not (tmp_path / "none.jsonl").exists()


def test_tasks_that_training_changed_are_a_filter(folder, r1, tmp_path):
    for change, count in (("learned", 2), ("lost", 0)):
        said = r1("view", folder.path, "--filter", f"change:{change}", "--export", tmp_path / f"{change}.jsonl")
        assert f"{count} of 8 rollouts" in said.err


def test_groups_are_sorted_by_the_std_of_their_rewards(folder):
    async def steps(app, pilot):
        await pilot.press("s", "s", "s")
        await settle(app, pilot, "sorted by group std")
        assert [row.task for row in app.table.shown][:4] == ["train/1"] * 4

    drive(folder, steps)


def test_a_narrow_terminal_has_the_rollout_under_the_list(folder):
    async def steps(app, pilot):
        table, detail = app.query_one("#table").region, app.query_one("#detail").region
        assert table.width == 70 and detail.y >= table.bottom

    drive(folder, steps, size=(70, 40))


def test_a_hundred_thousand_rollouts_are_on_the_screen_in_less_than_two_seconds(folder):
    folder.rollouts_file.write_bytes(folder.rollouts_file.read_bytes() * 16_700)

    async def run():
        started = time.process_time()  # other work of the machine does not count
        app = ViewApp(folder.path)
        async with app.run_test(size=(140, 40)) as pilot:
            await settle(app, pilot)
            first = time.process_time() - started
            while len(app.query_one(RolloutTable).shown) < 100_000:
                await settle(app, pilot)
            return first

    assert asyncio.run(run()) < 2.0


def test_a_viewer_without_a_terminal_or_a_run_says_what_to_do(folder, r1):
    said = r1("view", folder.path)
    assert said.code == 1 and f"r1 report {folder.path}" in said.err
    said = r1("view", folder.path / "none")
    assert said.code == 1 and "is no run folder" in said.err
    said = r1("view", folder.path, "--filter", "verdit:wrong")
    assert said.code == 1 and "did you mean 'verdict'" in said.err


@pytest.mark.parametrize("name", ["rollouts.jsonl", "evaluations/before.jsonl"])
def test_a_rollouts_file_that_cannot_be_read_is_named_before_the_viewer_opens(name, folder):
    (folder.path / name).unlink()
    (folder.path / name).mkdir()
    with pytest.raises(R1Error, match=f"cannot read .*{name}: Is a directory"):
        ViewApp(folder.path, "")


def test_another_file_that_cannot_be_read_is_named_above_the_rollouts(folder):
    folder.metrics_file.unlink(missing_ok=True)
    folder.metrics_file.mkdir()

    async def steps(app, pilot):
        assert len(app.query_one(RolloutTable).shown) == 8
        assert [text for text in app.lost if "metrics.jsonl: Is a directory" in text]

    drive(folder, steps)


def test_a_folder_of_several_runs_is_answered_with_the_runs_to_name(folder, r1):
    said = r1("view", folder.path.parent)
    assert said.code == 1 and f"such as {folder.path}" in said.err


def test_the_table_of_runs_shows_no_character_that_acts_on_a_terminal(tmp_path, r1):
    RunFolder.create(tmp_path / "a\u202eb\x1b[2J", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    said = r1("runs", "--root", tmp_path)
    assert "a‹RLO›b‹ESC›[2J" in said.out and "\x1b" not in said.out and "\u202e" not in said.out


@pytest.mark.parametrize("library", ["textual", "msgspec"])
def test_without_the_extra_the_command_says_how_to_have_it(library, folder):
    program = f"import sys; sys.modules[{library!r}] = None; sys.argv = ['r1', 'view', {str(folder.path)!r}]; import r1_cli; r1_cli.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "pip install 'r1sdk[view]'" in done.stderr and "Traceback" not in done.stderr
