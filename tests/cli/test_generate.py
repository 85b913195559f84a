"""`r1 generate`: what is kept, what is written, and that a kill loses nothing and repeats nothing."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from r1sdk import R1Error, RecipeError
from r1sdk.generation import Collected, Keep, LocalSource, ServerSource, collect, plan_of
from r1sdk.generation.journal import Journal
from r1sdk.generation.keep import Candidate
from r1sdk.generation.plan import server_of
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe
from r1sdk.records import Completion
from r1sdk.rollout.sampling import Sampling
from r1sdk.storage.rollout_rows import read_groups

SERVER = Path(__file__).parents[1] / "support" / "openai_server.py"


class Echo:
    """The server of `openai_server.py` in a process of its own."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), *map(str, options)], stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=10) as said:
            return json.load(said)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def echo():
    """Starts a server: `echo("--trouble", 0.1)`."""
    started = []

    def start(*options):
        started.append(Echo(*options))
        return started[-1]

    yield start
    for server in started:
        server.close()


def run_of(tasks=4, samples=1, server=None, keep="all", rewards="accuracy,format", **collected):
    collected |= {"tasks": tasks, "keep": keep, **({"server": server} if server else {})}
    return plan_run(
        Recipe(
            method="generate",
            model="echo" if server else "tiny_blank",
            env="countdown",
            rewards=rewards,
            generation={"samples": samples, "max_tokens": 32},
            collect=collected,
        ),
        load_plugins(),
    )


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


# Which answers are kept


def candidate(place, sample, value, total=0.0, tokens=10, digest=None):
    return Candidate(place, sample, value, total, tokens, digest or f"{place} {sample}".encode())


FOUR = [
    candidate(0, 0, 1.0, 1.1, 30),
    candidate(0, 1, 0.0, 0.1, 5),
    candidate(0, 2, 1.0, 1.2, 20),
    candidate(0, 3, None),
]
FOUR += [candidate(1, 0, 0.0, 0.0, 9), candidate(1, 1, 0.0, 0.3, 8)]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("all", ["00", "01", "02", "03", "10", "11"]),
        ("", ["00", "01", "02", "03", "10", "11"]),
        ("correct", ["00", "02"]),
        ("wrong", ["01", "10", "11"]),
        ("correct,shortest=1", ["02"]),
        ("shortest=1", ["01", "11"]),
        ("best=1", ["02", "11"]),
        ("best=2", ["00", "02", "10", "11"]),
        ("first=1", ["00", "10"]),
        ("pass_rate=0.5:0.9", ["00", "01", "02", "03"]),
        ("pass_rate=0:0", ["10", "11"]),
        ("correct, pass_rate=0.9:1", []),
    ],
)
def test_a_rule_keeps_what_it_says(rule, kept):
    chosen = Keep.parse(rule).choose(reversed(FOUR))
    assert [f"{c.place}{c.sample}" for c in chosen.kept] == kept


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("all", ["00", "01"]),
        ("first=2", ["00", "01"]),
        ("shortest=1", ["02", "01"]),
        ("best=1", ["02", "01"]),
        ("pass_rate=0:0.5", []),
    ],
)
def test_a_pair_is_a_right_and_a_wrong_answer_to_one_prompt(rule, kept):
    chosen = Keep.parse(rule, pairs=True).choose(reversed(FOUR))
    assert [f"{c.place}{c.sample}" for c in chosen.kept] == kept


def test_right_and_wrong_answers_are_paired_in_the_order_they_were_sampled():
    six = [candidate(0, sample, value) for sample, value in enumerate((0.0, 1.0, 0.5, 1.0, 1.0, None))]
    assert [c.sample for c in Keep.parse("all", pairs=True).choose(six).kept] == [1, 0, 3, 2]
    with pytest.raises(RecipeError, match="a pair is a right and a wrong answer"):
        Keep.parse("correct", pairs=True)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("corect", "did you mean 'correct'"),
        ("best", "best=N"),
        ("best=0", "best=N"),
        ("pass_rate=0.9:0.1", "write pass_rate=0.1:0.9"),
        ("pass_rate=0:0.5,pass_rate=0:1", "at most once"),
        ("correct,wrong", "one of correct, wrong and all"),
        ("best=1,shortest=1", "one of best, shortest and first"),
    ],
)
def test_a_rule_that_is_none_is_refused(rule, said):
    with pytest.raises(RecipeError, match=said):
        Keep.parse(rule)


