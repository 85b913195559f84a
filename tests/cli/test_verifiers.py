"""The environment `verifiers`, on the library itself and on packages as their authors write them.

The library cannot live beside everything that our own tests need: all but the first tests are the suite `interop`, which is run
once with verifiers 0.3, that has both generations, and once with 0.4 (docs/other-frameworks.md).
"""

import ast
import asyncio
import json
import pickle
import signal
import sys
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice

import pytest
from programs_of_python import run_module
from verifiers_packages import MACHINE, SETUP, TOOLS, V0, V1, lay

import r1sdk
from r1_envs.verifiers_hub import Verifiers
from r1_envs.verifiers_hub.env_packages import load
from r1sdk.planning.build import build_environment
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.score_rollouts import score

INSTALLED = version("verifiers") if find_spec("verifiers") else ""
first_generation = pytest.mark.skipif(not INSTALLED.startswith("0.3"), reason="verifiers 0.3 has the first generation")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    lay(tmp_path, toy_sums=V0, new_sums=V1, machine_sums=MACHINE, tool_sums=TOOLS, setup_sums=SETUP)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("toy_sums", "new_sums", "machine_sums", "tool_sums", "setup_sums"):
        sys.modules.pop(name, None)
    load.cache_clear()


def judged(environment, task, *texts):
    rollouts = [r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}])) for text in texts]
    return [rollout.verdict for rollout in score(rollouts, environment, {})[0]]


# Without the library


@pytest.mark.skipif(bool(INSTALLED), reason="verifiers is installed")
def test_without_the_library_it_is_listed_and_says_what_to_install(r1):
    said = r1("train", "--env", "verifiers", "--set", "env.options.name=my-env", "--dry-run")
    assert said.code == 1 and "environment 'verifiers' needs: pip install 'r1sdk[verifiers]'" in said.err
    assert "verifiers " in r1("plugins", "--kind", "environment").out


def test_an_export_is_a_package_with_the_options_that_were_given(r1, tmp_path):
    out = tmp_path / "sums"
    said = r1("export", "verifiers", "countdown", "--set", "env.options.level=easy", "--out", out)
    assert said.code == 0 and "wrote" in said.out, said.err
    project = tomllib.loads((out / "pyproject.toml").read_text())["project"]
    assert project["name"] == "r1-countdown-verifiers" and "verifiers>=0.3,<0.5" in project["dependencies"]
    source = (out / "r1_countdown_verifiers.py").read_text()
    compile(source, "module", "exec")
    assert '{"level": "easy"}' in source and '__all__ = ["CountdownTaskset"]' in source
    assert max(map(len, source.splitlines())) <= 120


def test_an_option_with_any_signs_in_it_is_exported_as_it_is(tmp_path):
    from r1_cli.export import package

    options = {"system": "'''\\u0027 $name \"\"\" \\ \n {} it's"}
    source = package("countdown", "r1-countdown-verifiers", options)["r1_countdown_verifiers.py"]
    (line,) = (line for line in source.splitlines() if line.startswith("OPTIONS"))
    literal = line.partition("json.loads(")[2].removesuffix(")")
    assert json.loads(ast.literal_eval(literal)) == options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["countdwn"], "did you mean 'countdown'"),
        (["countdown", "--set", "env.options.levl=easy"], "did you mean 'level'"),
        (["guess"], "has tools or several turns, and what is written here judges one reply"),
        (["countdown", "--out", "."], "is there already, and nothing is overwritten"),
    ],
)
def test_what_cannot_be_exported_is_said(r1, arguments, message):
    said = r1("export", "verifiers", *arguments)
    assert said.code == 1 and message in said.err


# The first generation


@first_generation
@pytest.mark.interop
def test_rows_are_tasks_and_the_rubric_is_the_verdict(packages):
    environment = Verifiers("toy-sums", test_size=20)
    task = next(environment.tasks("train"))
    assert task.prompt == [
        {"role": "system", "content": "Answer in tags."},
        {"role": "user", "content": "What is 0 + 1?"},
    ]
    assert (task.answer, task.id) == ("1", "train/0")
    right = "<think>\n0+1\n</think>\n<answer>\n1\n</answer>"
    values = [verdict.value for verdict in judged(environment, task, right, right.replace("1\n</a", "2\n</a"), "1")]
    assert values[0] == 1.0 and 0.0 < values[1] < 0.25 and values[2] < values[1]
    assert judged(environment, task, right)[0].reason.startswith("correct 1, format_reward_func 1: 1.25 of 1.25")
    assert [v.value for v in judged(Verifiers("toy-sums", reward="correct"), task, right, "1")] == [1.0, 0.0]
    assert "SingleTurnEnv" in environment.summary()


