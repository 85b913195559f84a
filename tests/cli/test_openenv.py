"""The environment `openenv` on a server of this machine: a stand-in that speaks the protocol, and the library's own server."""

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

import r1sdk
from r1_envs.openenv import OpenEnv
from r1sdk.planning.build import build_environment
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.score_rollouts import score

SERVER = Path(__file__).parents[1] / "support" / "openenv_server.py"


@contextmanager
def serving(way, kind="fake"):
    """A server in a process of its own; its URL."""
    process = subprocess.Popen([sys.executable, str(SERVER), kind, way], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def sums():
    with serving("sums") as url:
        yield url


def attempt(task, text):
    return r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}]))


def judged(environment, *rollouts):
    return [rollout.verdict for rollout in score(rollouts, environment, {})[0]]


def answer(task):
    return str(2 * task.info["reset"]["seed"] + 1)


def test_what_reset_shows_is_the_prompt_and_the_reward_of_the_reply_is_the_verdict(sums):
    environment = OpenEnv(sums, train_size=6, test_size=3)
    tasks = list(environment.tasks("train"))
    assert [task.prompt for task in tasks] == [
        [
            {
                "role": "user",
                "content": "What is {} + {}?".format(task.info["reset"]["seed"], task.info["reset"]["seed"] + 1),
            }
        ]
        for task in tasks
    ]
    right, wrong = judged(environment, attempt(tasks[1], answer(tasks[1])), attempt(tasks[1], "no idea"))
    assert (right.value, right.status, right.reason) == (1.0, "ok", "reward 1")
    assert (wrong.value, wrong.extracted) == (0.0, "no idea")


def test_the_tasks_are_the_same_on_every_call_and_none_is_in_both_splits(sums):
    environment = OpenEnv(sums, train_size=20, test_size=5)
    train, test = list(environment.tasks("train")), list(environment.tasks("test"))
    assert (len(train), len(test)) == (20, 5) and train == list(environment.tasks("train"))
    assert not {t.prompt[0]["content"] for t in train} & {t.prompt[0]["content"] for t in test}


def test_a_whole_batch_is_judged_on_a_server_that_allows_one_session(sums):
    environment = OpenEnv(sums, train_size=4, test_size=1, sessions=3)  # more than it allows: it is asked again
    tasks = list(environment.tasks("train"))
    verdicts = judged(environment, *(attempt(task, answer(task)) for task in tasks * 3))
    assert [verdict.value for verdict in verdicts] == [1.0] * 12


def test_the_answer_alone_can_be_sent_and_then_the_reply_format_is_asked_for(sums):
    environment = OpenEnv(sums, send="answer", train_size=2, test_size=1)
    (task, _) = environment.tasks("train")
    assert task.prompt[0] == {"role": "system", "content": r1sdk.SYSTEM_PROMPT}
    good, none = judged(
        environment, attempt(task, f"<think>so</think><answer>{answer(task)}</answer>"), attempt(task, "so what")
    )
    assert (good.value, none.value, none.reason) == (1.0, 0.0, "no answer")


def test_resets_can_be_listed(sums):
    environment = OpenEnv(sums, resets=tuple({"seed": seed} for seed in range(100, 130)), test_share=0.3)
    numbers = [task.info["reset"]["seed"] for split in ("train", "test") for task in environment.tasks(split)]
    assert sorted(numbers) == [*range(100, 130)]


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("long", "go on after the first action: it needs several turns"),
        ("moody", "shows something else after the same reset"),
        ("negative", "gave the reward -1, and env.options.reward_min and reward_max are 0 and 1"),
    ],
)
def test_what_one_reply_cannot_answer_for_stops_the_run_with_the_reason(way, message):
    with serving(way) as url:
        environment = OpenEnv(url, train_size=2, test_size=1)
        task = next(environment.tasks("train"))
        with pytest.raises(r1sdk.RewardError, match=message):
            judged(environment, attempt(task, "wrong"))


def test_a_range_of_rewards_is_laid_on_zero_to_one():
    with serving("negative") as url:
        environment = OpenEnv(url, reward_min=-1.0, train_size=2, test_size=1)
        task = next(environment.tasks("train"))
        values = [v.value for v in judged(environment, attempt(task, answer(task)), attempt(task, "wrong"))]
    assert values == [1.0, 0.0]


def test_a_reward_that_is_none_is_no_zero():
    with serving("unrewarding") as url:
        environment = OpenEnv(url, train_size=2, test_size=1)
        (verdict,) = judged(environment, attempt(next(environment.tasks("train")), "7"))
    assert (verdict.value, verdict.status) == (None, "error") and "the reward None" in verdict.reason


