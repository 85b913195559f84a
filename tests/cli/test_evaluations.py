"""`r1 eval` whole: several models and environments, what is kept, what a kill costs, and how models are compared."""

import json
import math
import statistics
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from r1sdk import Completion, Rollout, RunError, Score, Task, Verdict
from r1sdk.evaluation.evaluation_folder import EvaluationFolder
from r1sdk.evaluation.evaluation_summary import summarize
from r1sdk.evaluation.statistics import difference, majority_at_k, student
from r1sdk.rollout.sampling import Sampling

PLAN = {"models": ["m", "n"], "envs": {"e": {}}}


class Seeded:
    """The far side of `Generator`: completion i of a prompt says the seed, the prompt and i."""

    def __init__(self, stop_after=math.inf):
        self.calls = 0
        self.stop_after = stop_after

    def generate(self, prompts, sampling):
        if self.calls >= self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        return [
            [
                Completion([{"role": "assistant", "content": f"{sampling.seed} {p[0]['content']} {i}"}], [0] * (i + 1))
                for i in range(sampling.samples)
            ]
            for p in prompts
        ]


def tasks(n, word="q"):
    return [
        Task([{"role": "user", "content": f"{word}{i}"}], str(i), {"category": "ab"[i % 2]}, str(i)) for i in range(n)
    ]


LAST_IS_RIGHT = SimpleNamespace(
    tasks=None,
    verify=lambda rollout: Verdict(
        float(rollout.completion.text.endswith(" 1")), extracted=rollout.completion.text[-1]
    ),
)
REWARDS = {"length": (lambda rollout: float(len(rollout.completion.token_ids)), 1.0)}


def run(folder, generator, model="m", some=None, sampling=None):
    return folder.evaluate(
        model, "e", some or tasks(200), LAST_IS_RIGHT, REWARDS, lambda: generator, sampling or Sampling(samples=2)
    )


def test_a_cut_evaluation_goes_on_and_ends_as_one_that_was_never_cut(tmp_path):
    whole = EvaluationFolder.open(tmp_path / "whole", PLAN)
    expected = run(whole, Seeded())
    cut = EvaluationFolder.open(tmp_path / "cut", PLAN)
    with pytest.raises(KeyboardInterrupt):
        run(cut, Seeded(stop_after=2))
    cut.close()
    file = cut.part("m", "e") / "rollouts.jsonl"
    assert len(file.read_text().splitlines()) == 256
    kept = file.read_text().splitlines(keepends=True)
    file.write_text("".join(kept[:200]) + kept[200][:50])  # a kill in the middle of a line, in the middle of a chunk
    again, generator = EvaluationFolder.open(tmp_path / "cut", PLAN), Seeded()
    assert run(again, generator) == expected and generator.calls == 3
    lines = [[json.loads(line) for line in f.part("m", "e").joinpath("rollouts.jsonl").open()] for f in (again, whole)]
    for line in (*lines[0], *lines[1]):
        del line["verdict"]["seconds"]
    assert lines[0] == lines[1]
    assert json.loads((again.part("m", "e") / "result.json").read_text())["accuracy"]["mean"] == 0.5
    assert run(again, Seeded(stop_after=0)) == expected  # nothing is left to do, so nothing is loaded


def test_other_settings_other_tasks_and_a_second_process_are_refused(tmp_path):
    folder = EvaluationFolder.open(tmp_path / "e", PLAN)
    with pytest.raises(RunError, match="in use"):
        EvaluationFolder.open(tmp_path / "e", PLAN)
    run(folder, Seeded())
    with pytest.raises(RunError, match="the tasks have changed"):
        run(folder, Seeded(), some=tasks(200, "other"))
    folder.close()
    with pytest.raises(RunError, match=r'models: \["m", "n"\], now \["m"\]'):
        EvaluationFolder.open(tmp_path / "e", {**PLAN, "models": ["m"]})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").touch()
    with pytest.raises(RunError, match="holds no evaluation"):
        EvaluationFolder.open(tmp_path / "other", PLAN)
    with pytest.raises(RunError, match="share one folder"):
        EvaluationFolder.open(tmp_path / "third", {**PLAN, "models": ["runs/a", "runs-a"]})


def test_models_are_compared_on_the_tasks_that_both_were_judged_on(tmp_path):
    folder = EvaluationFolder.open(tmp_path / "e", PLAN)
    run(folder, Seeded(), "m", tasks(20), Sampling(samples=4))
    run(folder, Seeded(), "n", tasks(20), Sampling(samples=2))
    gap = folder.compare("m", "n", "e")
    assert (gap.mean, gap.low, gap.high, gap.n, gap.better, gap.worse) == (0.25, 0.25, 0.25, 20, 20, 0)
    assert str(gap) == "+0.250 [+0.250, +0.250] (n=20; better on 20, worse on 0)"


