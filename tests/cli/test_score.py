"""`r1 score`: rewards and verdicts of saved completions, from files of other people's and our own."""

import json
import pickle
import shlex
import subprocess
import sys
from dataclasses import dataclass

import pytest

from r1sdk import Completion, R1Error, RewardError, Rollout, Task, Verdict, group_reward
from r1sdk.evaluation.rescore import Tally, rescore
from r1sdk.records import Score
from r1sdk.storage.rollout_rows import CompletionColumns, UnsavedTokens, count_rows, read_groups
from r1sdk.storage.run_folder import rollout_line

RIGHT, WRONG, LOOSE = "<think>a</think><answer>1+2</answer>", "<think>a</think><answer>1+1</answer>", "1+2"
GAME = {"nums": [1, 2], "target": 3}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def attempt(name, text=RIGHT, tokens=5, value=1.0):
    completion = Completion([{"role": "assistant", "content": text}], list(range(tokens)), "length")
    return Rollout(Task([{"role": "user", "content": "?"}], None, GAME, name), completion, Verdict(value, reason="so"))


def saved(rollout, **more):
    return rollout_line(rollout, Score({}, 0.0), **more)


def flat(path, *arguments):
    return [rollout for group in read_groups(path, *arguments) for rollout in group]


# Reading


def test_columns_become_a_task_and_a_completion_and_the_rest_its_info(tmp_path):
    row = {"prompt": "1+1?", "completion": "2", "answer": 2, "level": 5, "tags": ["a"]}
    (rollout,) = flat(write(tmp_path / "a.jsonl", row))
    assert rollout.task == Task([{"role": "user", "content": "1+1?"}], "2", {"level": 5, "tags": ["a"]})
    assert rollout.completion == Completion([{"role": "assistant", "content": "2"}])
    assert rollout.verdict is None


def test_columns_go_by_other_names_when_told_so(tmp_path):
    file = write(tmp_path / "a.jsonl", {"problem": "1+1?", "output": "2", "gold": "2", "prompt": "other"})
    (rollout,) = flat(file, CompletionColumns("problem", "output", "gold"))
    assert (rollout.task.prompt[0]["content"], rollout.completion.text, rollout.task.answer) == ("1+1?", "2", "2")
    assert rollout.task.info == {"prompt": "other"}


def test_prompts_and_completions_may_be_messages_and_info_an_object(tmp_path):
    messages = [{"role": "assistant", "content": "2"}]
    (rollout,) = flat(write(tmp_path / "a.jsonl", {"prompt": messages, "completion": messages, "info": GAME, "x": 1}))
    assert rollout.task.prompt == rollout.completion.messages == messages
    assert rollout.task.info == {**GAME, "x": 1}


def test_our_own_rollouts_come_back_with_verdict_and_number_of_tokens(tmp_path):
    (rollout,) = flat(write(tmp_path / "a.jsonl", saved(attempt("t/1"), step=3)))
    assert (rollout.task, rollout.verdict) == (attempt("t/1").task, attempt("t/1").verdict)
    assert rollout.completion.finish == "length" and rollout.completion.text == RIGHT
    assert len(rollout.completion.token_ids) == 5


def test_token_ids_that_were_not_saved_cannot_be_read():
    ids = UnsavedTokens(4)
    for read in (list, set, lambda ids: ids[0], lambda ids: ids[1:], lambda ids: [*zip(ids, ids, strict=True)]):
        with pytest.raises(R1Error, match="not saved, only their number"):
            read(ids)
    assert len(ids) == 4
    assert pickle.loads(pickle.dumps(ids)) == ids == UnsavedTokens(4) != UnsavedTokens(5)  # to a worker process
    assert (len(UnsavedTokens(-5)), len(UnsavedTokens(10**30)), bool(UnsavedTokens(0))) == (0, sys.maxsize, False)