def test_the_same_answer_to_the_same_prompt_is_kept_once_unless_told_otherwise():
    twice = [candidate(0, 0, 1.0, digest=b"a"), candidate(0, 1, 1.0, digest=b"a"), candidate(7, 0, 1.0, digest=b"a")]
    chosen = Keep.parse("correct").choose(twice)
    assert len(chosen.kept) == 1 and chosen.duplicates == 2
    assert len(Keep.parse("correct", duplicates=True).choose(twice).kept) == 3


# A journal


def test_what_a_kill_cut_is_cut_off_and_the_rest_is_there(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    assert list(journal.open()) == []
    journal.add((0, 0), {"text": "é\n"})
    journal.add((0, 1), {"text": "\ud800"})
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b'{"place": 1, "sam')
    again = Journal(journal.path)
    assert [line["text"] for line in again.open()] == ["é\n", "\ud800"]
    again.add((1, 0), {"text": "b"})
    assert again.read((0, 0))["text"] == "é\n" and again.read((1, 0))["text"] == "b"
    assert [line["place"] for line in Journal(journal.path).open()] == [0, 0, 1]
    with pytest.raises(R1Error, match="twice"):
        again.add((0, 1), {})


def test_a_journal_that_is_damaged_in_the_middle_is_refused(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"place": 0, "sample": 0}\nnonsense\n{"place": 1, "sample": 0}\n')
    with pytest.raises(R1Error, match="line 2 is not JSON"):
        list(Journal(file).open())


# A model in this process


class Counting:
    """A Generator: says how often it was asked, and fails when told to. The far side of a protocol."""

    def __init__(self, fail_at=None):
        self.asked, self.fail_at = [], fail_at

    def generate(self, prompts, sampling: Sampling):
        if self.fail_at is not None and len(self.asked) >= self.fail_at:
            raise KeyboardInterrupt
        self.asked += [prompt[-1]["content"] for prompt in prompts]
        return [
            [Completion([{"role": "assistant", "content": f"<answer>{len(self.asked)}</answer>"}], [1, 2, 3])]
            for _ in prompts
        ]


def test_a_second_call_asks_only_for_what_is_missing(tmp_path):
    run = run_of(tasks=6, samples=2)
    plan = plan_of(run, tmp_path / "made.jsonl")
    cut = Counting(fail_at=6)
    with pytest.raises(KeyboardInterrupt):
        collect(plan, LocalSource(cut, plan.sampling, batch=3))
    assert len(cut.asked) == 6
    rest = Counting()
    collected = collect(plan, LocalSource(rest, plan.sampling, batch=3))
    assert len(rest.asked) == 6 and collected.meter.done == 12 and not plan.out.with_suffix(".new").exists()
    assert Counter(cut.asked + rest.asked) == Counter({task.prompt[-1]["content"]: 2 for task in plan.tasks})
    assert len(lines(plan.out)) == len(collected.chosen.kept) >= 6
    more = Counting()
    collect(plan_of(run_of(tasks=7, samples=3), plan.out), LocalSource(more, plan.sampling))
    assert len(more.asked) == 7 * 3 - 12


def test_another_rule_chooses_anew_and_asks_nobody(tmp_path):
    plan = plan_of(run_of(tasks=3), tmp_path / "made.jsonl")
    collect(plan, LocalSource(Counting(), plan.sampling))
    nobody = Counting(fail_at=0)
    plan = plan_of(run_of(tasks=3, keep="correct"), plan.out)
    assert collect(plan, LocalSource(nobody, plan.sampling)).chosen.kept == [] and lines(plan.out) == []


def test_answers_made_with_other_settings_are_not_mixed(tmp_path):
    plan = plan_of(run_of(tasks=2), tmp_path / "made.jsonl")
    collect(plan, LocalSource(Counting(), plan.sampling))
    hotter = run_of(tasks=2)
    hotter = plan_run(hotter.recipe.model_copy(update={"seed": 5}), load_plugins())
    with pytest.raises(R1Error, match="made with seed 0, not 5"):
        collect(plan_of(hotter, plan.out), LocalSource(Counting(), plan.sampling))


# A server


