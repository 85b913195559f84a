"""Plugins of every kind whose code does what a test tells it, called as r1sdk calls them."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import r1sdk
from r1sdk.data.demonstrations import FromEnvironment
from r1sdk.data.items import items
from r1sdk.data.row_faults import check_data
from r1sdk.errors import RewardError
from r1sdk.plugins.environment_calls import tasks_of
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.key_groups import SessionLimits
from r1sdk.records import Completion, Rollout, Task, Verdict
from r1sdk.rollout.episode import Episode
from r1sdk.rollout.run_tool import run_tool
from r1sdk.rollout.sessions import session_of
from r1sdk.rollout.tool_calls import ToolCall
from r1sdk.rollout.tools import tools_of
from r1sdk.scoring.blocking import run_blocking
from r1sdk.scoring.gold_check import gold_reply, wrong_replies
from r1sdk.scoring.score_rollouts import score
from r1sdk.scoring.verification import VerifierAlone

TASK = Task([{"role": "user", "content": "2+2?"}], "4", {"list": [1]}, "t/0")


def rollout():
    return Rollout(TASK, Completion([{"role": "assistant", "content": "<answer>4</answer>"}], [1, 2]))


class Plain:
    """An environment whose hooks call `act`."""

    def __init__(self, act=lambda: None, hooks=()):
        self.act, self.hooks = act, hooks

    def _do(self, hook):
        if hook in self.hooks:
            self.act()

    def tasks(self, split):
        self._do("tasks")
        for task in (TASK, TASK):
            self._do("each task")
            yield task

    def verify(self, rollout):
        self._do("verify")
        return 1.0

    def summary(self):
        self._do("summary")
        return "plain"

    def gold_reply(self, task):
        self._do("gold_reply")
        return "<answer>4</answer>"

    def wrong_replies(self, task):
        self._do("wrong_replies")
        yield "<answer>5</answer>"

    def rows(self, split):
        self._do("rows")
        yield TASK, "2+2?", {}

    def faults(self, split):
        self._do("faults")
        return ()

    def demonstrations(self, split):
        self._do("demonstrations")
        yield TASK, rollout().completion


class Async(Plain):
    async def verify(self, rollout):
        await asyncio.sleep(0)
        self._do("verify later")
        await asyncio.sleep(0)
        return 1.0


class Whole(Plain):
    def part_of(self, task):
        self._do("part_of")
        return Plain()


class Talk:
    def __init__(self, act, hooks):
        self.act, self.hooks = act, hooks

    def _do(self, hook):
        if hook in self.hooks:
            self.act()

    @property
    def tools(self):
        self._do("tools")
        return ()

    def answer(self, reply):
        self._do("answer")

    def outcome(self):
        self._do("outcome")
        return {}


class LateTalk(Talk):
    async def answer(self, reply):
        await asyncio.sleep(0)
        self._do("answer later")


class Talks(Plain):
    kind = Talk

    def session(self, task):
        self._do("session")
        return self.kind(self.act, self.hooks)


class LateTalks(Talks):
    kind = LateTalk


class Verifies:
    def __init__(self, act, hooks):
        self.act, self.hooks = act, hooks

    def _do(self, hook):
        if hook in self.hooks:
            self.act()

    def read_gold(self, task):
        self._do("read_gold")
        return "4"

    def verify(self, gold, reply):
        self._do("verify")
        return Verdict(1.0)

    def gold_reply(self, task):
        self._do("gold_reply")
        return "<answer>4</answer>"

    def variants(self, gold):
        self._do("variants")
        yield "5"


def judged(environment, reward=None):
    return score([rollout(), rollout()], environment, {} if reward is None else {"it": (reward, 1.0)}, 2)


def reward(act):
    def it(rollout):
        act()
        return 1.0

    return judged(Plain(), it)


def async_reward(act):
    async def it(rollout):
        await asyncio.sleep(0)
        act()
        await asyncio.sleep(0)
        return 1.0

    return judged(Plain(), it)


def group_reward(act):
    @r1sdk.group_reward
    def it(rollouts):
        act()
        return [1.0] * len(rollouts)

    return judged(Plain(), it)


def trl_reward(act):
    def it(completions, **columns):
        act()
        return [1.0] * len(completions)

    return judged(Plain(), r1sdk.from_trl(it))


def played(environment):
    """Attempt the task in a session, and end it."""
    episode = Episode(TASK, session_of(environment, TASK), SessionLimits())
    run_blocking(episode.step("hello"))
    return episode.rollout()


def tool(act, later=False):
    """Have the model call a tool; what it reads is the result."""

    def it() -> str:
        """Do it."""
        act()
        return "done"

    async def later_it() -> str:
        """Do it."""
        await asyncio.sleep(0)
        act()
        return "done"

    tools = tools_of([later_it if later else it])
    (name,) = tools
    result = run_blocking(run_tool(ToolCall(name, {}), tools, SessionLimits(timeout_s=60.0)))
    if result.status != "ok":
        raise RewardError(f"tool: {result.text}")


@dataclass(frozen=True)
class Built:
    """A reward that acts while it is built."""

    def __post_init__(self):
        Built.act()

    def __call__(self, rollout):
        return 1.0


class Provider:
    def __init__(self, kind, target):
        self.kind, self.target = kind, target

    @r1sdk.hookimpl
    def r1_register_rewards(self, register):
        if self.kind == "reward":
            register("it", self.target)

    @r1sdk.hookimpl
    def r1_register_sandboxes(self, register):
        if self.kind == "sandbox":
            register("it", self.target)

    @r1sdk.hookimpl
    def r1_register_verifiers(self, register):
        if self.kind == "verifier":
            register("it", self.target)


def build(act):
    Built.act = staticmethod(act)
    return load_plugins({"mine": lambda: Provider("reward", Built)}).build("reward", "it")


def load(act):
    """Import the plugin. One that cannot be loaded is a failure that the registry keeps."""

    def module():
        act()
        return Provider("reward", lambda rollout: 1.0)

    registry = load_plugins({"mine": module})
    if registry.failures:
        raise RewardError(registry.failures[0])


class Box:
    async def run(self, code, stdins, *, limits=None, language="python"):
        return ()

    def check(self, language="python"):
        Box.act()
        return ()


@dataclass(frozen=True)
class Boxed:
    box: r1sdk.Sandbox | None = r1sdk.sandbox_option("it")

    def __call__(self, rollout):
        return 1.0


def sandbox_check(act):
    Box.act = staticmethod(act)

    class Both(Provider):
        @r1sdk.hookimpl
        def r1_register_rewards(self, register):
            register("boxed", Boxed)

    load_plugins({"mine": lambda: Both("sandbox", Box)}).build("reward", "boxed")


def environment(cls, hook, use):
    return lambda act: use(cls(act, (hook,)))


def drain(found):
    return list(islice(found, 10))


CALLS = {  # "kind: hook" -> a function that makes r1sdk call it, with the action that it does
    "reward: call": reward,
    "reward: async": async_reward,
    "reward: group": group_reward,
    "reward: TRL": trl_reward,
    "reward: built": build,
    "reward: loaded": load,
    "environment: tasks": environment(Plain, "tasks", lambda e: drain(tasks_of(e, "train"))),
    "environment: each task": environment(Plain, "each task", lambda e: drain(tasks_of(e, "train"))),
    "environment: verify": environment(Plain, "verify", judged),
    "environment: verify later": environment(Async, "verify later", judged),
    "environment: gold_reply": environment(Plain, "gold_reply", lambda e: gold_reply(e, TASK)),
    "environment: wrong_replies": environment(Plain, "wrong_replies", lambda e: drain(wrong_replies(e, TASK))),
    "environment: rows": environment(Plain, "rows", lambda e: drain(items(e, "train"))),
    "environment: faults": environment(Plain, "faults", lambda e: check_data(e, ("train",), gold=False)),
    "environment: demonstrations": environment(
        Plain, "demonstrations", lambda e: drain(FromEnvironment(e, "test", 0).train())
    ),
    "environment: part_of": environment(Whole, "part_of", judged),
    "environment: session": environment(Talks, "session", played),
    "session: answer": environment(Talks, "answer", played),
    "session: answer later": environment(LateTalks, "answer later", played),
    "session: outcome": environment(Talks, "outcome", played),
    "session: tools": environment(Talks, "tools", played),
    "session: tool": tool,
    "session: async tool": partial(tool, later=True),
    "verifier: read_gold": environment(Verifies, "read_gold", lambda v: judged(VerifierAlone(v))),
    "verifier: verify": environment(Verifies, "verify", lambda v: judged(VerifierAlone(v))),
    "verifier: gold_reply": environment(Verifies, "gold_reply", lambda v: gold_reply(VerifierAlone(v), TASK)),
    "verifier: variants": environment(Verifies, "variants", lambda v: drain(wrong_replies(VerifierAlone(v), TASK))),
    "sandbox: check": sandbox_check,
}


def advantage(act):
    from r1sdk.records import RewardedRollout, RewardGroup
    from r1sdk.scoring.estimate_advantages import AdvantageEstimator

    def it(group):
        act()
        return [0.0] * len(group.rollouts)

    group = RewardGroup((RewardedRollout(1.0, {}, ()),), {})
    return AdvantageEstimator("it", it, {}, 1).of_group(group)


WITH_TORCH = {"advantage: call": advantage}  # their calls import torch


def leave_folder():
    os.chdir("/")


def change_environment():
    os.environ["R1_SPOILED"] = "1"
    os.environ.pop("R1_KEPT", None)


def replace_handler():
    signal.signal(signal.SIGTERM, lambda *_: None)


def set_alarm():
    signal.setitimer(signal.ITIMER_REAL, 3600.0)


def replace_stdout():
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - left open, as a plugin would


def close_descriptor():
    with contextlib.suppress(OSError):  # a batch calls it twice
        os.close(2)


def recurse_less():
    sys.setrecursionlimit(sys.getrecursionlimit() + 500)


def limit_memory():
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, resource.getrlimit(resource.RLIMIT_AS)[1]))


def stop_collector():
    import gc

    gc.disable()


def seed_python():
    random.seed(0)


def draw_python():
    random.random()


FAULTS = {
    one.__name__: one
    for one in (
        leave_folder,
        change_environment,
        replace_handler,
        set_alarm,
        replace_stdout,
        close_descriptor,
        recurse_less,
        limit_memory,
        stop_collector,
        seed_python,
        draw_python,
    )
}
SILENT = {"seed_python", "draw_python"}  # the random numbers that a plugin draws are its own: nothing to report
IN_MAIN_THREAD = {"replace_handler"}


def fork_once(marker: Path):
    """Fork, at most once however often it is called, and come back in both processes."""

    def act():
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.fork()

    return act