def test_a_tokenizer_makes_the_ids_again(tmp_path):
    file = write(tmp_path / "a.jsonl", saved(attempt("t/1", "abc")), {"completion": "ab"})
    assert [r.completion.token_ids for r in flat(file, None, lambda text: [ord(c) for c in text])] == [
        [97, 98, 99],
        [97, 98],
    ]


def sizes(path):
    return [len(group) for group in read_groups(path)]


def test_rows_of_one_prompt_side_by_side_are_a_group(tmp_path):
    rows = [{"prompt": prompt, "completion": "x"} for prompt in "aabbba"]
    assert sizes(write(tmp_path / "a.jsonl", *rows)) == [2, 3, 1]
    rows = [saved(attempt(name), step=step) for step, name in [(1, "a"), (1, "a"), (2, "a"), (2, "b")]]
    assert sizes(write(tmp_path / "b.jsonl", *rows)) == [2, 1, 1]


def test_rows_without_a_prompt_are_groups_of_one(tmp_path):
    assert sizes(write(tmp_path / "a.jsonl", *[{"completion": "x"}] * 3)) == [1, 1, 1]


def test_blank_lines_are_passed_over(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"completion": "a"}\n\n{"completion": "b"}\n')
    assert [r.completion.text for r in flat(file)] == ["a", "b"] and count_rows(file) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"completion": "a"', "line 2 is not JSON"),
        ("[1]", r"line 2 must be an object, got \[1\]"),
        ('{"completions": "a"}', r"line 2: no column 'completion'; did you mean 'completions'\?; name it with --comp"),
        ('{"completion": 5}', "line 2: a text or a list of messages is needed, got 5"),
        ('{"task": {"promt": []}, "completion": {"messages": []}}', "line 2: TypeError: .*promt"),
        ('{"task": {"prompt": []}, "completion": {"messages": []}, "verdict": {"value": 7}}', "line 2: ValueError: "),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path, line, message):
    file = tmp_path / "a.jsonl"
    file.write_text('{"completion": "a"}\n' + line + "\n")
    with pytest.raises(R1Error, match=message):
        flat(file)


def test_a_column_that_was_named_must_be_there(tmp_path):
    file = write(tmp_path / "a.jsonl", {"completion": "a", "solution": "1"})
    with pytest.raises(R1Error, match="no column 'solutoin'; did you mean 'solution'"):
        flat(file, CompletionColumns(answer="solutoin"))


def test_parquet_reads_as_json_lines_do(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"prompt": "?", "completion": str(i), "answer": "1", "nums": [1, i]} for i in range(600)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert flat(tmp_path / "a.parquet") == flat(write(tmp_path / "a.jsonl", *rows))
    assert count_rows(tmp_path / "a.parquet") == 600
    (tmp_path / "b.parquet").write_text("no")
    with pytest.raises(R1Error, match="is not parquet"):
        flat(tmp_path / "b.parquet")


# Scoring


HANGS = """
import r1sdk

def hangs(rollout):
    while True:
        pass

def down(rollout):
    raise r1sdk.Unavailable("no service")

@r1sdk.hookimpl
def r1_register_rewards(register):
    register("hangs", hangs)
    register("down", down)
"""


@dataclass(frozen=True)
class Sized:
    """How many completions the prompt has."""

    def __call__(self, rollouts):
        return [float(len(rollouts))] * len(rollouts)


class Half:
    def tasks(self, split):
        return []

    def verify(self, rollout):
        return 0.5


def test_groups_of_any_size_are_scored_whole_and_in_order():
    sizes = enumerate((1, 3, 2, 3, 1, 300))
    groups = [[attempt(f"t/{nth}", text=f"{nth}/{i}") for i in range(size)] for nth, size in sizes]
    done = [pair for some in rescore(groups, Half(), {"size": (group_reward(Sized)(), 1.0)}, chunk=4) for pair in some]
    assert [[r.completion for r in rollouts] for rollouts, _ in done] == [[r.completion for r in g] for g in groups]
    assert [[s.rewards["size"] for s in scores] for _, scores in done] == [[float(len(g))] * len(g) for g in groups]
    assert {r.verdict.value for rollouts, _ in done for r in rollouts} == {0.5}