def test_a_server_is_asked_and_what_it_cost_is_counted(echo, tmp_path):
    server = echo()
    run = run_of(tasks=5, samples=2, server={"url": server.url, "price": (1.0, 2.0), "concurrent": 4})
    plan = plan_of(run, tmp_path / "made.jsonl")
    collected = collect(plan, ServerSource(server_of(run.recipe)))
    assert collected.meter.prompt_tokens == 100 and collected.meter.completion_tokens == 200
    assert collected.cost == pytest.approx((100 * 1.0 + 200 * 2.0) / 1e6)
    assert collected.chosen.duplicates == 5 and len(lines(plan.out)) == 5
    for row, task in zip(lines(plan.out), plan.tasks, strict=True):
        assert row["prompt"] == task.prompt and task.prompt[-1]["content"] in row["completion"][0]["content"]
        assert row["tokens"] == 20 and row["correct"] == 0.0 and row["rewards"] == {"accuracy": 0.0, "format": 1.0}
    assert server.stats()["most_at_once"] <= 4
    card = plan.card.read_text()
    assert "| rows | 5, for 5 of 5 prompts |" in card and "r1 train --method sft" in card and "| cost | 0.00 |" in card


@pytest.mark.parametrize("kept", [0, 5])
def test_verdicts_of_answers_that_are_gone_are_dropped_and_those_answers_are_made_again(kept, tmp_path, capsys):
    plan = plan_of(run_of(tasks=8), tmp_path / "made.jsonl")
    before = collect(plan, LocalSource(Counting(), plan.sampling))
    answers = plan.work / "answers.jsonl"
    answers.write_text("".join(answers.read_text().splitlines(keepends=True)[:kept]))
    again = collect(plan, LocalSource(Counting(), plan.sampling))
    assert f"has verdicts of {8 - kept} answers that are gone" in capsys.readouterr().err
    assert {key: score.rewards for key, score in again.scores.items()} == {
        key: score.rewards for key, score in before.scores.items()
    }
    assert len(lines(plan.work / "verdicts.jsonl")) == 8


def test_settings_of_other_answers_are_named_by_their_file(tmp_path):
    plan = plan_of(run_of(), tmp_path / "made.jsonl")
    plan.work.mkdir()
    (plan.work / "settings.json").write_text("{}")
    with pytest.raises(R1Error, match=r"settings\.json: the answers beside it were made with"):
        collect(plan, LocalSource(Counting(), plan.sampling))


def test_a_server_that_refuses_stops_at_once_and_one_that_is_gone_stops_soon(echo, tmp_path):
    server = echo()
    run = run_of(tasks=400, server={"url": server.url + "/nowhere", "concurrent": 2})
    with pytest.raises(R1Error, match="HTTP 404"):
        collect(plan_of(run, tmp_path / "a.jsonl"), ServerSource(server_of(run.recipe)))
    run = run_of(tasks=400, server={"url": "http://127.0.0.1:9/v1", "retries": 0, "concurrent": 2})
    with pytest.raises(R1Error, match="in a row failed"):
        collect(plan_of(run, tmp_path / "b.jsonl"), ServerSource(server_of(run.recipe)))


def killed_twice(start_r1, server, folder, tasks, samples, concurrent, timeout_s):
    """The command, killed by SIGKILL when a third and two thirds of the answers are there, then left to end."""
    out = folder / "made.jsonl"
    answers = folder / "made.jsonl.work" / "answers.jsonl"
    command = ["generate", "echo", "--server", server.url, "--env", "countdown", "--tasks", tasks, "--samples", samples]
    command += [
        "--concurrent",
        concurrent,
        "--duplicates",
        "--out",
        out,
        "--set",
        f"collect.server.timeout_s={timeout_s}",
    ]
    command += ["--set", "collect.server.backoff_s=0.05", "--set", f"env.options.train_size={tasks}"]
    for share in (1 / 3, 2 / 3):
        process = start_r1(*command)
        while not answers.is_file() or answers.read_bytes().count(b"\n") < share * tasks * samples:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert not out.exists()
    process = start_r1(*command)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out, answers, err


