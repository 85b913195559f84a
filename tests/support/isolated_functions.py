"""Functions for worker processes: ones that behave, and ones that hang, break their process, or leave something behind."""

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import r1sdk


def add(a, b):
    return a + b


async def add_later(a, b):
    await asyncio.sleep(0)
    return a + b


def pid():
    return os.getpid()


def wait(seconds):
    time.sleep(seconds)
    return seconds


def sleep_for_ever():
    time.sleep(1e6)


def loop_for_ever():
    while True:
        pass


def loop_and_block_every_signal():
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    loop_for_ever()


def loop_and_ignore_sigterm():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    loop_for_ever()


def hold_the_interpreter_in_c():
    return 9**9**8


def swallow_every_exception():
    while True:
        try:
            time.sleep(1e6)
        except BaseException:  # noqa: BLE001, S110
            pass


def allocate(size):
    return len(bytearray(size))


def recurse_without_end():
    sys.setrecursionlimit(10**9)

    def deeper(n):
        return deeper(n + 1)

    return deeper(0)


def leave_at_once():
    os._exit(3)


def read_address_zero():
    ctypes.string_at(0)


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def close_every_descriptor():
    os.closerange(0, 1000)
    time.sleep(1e6)


def exit_by_exception():
    sys.exit(2)


def fail(text):
    raise KeyError(text)


def service_is_down():
    raise r1sdk.Unavailable("no answer from the service")


class Stubborn(Exception):
    """Pickled, it cannot be read again."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.hold = lambda: None


def fail_stubbornly():
    raise Stubborn("one", "two")


class BadText(Exception):
    def __str__(self):
        raise ValueError("no text")

    def __reduce__(self):
        raise ValueError("no pickle")


def fail_without_a_text():
    raise BadText


def return_a_lambda():
    return lambda: None


class OnlyThere:
    def __reduce__(self):
        return fail, ("only there",)


def return_what_cannot_be_read():
    return OnlyThere()


def return_bytes(size):
    return bytes(size)


def print_much():
    for _ in range(300):
        print("x" * 100_000)
        print("y" * 100_000, file=sys.stderr)
    os.write(1, b"z" * 100_000)
    return "done"


def read_stdin():
    return sys.stdin.read()


def environment():
    return dict(os.environ), Path("/proc/self/environ").read_bytes().decode(errors="replace")


def core_dump_limit():
    return resource.getrlimit(resource.RLIMIT_CORE)


def leave_a_child():
    """A child that sleeps; returns its process id."""
    return subprocess.Popen(["sleep", "1000"]).pid


def leave_a_daemon():
    """A process in a session of its own, whose parent has ended; returns its process id."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        daemon = os.fork()
        if daemon:
            os.write(writer, str(daemon).encode())
            os._exit(0)
        for signal_number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signal_number, signal.SIG_IGN)
        time.sleep(1000)
    daemon = int(os.read(reader, 100))
    os.wait()
    return daemon


def leave_a_daemon_and_hang(file):
    Path(file).write_text(str(leave_a_daemon()))
    time.sleep(1e6)


def leave_a_thread():
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    return os.getpid()


def change_the_process():
    os.chdir("/")
    sys.setrecursionlimit(123)
    signal.alarm(1)


def state_of_the_process():
    return os.getcwd(), sys.getrecursionlimit(), signal.alarm(0)


def keep(size, held=[]):  # noqa: B006 - what stays between calls
    held.append(bytearray(size))
    return os.getpid()


async def isolated_again():
    outcome = await r1sdk.call_isolated(add, 1, 2, timeout_s=5)
    failed = await r1sdk.call_isolated(fail, "x", timeout_s=5)
    return outcome.status, outcome.value, failed.status, os.getpid()


@dataclass(frozen=True)
class Adds:
    to: int

    def __call__(self, value):
        return self.to + value


def add_in_a_child(queue):
    """What a spawned process does: calls of its own."""

    async def two():
        outcomes = [await r1sdk.call_isolated(add, 1, n, timeout_s=30) for n in (1, 2)]
        return [(outcome.status, outcome.value) for outcome in outcomes]

    queue.put(asyncio.run(two()))


def text(rollout):
    return rollout.completion.text


@r1sdk.isolated(timeout_s=1.0)
def hangs_on_b(rollout):
    """Its length for most; hangs for one that begins with b, dies for d, needs much for m, has no service for s."""
    match text(rollout)[:1]:
        case "b":
            loop_for_ever()
        case "d":
            kill_itself()
        case "m":
            allocate(8 << 30)
        case "s":
            service_is_down()
        case "f":
            fail("solution")
        case "n":
            return None
    return float(len(text(rollout)))


@r1sdk.group_reward
@r1sdk.isolated(timeout_s=1.0)
def hangs_on_a_group_with_b(rollouts):
    return [hangs_on_b(rollout) for rollout in rollouts]


@r1sdk.isolated()
def service_for_s(rollout):
    return service_is_down()


def hangs_on_hang(rollout):
    return loop_for_ever() if text(rollout) == "hang" else 1.0


def no_service_for_down(rollout):
    return service_is_down() if text(rollout) == "down" else 1.0


def open_reward(rollout):
    return os.getpid()


@r1sdk.group_reward
def pids_of_a_group(rollouts):
    return [os.getpid()] * len(rollouts)


@r1sdk.isolated(timeout_s=30.0)
def turns(rollout):
    return float(rollout.session.turns)


@r1sdk.isolated(timeout_s=30.0)
async def prices_later(rollout):
    await asyncio.sleep(0)
    return len(text(rollout))


@r1sdk.isolated()
@dataclass(frozen=True)
class WorkerPid:
    """The process that it is priced in."""

    plus: float = 0.0

    def __call__(self, rollout):
        return os.getpid() + self.plus


@r1sdk.isolated(timeout_s=1.0)
@dataclass(frozen=True)
class IsolatedJudge:
    """An environment whose `verify` is isolated: as `hangs_on_b`, and a verdict with what it extracted for v."""

    def tasks(self, split):
        return [r1sdk.Task([{"role": "user", "content": "?"}], id=f"{split}/0")]

    def verify(self, rollout):
        if text(rollout).startswith("v"):
            return r1sdk.Verdict(1.0, extracted=str(os.getpid()))
        return None if hangs_on_b(rollout) is None else 1.0


@dataclass(frozen=True)
class OpenJudge:
    """An environment that is not isolated; its verdict says which process it was made in."""

    def tasks(self, split):
        return [r1sdk.Task([{"role": "user", "content": "?"}], id=f"{split}/0")]

    def verify(self, rollout):
        return r1sdk.Verdict(1.0, extracted=str(os.getpid()))


@r1sdk.isolated()
@dataclass(frozen=True)
class HoldsAFunction:
    """A reward that cannot be pickled."""

    size: int = 1

    def __post_init__(self):
        object.__setattr__(self, "function", lambda rollout: self.size)

    def __call__(self, rollout):
        return self.function(rollout)
