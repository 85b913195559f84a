"""Plugins that change their process, end it, fork it or never return, of every kind: the run is as it would be without."""

import ast
import asyncio
import contextlib
import copy
import gc
import inspect
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import spoiling_plugins as plugins
from spoiling_plugins import CALLS, FAULTS, IN_MAIN_THREAD, SILENT, WITH_TORCH, judged, rollout

import r1sdk
from r1sdk import contracts
from r1sdk.errors import R1Error, RewardError
from r1sdk.plugins import call_marker, guard, plugin_random
from r1sdk.plugins.entry import KINDS
from r1sdk.plugins.frozen import frozen_rollout, frozen_task
from r1sdk.plugins.process_state import ALL, capture, differences
from r1sdk.plugins.watchdog import Watchdog
from r1sdk.scoring import blocking
from r1sdk.scoring.blocking import run_blocking

ROOT = Path(__file__).parents[2]


@pytest.fixture
def reports(monkeypatch):
    monkeypatch.setenv("R1_KEPT", "1")
    found = []
    with guard.reporting(found.append):
        yield found


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_the_process_is_as_before_whatever_a_plugin_leaves(call, fault, reports):
    if fault in IN_MAIN_THREAD and call == "session: tool":
        pytest.skip("Python refuses that outside of the main thread")
    before, numbers = capture(), random.getstate()
    CALLS[call](FAULTS[fault])
    assert differences(before, ALL) == []
    assert random.getstate() == numbers
    assert len(reports) == (fault not in SILENT), reports
    CALLS[call](FAULTS[fault])
    assert len(reports) == (fault not in SILENT), "it is reported once"


@pytest.mark.parametrize("call", CALLS)
def test_a_plugin_that_changes_nothing_is_not_reported(call, reports):
    CALLS[call](lambda: None)
    assert reports == []


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()])
@pytest.mark.parametrize("call", CALLS)
def test_what_ends_a_program_is_the_error_of_the_plugin_that_raises_it(call, error):
    def ends():
        raise error

    with pytest.raises(
        R1Error, match=f"{type(error).__name__}.*a plugin cannot end the run|mine: {type(error).__name__}"
    ):
        CALLS[call](ends)