def test_without_an_environment_the_saved_verdict_stands():
    rewards = {"verdict": (lambda rollout: rollout.verdict.value, 1.0)}
    ((rollouts, scores),) = next(rescore([[attempt("a", value=0.25)]], None, rewards))
    assert rollouts[0].verdict.reason == "so" and scores[0].total == 0.25


def test_groups_are_scored_as_they_are_read():
    read = []

    def groups():
        for i in range(1000):
            read.append(i)
            yield [attempt(str(i))]

    next(rescore(groups(), None, {}, chunk=10))
    assert len(read) == 10


def test_a_tally_counts_prompts_and_keeps_none_apart():
    tally = Tally()
    tally.add([attempt("a"), attempt("a")], [Score({"x": 1.0}, 1.0), Score({"x": 0.0}, 0.0)])
    tally.add([attempt("b")], [Score({"x": None}, 0.0)])
    tally.add([attempt("c")], [Score({"x": None}, 0.0, {"x": "timeout"}, {"x": 1.0}, {"x": "no result within 1 s"})])
    assert (tally.completions, tally.prompts) == (4, 3)
    assert str(tally.mean("x")) == "0.500 (n=1)"
    assert tally.distribution("x") | {"stderr": None} == {
        "mean": 0.5,
        "stderr": None,
        "n": 1,
        "min": 0.0,
        "max": 1.0,
        "none": 2,
        "timeout": 1,
        "error": 0,
    }
    assert tally.mean("other").mean is None


# The command


def one(r1, text, *more):
    return r1("score", "--env", "countdown", "--text", text, "--info", json.dumps(GAME), *more)


def test_one_completion_is_shown_with_its_answer_and_the_reason(r1):
    said = one(r1, WRONG, "--rewards", "accuracy,format")
    assert said.code == 0 and said.err == ""
    header, row = said.out.splitlines()
    assert header.split() == ["row", "verdict", "answer", "reason", "accuracy", "format", "total"]
    assert row.startswith("1    0.000 ok  1+1     uses 1 twice, given once  0.000     1.000   1.000")


def test_settings_are_options_of_the_environment_that_a_flag_names(r1):
    info = json.dumps({"nums": [1, 2, 4], "target": 3})  # one number is left over
    arguments = ("score", "--env", "countdown", "--text", RIGHT, "--info", info, "--json")
    values = [
        json.loads(r1(*arguments, *more).out)["rewards"]["accuracy"]["mean"]
        for more in ((), ("--set", "env.options.use_all=false"))
    ]
    assert values == [0.0, 1.0]


def test_the_default_rewards_are_accuracy_and_format(r1):
    assert one(r1, RIGHT).out.splitlines()[-1].split()[-3:] == ["1.000", "1.000", "2.000"]
    assert one(r1, LOOSE).out.splitlines()[-1].split()[-3:] == ["0.000", "0.000", "0.000"]


def test_a_reward_that_was_not_priced_says_so_instead_of_a_number(r1, install, tmp_path, monkeypatch):
    install(tmp_path, "r1-hangs", HANGS)
    monkeypatch.syspath_prepend(tmp_path)
    said = one(r1, RIGHT, "--set", "rewards=[accuracy, {name: hangs, timeout_s: 0.3}, down]")
    assert said.code == 0 and said.out.splitlines()[1].split()[-4:] == ["1.000", "timeout", "error", "1.000"]
    (row,) = json.loads(one(r1, RIGHT, "--rewards", "accuracy,down", "--json").out)["rows"]
    assert row["statuses"] == {"down": "error"} and row["reasons"] == {"down": "no service"}


