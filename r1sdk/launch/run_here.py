"""Train a prepared run in this process, for rewards and environments that are objects of the program."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOBase
from pathlib import Path
from typing import TextIO

from ..errors import RecipeError
from ..planning.run_plan import RunPlan
from ..plugins.registry import Registry
from ..progress.live import view_for, watch
from ..storage.run_folder import RunFolder


class _LogStream(TextIOBase):
    """Writes to the log of the run that trains now; libraries that keep it as their stderr find it open after the run, too."""

    def __init__(self) -> None:
        self._file: TextIO | None = None

    def write(self, text: str) -> int:
        target = self._file or sys.__stderr__
        return len(text) if target is None else target.write(text)

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    @contextmanager
    def into(self, path: Path) -> Iterator[None]:
        with path.open("a", encoding="utf-8", errors="replace") as file:
            self._file = file
            try:
                yield
            finally:
                self._file = None


_LOG = _LogStream()
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def check_objects(plan: RunPlan, names: list[str]) -> None:
    """Raises: RecipeError where more than this process trains, so that the objects `names` would not be there."""
    recipe, count = plan.recipe, len(plan.machine.gpus)
    if recipe.launch.launcher != "local":
        reason = f"launcher {recipe.launch.launcher} trains in another one"
    elif plan.accelerate is not None:
        reason = f"--accelerate {recipe.launch.accelerate} trains in others"
    elif recipe.experimental_async is not None:
        reason = "experimental_async judges in another one"
    elif count > 1:
        reason = f"it sees {count} GPUs, of which it can train on one: set CUDA_VISIBLE_DEVICES to that one"
    else:
        return
    raise RecipeError(
        f"{', '.join(names)}: an object of this program is known to this process only, and {reason}\n"
        "  register it as a plugin (r1 new), or name it as module:function"
    )


def run_here(folder: RunFolder, registry: Registry, show: bool = True) -> int:
    """Train the run in this process while a thread shows it. Returns the exit status that a process would have had."""
    from ..training.run import main  # torch and TRL

    ended: list[int] = []
    view = view_for(show)  # before stderr becomes the log
    arguments = (folder, lambda: ended[0] if ended else None, lambda: None, 0.25, view)
    watcher = threading.Thread(target=watch, args=arguments, daemon=True)
    watcher.start()
    code = 1
    try:
        with _own_signals(), _LOG.into(folder.log_file), redirect_stdout(_LOG), redirect_stderr(_LOG):
            code = main(folder.path, registry)
    finally:
        ended.append(code)
        watcher.join()
    return code


@contextmanager
def _own_signals() -> Iterator[None]:
    """Give the program its own answers to signals back; the training changes them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _HANDLED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