@pytest.mark.parametrize("handler", [signal.default_int_handler, lambda *_: signal.default_int_handler(2, None)])
@pytest.mark.heavy
def test_a_real_interrupt_inside_a_plugin_stops_the_run(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            plugins.reward(lambda: os.kill(os.getpid(), signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is handler
        gc.collect()  # asyncio logs the tasks that were interrupted, with their tracebacks
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.heavy
def test_a_signal_that_stops_a_run_is_no_error_of_the_plugin_that_runs(number):
    from r1sdk.training.monitor.callback import StopRequest

    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    StopRequest().install()
    try:
        with pytest.raises(KeyboardInterrupt):
            plugins.reward(lambda: os.kill(os.getpid(), number))
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        gc.collect()


@pytest.mark.heavy
def test_an_interrupt_that_loses_a_callback_of_asyncio_does_not_hang(monkeypatch):
    monkeypatch.setattr(blocking, "CLOSING_S", 0.1)

    async def waits():
        loop = asyncio.get_running_loop()
        awaited = loop.create_future()

        def interrupt():
            awaited.set_result(None)
            loop._ready.pop()  # asyncio has taken the callback that wakes the task, and the interrupt comes before it is run
            raise KeyboardInterrupt

        loop.call_soon(interrupt)
        await awaited

    with pytest.raises(KeyboardInterrupt):
        run_blocking(waits())
    gc.collect()


def test_a_tool_that_hangs_does_not_keep_the_trainers_random_numbers():
    ends = threading.Event()

    def waits() -> str:
        """Wait."""
        random.random()
        ends.wait(30)
        return ""

    from r1sdk.recipe.key_groups import SessionLimits
    from r1sdk.rollout.run_tool import run_tool
    from r1sdk.rollout.tool_calls import ToolCall
    from r1sdk.rollout.tools import tools_of

    numbers = random.getstate()
    result = run_blocking(run_tool(ToolCall("waits", {}), tools_of([waits]), SessionLimits(timeout_s=0.1)))
    assert result.status == "timeout"
    assert random.getstate() == numbers
    ends.set()


def test_a_task_that_is_cancelled_inside_a_plugin_is_cancelled():
    async def waits(rollout):
        await asyncio.sleep(60)

    async def cancelled():
        from r1sdk.scoring.score_rollouts import score_rewards

        task = asyncio.ensure_future(score_rewards([rollout()], {"it": (waits, 1.0)}))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        run_blocking(cancelled())


FORKS = """
import os, sys
from pathlib import Path
import spoiling_plugins as plugins
from r1sdk.plugins import guard

started = os.getpid()
for number, (name, call) in enumerate(plugins.CALLS.items()):
    try:
        call(plugins.fork_once(Path(sys.argv[1], str(number))))
        for _ in range(200):  # the copy may end later than the call
            guard.check_forks()
            __import__("time").sleep(0.01)
        said = "nothing"
    except BaseException as error:
        said = str(error)
    with Path(sys.argv[1], "said").open("a") as file:
        file.write(f"{os.getpid() == started} {name} | {said.splitlines()[0]}\\n")
"""


@pytest.mark.heavy
def test_a_process_that_a_plugin_forks_ends_and_the_run_stops_with_its_name(tmp_path):
    script = tmp_path / "forks.py"
    script.write_text(FORKS)
    search = os.pathsep.join([str(ROOT / "tests" / "support"), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, script, tmp_path], env={**os.environ, "PYTHONPATH": search}, check=True, timeout=120
    )
    lines = (tmp_path / "said").read_text().splitlines()
    assert len(lines) == len(CALLS), "a copy wrote too"
    assert [line for line in lines if not line.startswith("True") or "forked the process that trains" not in line] == []


def test_a_fork_that_ends_itself_does_not_stop_the_run(tmp_path):
    def act():
        child = os.fork()
        if child == 0:
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    plugins.reward(act)
    guard.check_forks()


MUTATIONS = {
    "message": lambda r: r.completion.messages[0].update(content="paid"),
    "messages": lambda r: r.completion.messages.append({}),
    "tokens": lambda r: r.completion.token_ids.clear(),
    "prompt": lambda r: r.task.prompt[0].__setitem__("content", "x"),
    "info": lambda r: r.task.info["list"].append(2),
    "marks": lambda r: r.verdict.marks.setdefault("x", []),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_reward_cannot_change_what_the_run_records(mutation):
    def changes(given):
        MUTATIONS[mutation](given)
        return 1.0

    class Marks(plugins.Plain):
        def verify(self, rollout):
            return r1sdk.Verdict(1.0, marks={"a": ["b"]})

    before = [rollout(), rollout()]
    untouched = copy.deepcopy(before)
    with pytest.raises(RewardError, match="cannot be changed"):
        from r1sdk.scoring.score_rollouts import score

        score(before, Marks(), {"it": (changes, 1.0)})
    assert before == untouched


def test_copies_of_what_a_plugin_is_given_can_be_changed_and_are_equal():
    given = frozen_rollout(rollout())
    assert given == rollout()
    for made in (copy.deepcopy(given), copy.copy(given.completion.messages), list(given.completion.messages)):
        messages = made if isinstance(made, list) else made.completion.messages
        messages.append({})
    import pickle

    assert type(pickle.loads(pickle.dumps(given)).task.info) is dict
    assert frozen_task(given.task) is given.task


def test_marks_that_a_verifier_keeps_and_changes_later_stay_as_they_were():
    kept = {"seen": ["a"]}

    class Keeps(plugins.Plain):
        def verify(self, rollout):
            return r1sdk.Verdict(1.0, marks=kept)

    (first, _), _ = judged(Keeps())
    kept["seen"].append("b")
    assert first.verdict.marks == {"seen": ["a"]}


def test_a_reward_that_draws_gets_different_numbers_which_a_run_repeats():
    def draws(rollout):
        return random.random()

    def values():
        plugin_random.seed(7, 3)
        return [score.total for score in judged(plugins.Plain(), draws)[1] + judged(plugins.Plain(), draws)[1]]

    first = values()
    random.random()  # by the trainer
    assert len(set(first)) == 4
    assert values() == first


def test_two_async_rewards_do_not_see_each_others_folder(tmp_path):
    seen = set()

    async def stays(rollout):
        for _ in range(5):
            seen.add(os.getcwd())
            await asyncio.sleep(0)
        return 1.0

    async def moves(rollout):
        with contextlib.chdir(tmp_path):
            for _ in range(5):
                assert Path.cwd() == tmp_path
                await asyncio.sleep(0)
        return 1.0

    from r1sdk.scoring.score_rollouts import score

    score([rollout()] * 2, plugins.Plain(), {"stays": (stays, 1.0), "moves": (moves, 1.0)})
    assert seen == {os.getcwd()}


def test_a_change_is_reported_with_the_name_of_the_plugin_that_made_it(reports):
    def one(rollout):
        return 1.0

    def other(rollout):
        os.chdir("/")
        return 1.0

    from r1sdk.scoring.score_rollouts import score

    score([rollout()] * 2, plugins.Plain(), {"one": (one, 1.0), "other": (other, 1.0), "third": (one, 1.0)})
    (text,) = reports
    assert text.startswith("reward 'other' changed the current folder (/)")


@pytest.fixture
def slow():
    """A watchdog that finds a call slow after a tenth of a second; what it told."""
    told = []
    with Watchdog(lambda label, text: told.append((label, text)), slow_s=0.1, every_s=0.02):
        yield told
    guard.set_limit(None)


@pytest.mark.parametrize("call", ["reward: call", "reward: async", "environment: verify", "session: answer"])
@pytest.mark.heavy
def test_a_call_that_has_not_returned_is_named(call, slow):
    CALLS[call](lambda: time.sleep(0.3))
    assert slow and slow[0][0] in ("reward 'it'", "Plain.verify", "Talk.answer")
    assert "timeout_s" in slow[0][1]


def test_a_call_that_only_waits_is_named(slow):
    async def waits(rollout):
        await asyncio.sleep(0.3)
        return 1.0

    judged(plugins.Plain(), waits)
    assert [label for label, _ in slow] == ["reward 'it'"]


def test_loading_may_take_long(slow):
    CALLS["environment: tasks"](lambda: time.sleep(0.3))
    assert slow == []


def hangs(rollout):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


async def blocks_the_loop(rollout):
    await asyncio.sleep(0)
    time.sleep(60)  # noqa: ASYNC251 - that is the fault


async def never_ends(rollout):
    await asyncio.Event().wait()


@pytest.mark.parametrize("reward", [hangs, blocks_the_loop, never_ends])
@pytest.mark.heavy
def test_one_key_bounds_a_plugin_without_a_limit_of_its_own(reward, slow):
    guard.set_limit(0.2)
    started = time.monotonic()
    with pytest.raises(RewardError, match=r"reward 'it' did not return within 0\.2 s \(limits\.plugin_timeout_s\)"):
        judged(plugins.Plain(), reward)
    assert time.monotonic() - started < 10


def test_a_plugin_that_cannot_be_interrupted_ends_the_process(slow):
    gave_up = threading.Event()

    async def swallows(rollout):
        while not gave_up.is_set():
            with contextlib.suppress(BaseException):
                time.sleep(0.02)  # noqa: ASYNC251 - that is the fault
        return 1.0

    told = []

    def give_up(text):
        told.append(text)
        gave_up.set()

    guard.set_limit(0.1)
    with Watchdog(lambda *_: None, give_up, every_s=0.02, grace_s=0.2), pytest.raises(RewardError):
        judged(plugins.Plain(), swallows)
    assert "reward 'it' did not return" in told[0]


def test_another_process_can_read_which_call_runs(tmp_path):
    call_marker.write_to(tmp_path, rank=1)
    try:
        seen = []
        plugins.reward(lambda: seen.extend(call_marker.unfinished_calls(tmp_path)))
        assert seen[0].label == "reward 'it'"
        assert not seen[0].waits
        assert 0 <= seen[0].seconds < 60
        assert call_marker.unfinished_calls(tmp_path) == []
    finally:
        call_marker.write_to(None)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, os.urandom(4096), b"\x00" * 10_000])
def test_a_damaged_file_of_calls_is_no_error(tmp_path, content):
    (tmp_path / call_marker.FILE).write_bytes(content)
    call_marker.unfinished_calls(tmp_path)


@pytest.mark.parametrize("call", CALLS)
def test_every_hook_of_every_kind_is_called_through_the_guard(call):
    labels = []
    with contextlib.suppress(R1Error):
        CALLS[call](lambda: labels.append(guard.current()))
    assert labels
    assert None not in labels


# Who calls the methods that `CALLS` does not hold.
ELSEWHERE = {
    ("Sandbox", "run"): "plugins",
    ("PosesRows", "pose"): "environments",
    ("ChecksRows", "check_rows"): "environments",
    ("HasExamples", "examples"): "r1 check, in a process of its own",
    ("RowView", "get"): "r1sdk's own",
    ("RowView", "find"): "r1sdk's own",
}
SAME = {
    ("GroupReward", "__call__"): "reward: group",
    ("Reward", "__call__"): "reward: call",
    ("Advantage", "__call__"): "advantage: call",
    ("BatchAdvantage", "__call__"): "advantage: call",
}
FILES_ONLY = {"recipe", "accelerate", "model"}  # models: a function that writes one, tried in tests/train


def test_the_table_holds_every_kind_of_plugin_and_every_method_of_a_protocol():
    assert {name.partition(":")[0] for name in {**CALLS, **WITH_TORCH}} - {"session"} == set(KINDS) - FILES_ONLY
    hooks = {name.partition(": ")[2] for name in CALLS}
    missing = []
    for name, protocol in inspect.getmembers(contracts, inspect.isclass):
        if not getattr(protocol, "_is_protocol", False) or protocol.__module__ != contracts.__name__:
            continue
        for method in (method for method, value in vars(protocol).items() if inspect.isfunction(value)):
            known = (name, method) in ELSEWHERE or (name, method) in SAME or method in hooks
            if not known and method not in ("__init__", "__subclasshook__"):
                missing.append(f"{name}.{method}")
    assert missing == [], "a new method of a plugin: call it through r1sdk.plugins.guard, and add it to CALLS"


HOOKS = {"tasks", "verify", "session", "answer", "outcome", "read_gold", "variants", "gold_reply", "wrong_replies",
         "demonstrations", "part_of", "rows", "faults"}  # fmt: skip
OWN = {"counted.turns.rows"}  # of our own records


@pytest.mark.heavy
def test_no_module_calls_a_hook_past_the_guard():
    found = []
    for path in (ROOT / "r1sdk").rglob("*.py"):
        place = path.relative_to(ROOT / "r1sdk")
        if place.parts[0] in ("conformance", "testing.py"):
            continue  # they try plugins on purpose
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in HOOKS:
                if ast.unparse(node.func) in OWN:
                    continue
                found.append(f"{place}:{node.lineno} {ast.unparse(node.func)}")
    assert found == [], "call them with guard.call, or with the functions of environment_calls"


def test_a_guarded_call_is_cheap():
    """A reward's call costs microseconds: 128 completions and three plugins within 0.5 % of a step of two seconds."""

    def nothing(rollout):
        return 1.0

    group = [rollout() for _ in range(128)]
    judged(plugins.Plain(), nothing)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        with guard.plugin_calls():
            for one in group:
                guard.call("it", nothing, one)
        best = min(best, time.perf_counter() - started)
    assert best / 128 < 200e-6  # far above what it takes on an idle machine (docs/reliability.md)