def test_a_paired_interval_is_students_on_the_differences():
    first = {str(i): [float(i % 3 == 0)] for i in range(30)} | {"x": [None], "y": [1.0]}
    second = {str(i): [float(i % 2 == 0), 1.0] for i in range(30)} | {"x": [1.0]}
    gaps = [statistics.mean(second[str(i)]) - first[str(i)][0] for i in range(30)]
    found = difference(first, second)
    reach = 2.0452 * statistics.stdev(gaps) / math.sqrt(30)
    assert found.n == 30 and found.mean == pytest.approx(statistics.mean(gaps))
    assert (found.low, found.high) == pytest.approx((found.mean - reach, found.mean + reach), abs=1e-4)
    assert difference(first, {}).mean is None and "n=0" in str(difference(first, {}))


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (499, 1.9647)])
def test_students_quantiles_are_those_of_the_tables(freedom, quantile):
    assert student(0.975, freedom) == pytest.approx(quantile, abs=1e-4)


def votes(*groups):
    return [
        Verdict(float(a == "r"), extracted=a or None) if a != "?" else Verdict(None, "error") for g in groups for a in g
    ]


@pytest.mark.parametrize(
    ("groups", "mean"),
    [
        (["rrw", "wwr"], 0.5),
        (["rRw"], 0.5 * 2),  # the same text but for its case
        (["rw", "rr"], (0.5 + 1) / 2),  # a tie is shared
        (["??", "rr"], 1.0),  # what nobody judged is left out
        (["   ", "rrr"], 0.5),  # no answer is wrong
        (["rw", "rx"], None),  # nothing is voted on
    ],
)
def test_the_majority_is_the_most_frequent_answer(groups, mean):
    verdicts = [
        Verdict(float(a in "rR"), extracted=a.strip() or None) if a != "?" else Verdict(None, "error")
        for g in groups
        for a in g
    ]
    found = majority_at_k(verdicts, len(groups[0]))
    assert (found and found.mean) == mean


def test_one_sample_has_no_majority():
    assert majority_at_k(votes("r", "r"), 1) is None


def test_accuracy_is_parted_by_what_the_tasks_say_and_not_where_they_say_one_thing():
    some = tasks(6)
    rollouts = [Rollout(t, Completion([]), Verdict(float(t.info["category"] == "a"))) for t in some for _ in range(2)]
    found = summarize(rollouts, [Score({}, 0.0)] * 12, Sampling(samples=2))
    assert {name: (e.mean, e.n) for name, e in found.categories["category"].items()} == {"a": (1.0, 3), "b": (0.0, 3)}
    assert summarize(rollouts[::2], [Score({}, 0.0)] * 6, Sampling(), by=["env"]).categories == {}


def test_several_models_on_several_environments_are_printed_kept_and_resumed(r1, tmp_path):
    command = (
        *("eval", "tiny", "tiny_blank", "--env", "countdown,maths", "--tasks", "2", "--samples", "2", "--top-p", "0.9"),
        *(
            "--option",
            "maths.level=1",
            "--option",
            "countdown.level=easy",
            "--set",
            "generation.max_tokens=8",
            "--out",
            tmp_path / "e",
        ),
    )
    said = r1(*command)
    assert said.code == 0, said.err
    for line in ("tiny on countdown", "tiny_blank on maths", "avg@2", "pass@2", "tiny_blank minus tiny", "by category"):
        assert line in said.out
    assert "maths: Mathematics, level 1" in said.err and "temperature 1, top-p 0.9, 8 tokens" in said.err
    summary = json.loads((tmp_path / "e" / "summary.json").read_text())
    assert summary["results"]["tiny"]["maths"]["settings"]["top_p"] == 0.9
    assert summary["differences"]["to"]["tiny_blank"]["maths"]["n"] == 2
    assert len((tmp_path / "e" / "tiny_blank" / "maths" / "rollouts.jsonl").read_text().splitlines()) == 4
    again = r1(*command, "--json")
    assert again.code == 0 and json.loads(again.out) == summary
    other = r1(*command, "--seed", "1")
    assert other.code == 1 and "holds an evaluation with other settings" in other.err


def test_everything_at_fault_is_named_before_a_model_is_loaded(r1, tmp_path):
    said = r1("eval", "nosuch", "other", "--env", "maths,cuntdown", "--out", tmp_path / "e")
    assert said.code == 1 and all(s in said.err for s in ("'countdown'", "no model 'nosuch'", "no model 'other'"))
    assert not (tmp_path / "e").exists()
    assert "takes ENV.KEY=VALUE" in r1("eval", "tiny", "--env", "maths", "--option", "level=1").err
    assert "is for one environment" in r1("eval", "--env", "maths,countdown", "--set", "env.options.level=1").err


def test_a_benchmark_is_taken_whole_and_sampled_as_its_reports_are_unless_told_otherwise(tmp_path):
    from r1sdk.api.evaluation_setup import set_up
    from r1sdk.plugins.loading import load_plugins

    file = tmp_path / "aime.jsonl"
    file.write_text("".join(json.dumps({"problem": f"q{i}", "answer": str(i)}) + "\n" for i in range(230)))

    def bench(sets=(), **asked):
        return set_up(load_plugins(), ["tiny"], ["aime24"], sets, [f"aime24.source={file}"], {}, asked).benches[0]

    found = bench()
    assert (found.sampling.temperature, found.sampling.top_p, found.sampling.samples, len(found.tasks)) == (
        0.6,
        0.95,
        64,
        230,
    )
    told = bench(["evaluation.top_p=0.5"], samples=2, temperature=0.0, tasks=3)
    assert (told.sampling.temperature, told.sampling.top_p, told.sampling.samples, len(told.tasks)) == (0.0, 0.5, 2, 3)


