"""Commands of `r1` run in forks of this process, which has imported the heavy libraries: one command then costs no import.

The fork runs the same code as the command: `r1_cli.main` with the arguments, and the main function of the training process, which is
forked too in place of being started. It has a session of its own, and its standard streams are files.
"""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "100"}

LONGEST_S = 900.0  # a bound on what hangs; a busy machine takes long
_PR_SET_CHILD_SUBREAPER = 36
others: set[int] = set()  # children of this process that are no commands
in_worker: Callable[[], None] = lambda: None  # called first in each forked training process


SMALL_RUN = (  # settings of a run that takes seconds
    "env.options.train_size=64",
    "trainer.per_device_train_batch_size=8",
    "generation.samples=4",
    "generation.max_tokens=12",
    "evaluation.tasks=6",
    "evaluation.during=2",
)


@dataclass(frozen=True)
class Said:
    """How a forked command ended."""

    code: int
    out: str
    err: str


def load_libraries() -> None:
    """Import everything that a command needs, and have training processes forked in place of started."""
    import torch
    import transformers  # noqa: F401
    import trl  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401
    from trl import GRPOTrainer, SFTTrainer  # noqa: F401

    import r1_cli  # noqa: F401
    import r1sdk.api
    import r1sdk.launch.local_launch as local
    import r1sdk.training.run
    import r1sdk.training.sft.sft_trainer
    import r1sdk.training.trl.grpo  # noqa: F401
    from r1sdk.launch import supervise

    torch.set_num_threads(1)
    local.start = supervise.start = _Worker  # type: ignore[assignment, misc, attr-defined]
    ctypes.CDLL(None).prctl(
        _PR_SET_CHILD_SUBREAPER, 1
    )  # orphans become children of this process, which can then find them


def r1(arguments: list[str]) -> int:
    """Run the command `r1` in this process."""
    import r1_cli

    sys.argv = ["r1", *arguments]
    r1_cli.main()
    return 0


def forked(function: Callable[[], int], place: Path) -> Said:
    """Run `function` in a child of this process, which is killed after `LONGEST_S`."""
    child, files = start_forked(function, place)
    deadline = time.monotonic() + LONGEST_S
    while (said := wait_for(child, files)) is None:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Said(124, "", f"not ended after {LONGEST_S:g} s")
        time.sleep(0.02)
    return said


def start_forked(function: Callable[[], int], place: Path) -> tuple[int, list[Path]]:
    """Start `function` in a child of this process. Returns its process id and the files that hold what it prints."""
    files = [place / "stdout", place / "stderr"]
    for file in files:
        file.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
        _open_streams()
        _end(function)
    return child, files


def wait_for(child: int, files: list[Path]) -> Said | None:
    """Return how the child ended; None while it runs."""
    done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Said(code, *(file.read_text(encoding="utf-8", errors="replace") if file.is_file() else "" for file in files))


def left_behind(patience_s: float = 30.0) -> list[int]:
    """Wait until this process has no children, and return those that are still there after `patience_s`, killed."""
    deadline = time.monotonic() + patience_s
    while found := [pid for pid in _children() if pid not in others]:
        for pid in found:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            return found
        time.sleep(0.02)
    return []


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _end(function: Callable[[], int]) -> None:
    """Run `function` as the whole of this process, and end as Python does at the end of a program."""
    code = 70
    try:
        code = function()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001 - what a command lets through is what the campaigns look for
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _open_streams() -> None:
    streams = (os.fdopen(number, "w", buffering=1, errors="replace", closefd=False) for number in (1, 2))
    sys.stdout, sys.stderr = streams


class _Worker:
    """A forked training process, with the part of Popen that a launcher's caller uses."""

    def __init__(self, folder: Any, plan: Any = None) -> None:
        self.code: int | None = None
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid:
            return
        log = os.open(folder.log_file, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _open_streams()
        from r1sdk.training.run import end_with
        from r1sdk.training.run import main as train

        def work() -> int:
            end_with(parent)
            in_worker()
            return train(folder.path)

        _end(work)

    def poll(self) -> int | None:
        if self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if done else None
        return self.code

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)