def test_a_server_that_is_away_is_an_error_and_no_zero():
    with serving("sums") as url:
        environment = OpenEnv(url, train_size=2, test_size=1)
        task = next(environment.tasks("train"))
    (verdict,) = judged(environment, attempt(task, answer(task)))
    assert (verdict.value, verdict.status) == (None, "error") and "does not answer" in verdict.reason
    with pytest.raises(r1sdk.R1Error, match="does not answer"):
        list(environment.tasks("train"))


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_was_said():
    with serving("silent") as url:
        environment = OpenEnv(url, timeout_s=0.5, action="message")
        started = time.monotonic()
        task = r1sdk.Task([{"role": "user", "content": "?"}], info={"reset": {"seed": 0}})
        (verdict,) = judged(environment, attempt(task, "1"))
        assert verdict.status == "error" and "no answer within 0.5 s" in verdict.reason
        assert time.monotonic() - started < 30


def test_a_refused_action_is_an_error_with_the_servers_words(sums):
    environment = OpenEnv(sums, train_size=2, test_size=1, fixed={"colour": "red"})
    (verdict,) = judged(environment, attempt(next(environment.tasks("train")), "1"))
    assert verdict.status == "error" and "refuses a step: Invalid message" in verdict.reason


def test_what_is_wrong_with_the_options_is_said_at_once(monkeypatch):
    registry = load_plugins()
    for options, message in (
        ({}, "url: the address of a running server"),
        ({"url": "http://user:secret@localhost"}, "no user, password or query"),
        ({"url": "http://localhost", "reward_min": 1.0}, "reward_min is below reward_max"),
        ({"url": "http://localhost", "api_key_env": "R1_NO_SUCH_KEY"}, "'R1_NO_SUCH_KEY' is not set"),
        ({"url": "http://localhost", "timeout": 3}, "has no option 'timeout'; did you mean 'timeout_s'"),
    ):
        with pytest.raises(r1sdk.R1Error, match=message) as caught:
            build_environment(registry, "openenv", options)
        assert "secret" not in str(caught.value)
    monkeypatch.setattr("r1_envs.openenv.find_spec", lambda name: None)  # as without the library
    with pytest.raises(r1sdk.R1Error, match=r"needs: pip install 'r1sdk\[openenv\]'"):
        build_environment(registry, "openenv", {"url": "http://localhost"})


def test_it_is_trained_on_by_name(run_r1, sums, tmp_path):
    said = run_r1(
        *("train", "--env", "openenv", "--model", "tiny_blank", "--rewards", "accuracy", "--steps", "1"),
        *("--set", f"env.options.url={sums}", "--set", "env.options.train_size=8", "--set", "env.options.test_size=2"),
        *("--set", "trainer.per_device_train_batch_size=8", "--set", "generation.samples=4"),
        *("--set", "generation.max_tokens=8", "--set", "evaluation.tasks=0", "--out", tmp_path / "run"),
    )
    assert said.code == 0, said.err


# The library's own server


@pytest.mark.interop
def test_the_librarys_own_server_is_spoken_to_in_the_same_way():
    assert find_spec("openenv"), "docs/other-frameworks.md says how to install it"
    with serving("sums", "real") as url:
        environment = OpenEnv(url, train_size=6, test_size=2, sessions=2)
        tasks = list(environment.tasks("train"))
        rollouts = [attempt(task, text) for task in tasks for text in (answer(task), "no idea")]
        assert [verdict.value for verdict in judged(environment, *rollouts)] == [1.0, 0.0] * 6
        other = OpenEnv(url, train_size=2, test_size=1, fixed={"colour": "red"})
        (verdict,) = judged(other, attempt(tasks[0], "1"))
        assert verdict.status == "error" and "Invalid message" in verdict.reason
    with serving("long", "real") as url:
        environment = OpenEnv(url, train_size=2, test_size=1)
        with pytest.raises(r1sdk.RewardError, match="several turns"):
            judged(environment, attempt(next(environment.tasks("train")), "1"))


def test_the_tasks_are_read_in_a_notebook_too_where_a_loop_already_runs(sums):
    async def cell():
        return list(OpenEnv(sums, train_size=3, test_size=3).tasks("train"))

    assert asyncio.run(cell()) == list(OpenEnv(sums, train_size=3, test_size=3).tasks("train"))