@first_generation
@pytest.mark.interop
def test_the_packages_own_test_rows_are_the_test_split_and_no_training_task_is_among_them(packages):
    environment = Verifiers("toy-sums")
    train, test = list(environment.tasks("train")), list(environment.tasks("test"))
    assert (len(train), len(test)) == (38, 12) and [task.answer for task in test][:2] == ["77", "79"]
    assert not {t.prompt[1]["content"] for t in train} & {t.prompt[1]["content"] for t in test}
    right = f"<think>\nso\n</think>\n<answer>\n{test[3].answer}\n</answer>"
    assert judged(environment, test[3], right)[0].value == 1.0
    parted = Verifiers("toy-sums", args={"held_out": False, "count": 200})
    train, test = list(parted.tasks("train")), list(parted.tasks("test"))
    assert len(train) + len(test) == 200 and 5 < len(test) < 40


@first_generation
@pytest.mark.interop
def test_a_reward_function_that_raises_is_no_zero_and_one_that_hangs_is_ended(packages):
    environment = Verifiers("toy-sums", timeout_s=3.0)
    task = next(environment.tasks("train"))
    raised, hung = judged(environment, task, "raise", "hang")
    assert (raised.value, raised.status) == (None, "error") and "no such thing" in raised.reason
    assert (hung.value, hung.status) == (0.0, "timeout")
    here = Verifiers("toy-sums", isolated=False)
    raised, good = judged(here, task, "raise", "<think>\nso\n</think>\n<answer>\n1\n</answer>")
    assert (raised.status, good.value) == ("error", 1.0)


@first_generation
@pytest.mark.interop
@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"kind": "tool"}, "is a ToolEnv: several turns or tools"),
        ({"kind": "group"}, "rewards that compare the replies to one prompt"),
        ({"cuont": 3}, "takes no 'cuont'; it takes count, held_out, kind"),
        ({"count": "many"}, "load_environment of toy-sums failed: TypeError"),
    ],
)
def test_what_the_first_generation_needs_more_for_is_refused(packages, args, message):
    with pytest.raises(r1sdk.R1Error, match=message):
        build_environment(load_plugins(), "verifiers", {"name": "toy-sums", "args": args})


@first_generation
@pytest.mark.interop
def test_ctrl_c_and_sigterm_stay_those_of_the_run(packages):
    kept = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    next(Verifiers("toy-sums").tasks("train"))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == kept


@pytest.mark.interop
@pytest.mark.skipif(not INSTALLED.startswith("0.4"), reason="verifiers 0.4 has the second generation alone")
def test_a_package_of_the_first_generation_says_which_version_it_is_for(packages):
    lay(packages, old_sums="def load_environment():\n    return None\n")
    with pytest.raises(r1sdk.R1Error, match="made for verifiers before 0.4"):
        Verifiers("old-sums")


# The second generation


@pytest.mark.interop
def test_the_tasks_of_a_taskset_are_judged_by_their_own_rewards(packages):
    environment = Verifiers("owner/new-sums@latest", args={"count": 60})
    train, test = list(environment.tasks("train")), list(environment.tasks("test"))
    assert len(train) + len(test) == 60 and 0 < len(test) < 20
    task = train[3]
    assert task.prompt[0] == {"role": "system", "content": "Say x=..."} and len(task.prompt) == 2
    right, wrong, long = judged(environment, task, f"x={task.answer}", "x=-1", f"{'so ' * 20} x={task.answer}")
    assert (right.value, right.reason) == (1.0, "correct 1, short 1: 1.25 of 1.25")
    assert (wrong.value, long.value) == (pytest.approx(0.2), pytest.approx(0.8))
    assert pickle.loads(pickle.dumps(environment)) == environment


@pytest.mark.interop
def test_a_reward_of_a_taskset_that_raises_is_no_zero_and_one_that_hangs_is_ended(packages):
    environment = Verifiers("new-sums", timeout_s=3.0)
    task = next(environment.tasks("train"))
    raised, hung, good = judged(environment, task, "raise", "hang", f"x={task.answer}")
    assert (raised.value, raised.status) == (None, "error") and "no such thing" in raised.reason
    assert (hung.value, hung.status, good.value) == (0.0, "timeout", 1.0)
    assert judged(Verifiers("new-sums", isolated=False), task, f"x={task.answer}")[0].value == 1.0


@pytest.mark.interop
@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("machine-sums", {}, "looks at a machine in its reward short"),
        ("tool-sums", {}, "gives its tasks tools"),
        ("setup-sums", {}, r"prepares a machine for each task \(it has setup\)"),
        ("new-sums", {"cuont": 3}, "cannot be loaded: .*cuont"),
        ("no-such-sums", {}, "there is no package 'no-such-sums'"),
        ("json", {}, "cannot be loaded|no Taskset"),
    ],
)
def test_what_the_second_generation_needs_more_for_is_refused(packages, name, args, message):
    with pytest.raises(r1sdk.R1Error, match=f"(?s){message}"):
        environment = build_environment(load_plugins(), "verifiers", {"name": name, "args": args})
        next(iter(environment.tasks("train")))


