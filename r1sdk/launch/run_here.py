"""Train a prepared run in this process, for rewards and environments that are objects of the program."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from ..errors import R1Error, RecipeError
from ..planning.run_plan import RunPlan
from ..plugins.registry import Registry
from ..progress.live import view_for, watch
from ..storage.run_folder import RunFolder

_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def check_objects(plan: RunPlan, names: list[str]) -> None:
    """Raises: RecipeError where more than this process trains, so that the objects `names` would not be there."""
    recipe, reasons = plan.recipe, list[R1Error]()
    what = f"{', '.join(names)}: an object of this program is known to this process only, and"
    do = "\n  register it as a plugin (r1 new), or name it as module:function"
    if recipe.launch.launcher != "local":
        reasons.append(RecipeError(f"{what} launcher {recipe.launch.launcher} trains in another one{do}"))
    elif plan.accelerate is not None:
        reasons.append(RecipeError(f"{what} --accelerate {recipe.launch.accelerate} trains in others{do}"))
    elif recipe.experimental_async is not None:
        reasons.append(RecipeError(f"{what} experimental_async judges in another one{do}"))
    elif len(plan.machine.gpus) > 1:
        count = len(plan.machine.gpus)
        reasons.append(
            RecipeError(
                f"{what} it sees {count} GPUs, of which it can train on one: set CUDA_VISIBLE_DEVICES to that one"
            )
        )
    if reasons:
        raise reasons[0]


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
        with (
            _own_signals(),
            folder.log_file.open("a", encoding="utf-8", errors="replace") as log,
            redirect_stdout(log),
            redirect_stderr(log),
        ):
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