def test_json_has_the_means_and_the_rows(r1):
    said = json.loads(one(r1, RIGHT, "--rewards", "accuracy=2", "--json").out)
    assert said["rewards"]["accuracy"]["mean"] == 1.0 and said["total"]["mean"] == 2.0
    assert said["verdicts"] == {"ok": 1} and said["completions"] == said["prompts"] == 1
    (row,) = said["rows"]
    assert (row["verdict"], row["answer"], row["reason"], row["rewards"]) == (1.0, "1+2", "", {"accuracy": 1.0})


@pytest.mark.parametrize(
    ("least", "code"),
    [
        (["accuracy=0.5"], 0),
        (["accuracy=0.51"], 1),
        (["accuracy=0.5", "format=0.9"], 1),
        (["total=1.25"], 0),
        (["total=1.26"], 1),
    ],
)
def test_a_mean_below_its_minimum_is_exit_status_1(r1, tmp_path, least, code):
    rows = [{"prompt": str(i), "completion": t, **GAME} for i, t in enumerate([RIGHT, WRONG, LOOSE, RIGHT])]
    flags = [flag for value in least for flag in ("--min", value)]
    said = r1("score", write(tmp_path / "a.jsonl", *rows), "--env", "countdown", *flags)
    assert said.code == code
    assert said.err.startswith("below --min: ") if code else said.err == ""
    assert "accuracy  0.500 ± 0.289 (n=4)" in said.out and "verdicts: 4 ok" in said.out


def test_what_was_never_measured_is_below_its_minimum(r1):
    said = r1("score", "--text", "1", "--rewards", "language_consistency", "--min", "language_consistency=-9")
    assert said.code == 1 and "not measured" in said.err


def test_a_file_is_shown_in_part_and_written_whole(r1, tmp_path):
    rows = [{"completion": RIGHT, **GAME}] * 5
    file = write(tmp_path / "a.jsonl", *rows)
    said = r1("score", file, "--env", "countdown", "--show", "2", "--out", tmp_path / "b.jsonl")
    assert "... and 3 more" in said.out and "5 completions of 5 prompts" in said.out
    lines = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert len(lines) == 5 and lines[0]["rewards"] == {"accuracy": 1.0, "format": 1.0}
    again = r1("score", tmp_path / "b.jsonl", "--show", "0")  # what it wrote reads back, verdicts and all
    assert again.code == 0 and "accuracy  1.000" in again.out and "row" not in again.out
    assert "choose another --out" in r1("score", file, "--env", "countdown", "--out", file).err