@pytest.mark.interop
def test_a_package_is_trained_on_and_evaluated_by_name(packages, start_r1, tmp_path):
    options = ("--set", "env.options.name=new-sums", "--set", "env.options.system=Think first.")
    training = start_r1(
        *("train", "--env", "verifiers", *options, "--model", "tiny_blank", "--rewards", "accuracy", "--steps", "1"),
        *("--set", "trainer.per_device_train_batch_size=8", "--set", "generation.samples=4"),
        *("--set", "generation.max_tokens=8", "--set", "evaluation.tasks=4", "--out", tmp_path / "run"),
        path=[packages],
    )
    _, said = training.communicate(timeout=900)  # the library is imported by each process
    assert training.returncode == 0, said
    lines = [json.loads(line) for line in (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()]
    assert len(lines) == 8 and all(line["verdict"]["status"] == "ok" for line in lines)
    assert all("correct 0, short" in line["verdict"]["reason"] for line in lines)


# Ours in theirs


@pytest.fixture
def exported(r1, tmp_path, monkeypatch):
    out = tmp_path / "sums"
    assert r1("export", "verifiers", "countdown", "--set", "env.options.level=easy", "--out", out).code == 0
    monkeypatch.syspath_prepend(out)
    yield out
    sys.modules.pop("r1_countdown_verifiers", None)


def attempts(split):
    """Tasks of the environment that is exported, each with a worked reply."""
    shown = r1sdk.environment("countdown", {"level": "easy"}).environment.demonstrations(split)
    yield from ((task, completion.text) for task, completion in shown)


def scored(task, text):
    """The reward of the library's own task for a reply, by the library's own scoring."""
    from r1_envs.verifiers_hub.verifiers_v1 import _trace

    prompt = [{"role": "user", "content": task.data.prompt}]
    trace = _trace(task, prompt, text, cut=False)
    asyncio.run(task.score(trace))
    return trace.rewards["verdict"].score


@pytest.mark.interop
def test_an_exported_environment_is_a_taskset_that_judges_by_our_verdict(exported):
    import verifiers.v1 as vf
    from verifiers.v1.utils import loaders

    kind = loaders.taskset_class("r1-countdown-verifiers")
    settings = loaders.taskset_config_type("r1-countdown-verifiers")
    assert issubclass(kind, vf.Taskset) and loaders.environment_class("r1-countdown-verifiers") is vf.SingleAgentEnv
    judge = r1sdk.environment("countdown", {"level": "easy"})
    for split in ("train", "test"):
        taskset = kind(settings.model_validate({"id": "r1-countdown-verifiers", "split": split}))
        values = []
        # Some of the worked replies are right, and some give up.
        for theirs, (task, reply) in islice(zip(taskset, attempts(split), strict=False), 20):
            assert theirs.data.prompt == task.prompt[-1]["content"]
            assert theirs.data.system_prompt == task.prompt[0]["content"]
            values.append(scored(theirs, reply))
            assert values[-1] == asyncio.run(judge.verdict(task, reply)).value
        assert {*values} == {0.0, 1.0}


@pytest.mark.interop
def test_an_exported_environment_comes_back_as_the_same_environment(exported):
    """Ours in theirs in ours: the same verdicts."""
    back = Verifiers("r1-countdown-verifiers", test_size=4)
    judge = r1sdk.environment("countdown", {"level": "easy"})
    replies = {task.prompt[-1]["content"]: reply for task, reply in islice(attempts("train"), 40)}
    tasks = [task for task in back.tasks("train") if task.prompt[-1]["content"] in replies]
    for task in tasks[:10]:
        reply = replies[task.prompt[-1]["content"]]
        (verdict,) = judged(back, task, reply)
        first = next(each for each, text in attempts("train") if text == reply)
        assert verdict.status == "ok" and verdict.value == asyncio.run(judge.verdict(first, reply)).value


@pytest.mark.interop
@pytest.mark.slow
def test_the_wheel_of_an_export_is_all_that_the_librarys_own_command_needs(exported, tmp_path):
    """Built, installed, and evaluated by `vf-eval` with a model server that always answers the same."""
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    run_module("pip", "wheel", *offline, "--wheel-dir", "wheels", exported, cwd=tmp_path)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    run_module("pip", "install", *offline, "--target", "site", wheel, cwd=tmp_path)
    program = (
        "import asyncio, json, r1sdk; from verifiers.v1.utils import loaders; name = 'r1-countdown-verifiers'; "
        "taskset = loaders.taskset_class(name)(loaders.taskset_config_type(name).model_validate({'id': name})); "
        "task = next(iter(taskset)); print(json.dumps([task.data.prompt, type(task).__module__]))"
    )
    (tmp_path / "look.py").write_text(program)
    prompt, module = json.loads(run_module("look", cwd=tmp_path, path=[tmp_path / "site"]))
    assert prompt and module == "r1_countdown_verifiers"