@pytest.fixture
def echo():
    """The server of openai_server.py, a tenth of whose answers fail at first: the far side, faked, over real connections."""
    command = [
        sys.executable,
        str(Path(__file__).parents[1] / "support" / "openai_server.py"),
        "--trouble",
        "0.1",
        "--slow",
        "0.2",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    process.wait()
    process.stdout.close()


def test_models_on_a_server_are_evaluated_whatever_it_fails_at(r1, echo, tmp_path):
    command = (
        *("eval", "one", "two", "--env", "maths", "--tasks", "8", "--samples", "2", "--concurrent", "16"),
        *("--server", f"{echo}/v1", "--out", tmp_path / "e"),
    )
    said = r1(*command)
    assert said.code == 0 and "one on maths" in said.out and "two minus one" in said.out, said.err
    lines = [json.loads(line) for line in (tmp_path / "e" / "one" / "maths" / "rollouts.jsonl").open()]
    assert len(lines) == 16
    for line in lines:
        assert line["task"]["prompt"][-1]["content"] in line["completion"]["messages"][0]["content"]
    with urllib.request.urlopen(f"{echo}/stats", timeout=10) as found:
        answered = json.load(found)["answered"]
    assert answered == 32
    assert r1(*command).code == 0  # everything is kept: nobody is asked
    with urllib.request.urlopen(f"{echo}/stats", timeout=10) as found:
        assert json.load(found)["answered"] == answered


def test_a_server_that_is_gone_stops_the_evaluation_with_what_to_do(r1, tmp_path):
    command = (
        "eval",
        "m",
        "--env",
        "maths",
        "--tasks",
        "2",
        "--server",
        "http://127.0.0.1:9/v1",
        "--out",
        tmp_path / "e",
    )
    assert "name the model as the server calls it" in r1(*command[:1], *command[2:]).err
    bad = r1(*command[:-4], "--server", "nowhere", "--api-key-env", "NOSUCH_KEY", "--out", tmp_path / "e")
    assert bad.code == 1 and "base_url" in bad.err


SHORT = ("--set", "generation.max_tokens=8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tasks", "3"], ["envs.countdown.tasks: 2, now 3"]),
        (["--temperature", "0.5"], ["envs.countdown.sampling.temperature: 1.0, now 0.5"]),
        (["--set", "countdown.level=easy"], ['envs.countdown.options.level: not set, now "easy"']),
        (["--rewards", "accuracy=2,format"], ["envs.countdown.rewards.accuracy.weight: 1.0, now 2.0"]),
    ],
)
def test_another_evaluation_in_the_same_folder_is_refused_with_what_differs(r1, tmp_path, more, said):
    command = ("eval", "tiny", "--env", "countdown", *SHORT, "--out", tmp_path / "e")
    assert r1(*command, "--tasks", "2").code == 0
    other = r1(*command, *([] if "--tasks" in more else ["--tasks", "2"]), *more)
    assert other.code == 1 and "holds an evaluation with other settings" in other.err
    lines = [line.strip() for line in other.err.splitlines() if ", now " in line]
    assert lines == said


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("generation.temperature=0.3", "write --temperature 0.3"),
        ("generation.samples=4", "write --samples 4"),
        ("trainer.max_steps=3", "r1 eval does not read it"),
        ("lora.rank=3", "r1 eval does not read it"),
        ("evaluation.during=2", "r1 eval does not read it"),
    ],
)
def test_a_setting_that_an_evaluation_does_not_read_is_refused(r1, setting, said):
    other = r1("eval", "tiny", "--env", "countdown", "--tasks", "2", "--set", setting)
    assert other.code == 1 and f"--set {setting}: {said}" in other.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tiny", "--env", "countdown", "--by", "foo"], "--by foo: no task has that in its info"),
        (["tiny", "--env", "countdown", "--temperature", "nan"], "--temperature"),
        (["tiny", "--env", "countdown", "--set", "evaluation.temperature=nan"], "takes a finite number"),
        (["runs/nope", "--env", "countdown"], "no run folder 'runs/nope'"),
        ([], "r1 eval tiny --env countdown"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_and_leaves_nothing(r1, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    other = r1("eval", *arguments)
    assert other.code in (1, 2) and said in other.err and list(tmp_path.iterdir()) == []


def test_several_samples_at_temperature_0_are_said_to_be_the_same(r1, tmp_path):
    command = ("eval", "tiny", "--env", "countdown", "--tasks", "1", "--samples", "2", "--out", tmp_path / "e", *SHORT)
    assert (
        "note: temperature 0 is greedy: the 2 samples of a task are the same" in r1(*command, "--temperature", "0").err
    )