def test_a_run_folder_brings_its_environment_rewards_and_limit(r1, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    rewards = "rewards: [accuracy, soft_overlong]\n"
    (run / "recipe.yaml").write_text(f"model: tiny\nenv: countdown\n{rewards}generation: {{max_tokens: 10}}\n")
    write(run / "rollouts.jsonl", saved(attempt("a", WRONG, tokens=10)), saved(attempt("b", RIGHT, tokens=2)))
    said = r1("score", run, "--json")
    assert [row["rewards"] for row in json.loads(said.out)["rows"]] == [
        {"accuracy": 0.0, "soft_overlong": -1.0},
        {"accuracy": 1.0, "soft_overlong": 0.0},
    ]


def test_what_the_completions_do_not_say_is_asked_for(r1, tmp_path):
    file = write(tmp_path / "a.jsonl", {"completion": RIGHT, **GAME})
    assert "name its environment with --env" in r1("score", file).err
    said = r1("score", "--text", RIGHT, "--env", "countdown").err
    assert "verdict unverifiable: the info of the task has no whole numbers as nums and target" in said
    assert "with --info" in said
    limit = r1("score", file, "--rewards", "soft_overlong")
    assert limit.code == 1 and "takes its option 'max_tokens' from the recipe key 'generation.max_tokens'" in limit.err
    known = ("--rewards", "soft_overlong", "--set", "generation.max_tokens=8")
    assert "count them with --tokenizer MODEL" in r1("score", file, *known).err
    counted = r1("score", file, *known, "--tokenizer", "tiny")
    assert counted.code == 0, counted.err
    assert "soft_overlong" in counted.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give a file of completions"),
        (["a.jsonl", "--text", "x"], 2, "give a file of completions"),
        (["no-such-file.jsonl"], 1, "no file no-such-file.jsonl"),
        (["."], 1, "is no run folder"),
        (["--text", "x", "--rewards", "fromat"], 1, "did you mean 'format'?"),
        (["--text", "x", "--env", "cuontdown"], 1, "did you mean 'countdown'?"),
        (["--text", "x", "--rewards", "format", "--info", "{"], 2, "--info is not JSON"),
        (["--text", "x", "--rewards", "format", "--info", "[]"], 2, "--info must be a JSON object"),
        (["--text", "x", "--rewards", "format", "--min", "format"], 2, "--min takes NAME=NUMBER"),
        (["--text", "x", "--rewards", "format", "--min", "fromat=1"], 2, "did you mean 'format'?"),
        (["--text", "x", "--rewards", "format", "--tokenizer", "tinny"], 1, "did you mean 'tiny'?"),
    ],
)
def test_a_mistake_is_one_message(r1, arguments, code, message):
    said = r1("score", *arguments)
    assert said.code == code and said.out == ""
    assert message in " ".join(said.err.replace("│", " ").split())


def test_an_empty_file_is_an_error(r1, tmp_path):
    (tmp_path / "a.jsonl").write_text("\n")
    assert "has no completions" in r1("score", tmp_path / "a.jsonl", "--rewards", "format").err


def test_a_reply_cannot_write_to_the_terminal(r1):
    said = one(r1, "<think>a</think><answer>\x1b[31m" + "9" * 100 + "</answer>")
    assert "\x1b" not in said.out and "…" in said.out


def test_ten_thousand_rows_are_scored_without_torch(tmp_path):
    rows = [{"prompt": str(i // 4), "completion": RIGHT, **GAME} for i in range(10_000)]
    file = write(tmp_path / "a.jsonl", *rows)
    rewards = "rewards=[accuracy, format, {name: length, options: {unit: characters}}]"
    arguments = ["r1", "score", str(file), "--env", "countdown", "--set", rewards]
    program = (
        f"import sys\nfrom r1_cli import main\nsys.argv = {arguments}\ntry:\n    main()\nfinally:\n"
        "    print([m for m in ('torch', 'transformers', 'trl', 'datasets', 'pyarrow') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "10000 completions of 2500 prompts" in done.stdout and done.stdout.splitlines()[-1] == "[]"


def test_a_reward_that_fails_says_where():
    def broken(rollout):
        raise KeyError("x")

    with pytest.raises(RewardError, match="reward 'broken' failed: KeyError"):
        list(rescore([[attempt("a")]], None, {"broken": (broken, 1.0)}))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env", "maths"], "give what the task needs with --answer, e.g. --answer "),
        (["--env", "countdown"], "give what the task needs with --info, e.g. --info "),
    ],
)
def test_a_completion_without_what_its_task_needs_is_answered_with_the_right_option(r1, arguments, said):
    advice = r1("score", "--text", "x", *arguments).err.strip().splitlines()[-1]
    assert said in advice
    words = shlex.split(advice)[-2:]
    again = r1("score", "--text", "x", *arguments, *words)
    assert again.code == 0 and "not scored" not in again.err


def test_a_table_that_score_does_not_read_is_refused_by_its_kind(r1, tmp_path):
    (tmp_path / "rows.csv").write_text("prompt,completion\na,b\n")
    said = r1("score", tmp_path / "rows.csv", "--rewards", "format")
    assert said.code == 1 and "reads JSON lines (.jsonl) and parquet" in said.err