def every_prompt_exactly_once(out, answers, tasks, samples):
    rows = lines(out)
    asked = Counter((row["id"], row["sample"]) for row in rows)
    assert asked == Counter({(f"train/{place}", sample): 1 for place in range(tasks) for sample in range(samples)})
    assert all(row["prompt"][-1]["content"] in row["completion"][0]["content"] for row in rows)
    kept = [(line["place"], line["sample"]) for line in lines(answers)]
    assert len(kept) == len(set(kept)) == tasks * samples


def test_killed_twice_with_a_bad_server_every_prompt_is_answered_exactly_once(echo, start_r1, tmp_path):
    server = echo("--trouble", 0.1, "--slow", 6)
    out, answers, err = killed_twice(start_r1, server, tmp_path, tasks=200, samples=2, concurrent=32, timeout_s=3)
    every_prompt_exactly_once(out, answers, 200, 2)
    stats = server.stats()
    assert sum(stats["troubles"].values()) > 10 and "requests asked again" in err
    assert stats["answered"] <= 400 + 2 * 32  # what was under way at a kill, and nothing else, was answered again


def test_interrupted_it_says_how_to_go_on_and_answers_that_do_not_come_are_told_of_at_the_end(echo, start_r1, tmp_path):
    server, out = echo("--delay", 0.3), tmp_path / "made.jsonl"
    command = ["generate", "echo", "--server", server.url, "--env", "countdown", "--tasks", 40, "--concurrent", 4]
    process = start_r1(*command, "--out", out)
    while not (tmp_path / "made.jsonl.work" / "answers.jsonl").is_file() or not server.stats()["answered"]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in err and "Traceback" not in err, err
    assert not out.exists()
    server.close()
    process = start_r1(*command, "--out", out, "--set", "collect.server.retries=0")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "answers did not come; the same command asks for them again" in err, err
    assert lines(out), "what was there is kept"


@pytest.mark.slow
def test_five_thousand_prompts_killed_twice_are_each_answered_exactly_once(echo, start_r1, tmp_path):
    server = echo("--trouble", 0.1, "--slow", 30, "--delay", 0.2)
    out, answers, _ = killed_twice(start_r1, server, tmp_path, tasks=5000, samples=1, concurrent=1000, timeout_s=15)
    every_prompt_exactly_once(out, answers, 5000, 1)
    assert server.stats()["answered"] <= 5000 + 2 * 1000


# What is written


def test_parquet_reads_back_as_json_lines_do(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    rows = {}
    for suffix in ("jsonl", "parquet"):
        plan = plan_of(run_of(tasks=3), tmp_path / f"made.{suffix}")
        assert isinstance(collect(plan, LocalSource(Counting(), plan.sampling)), Collected)
        rows[suffix] = [rollout for group in read_groups(plan.out) for rollout in group]
    table = pq.read_table(tmp_path / "made.parquet").to_pylist()
    assert [row["id"] for row in table] == ["train/0", "train/1", "train/2"]
    for one, other in zip(rows["jsonl"], rows["parquet"], strict=True):
        assert one.task.prompt == other.task.prompt and one.completion.messages == other.completion.messages
        assert one.task.info["nums"] == other.task.info["nums"]


def test_the_command_refuses_a_file_that_is_neither(r1):
    said = r1("generate", "tiny_blank", "--env", "countdown", "--out", "made.csv")
    assert said.code == 1 and ".jsonl or .parquet" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--keep", "pass_rate=0.8:0.2"], "begins above its end: write pass_rate=0.2:0.8"),
        (["--keep", "pass_rate=1:5"], "A up to B, from 0 to 1"),
        (["--public"], "--push OWNER/NAME"),
        (["--set", "evaluation.temperature=0.4"], "write --temperature 0.4"),
        (["--set", "trainer.max_steps=4"], "r1 generate does not read it"),
    ],
)
def test_what_a_generation_would_not_follow_is_refused_with_what_to_write(r1, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    refused = r1("generate", "tiny", "--env", "countdown", *arguments)
    assert refused.code in (1, 2) and said in refused.err and list(tmp_path.iterdir()) == []


def test_a_model_in_this_process_is_not_asked_and_not_asked_again(r1, tmp_path):
    short = ("--tasks", "1", "--max-tokens", "4", "--out", tmp_path / "g.jsonl")
    said = r1("generate", "tiny", "--env", "countdown", *short)
    assert said.code == 0 and "asked" not in said.err and "tokens " in said.err
