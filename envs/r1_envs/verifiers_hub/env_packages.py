"""Load an environment package by name, for either generation of the library, and score replies with it."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import r1sdk

from .package_types import Loaded, PackageSource, Scores
from .verifiers_v0 import open_environment
from .verifiers_v1 import open_taskset

if TYPE_CHECKING:
    import asyncio


@lru_cache(maxsize=8)
def load(source: PackageSource) -> Loaded:
    """Load the package, once per process. Raises: R1Error if it is not available, or its tasks need more than one reply."""
    module_name = source.name.rpartition("/")[2].partition("@")[0].replace("-", "_").lower()
    with _handlers_kept():
        try:
            there = find_spec(module_name) is not None
            module = import_module(module_name) if there else import_module(f"verifiers.v1.tasksets.{module_name}")
        except ModuleNotFoundError as error:
            if error.name and error.name not in (module_name, "verifiers.v1", f"verifiers.v1.tasksets.{module_name}"):
                raise r1sdk.R1Error(
                    f"environment package {source.name!r} needs {error.name!r}, which is missing"
                ) from error
            raise r1sdk.R1Error(
                f"there is no package {source.name!r}: install the environment as its page on the hub says"
            ) from None
        except Exception as error:
            raise r1sdk.R1Error(f"importing {module_name} failed: {type(error).__name__}: {error}") from error
        if hasattr(module, "load_environment") and not _has_taskset(module):
            return open_environment(module, source.name, json.loads(source.args))

        return open_taskset(source.name, json.loads(source.args))


def _has_taskset(module: ModuleType) -> bool:
    """True if the package is made for the second generation and the installed library supports it."""
    if find_spec("verifiers.v1") is None:
        return False
    from verifiers.v1 import Taskset

    exported = (getattr(module, name, None) for name in getattr(module, "__all__", ()))
    return any(isinstance(each, type) and issubclass(each, Taskset) for each in exported)


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handlers of SIGINT and SIGTERM, which the first generation replaces when it makes an environment."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class PackageScorer:
    """A scorer of one reply. Unpickling it loads the package, so a worker's time limit does not include that."""

    source: PackageSource
    test: bool

    def __reduce__(self) -> tuple[Callable[..., PackageScorer], tuple[str, str, bool]]:
        return _loaded_scorer, (self.source.name, self.source.args, self.test)

    async def __call__(self, index: int, prompt: list[r1sdk.Message], reply: str, cut: bool) -> Scores:
        scores = await load(self.source).scores(index, self.test, prompt, reply, cut)
        for name, (score, _) in scores.items():
            if not math.isfinite(score):
                raise ValueError(f"{name} gave {score}")
        return scores


def _loaded_scorer(name: str, args: str, test: bool) -> PackageScorer:
    source = PackageSource(name, args)
    load(source)
    return PackageScorer(source, test)


async def here(scorer: PackageScorer, *call: Any, timeout_s: float) -> r1sdk.Outcome:
    """Score in this process, in a permanent event loop, because clients of services live as long as their loop.

    Code that blocks the processor beyond `timeout_s` cannot be interrupted.
    """
    import asyncio

    started = time.perf_counter()
    future = asyncio.run_coroutine_threadsafe(scorer(*call), _loop())
    try:
        value = await asyncio.wait_for(asyncio.wrap_future(future), timeout_s)
    except TimeoutError:
        return r1sdk.Outcome("died", None, time.perf_counter() - started, f"no scores within {timeout_s:g} s")
    except Exception as error:  # noqa: BLE001 - someone else's reward function
        return r1sdk.Outcome("raised", error, time.perf_counter() - started)
    return r1sdk.Outcome("ok", value, time.perf_counter() - started)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    import asyncio

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="verifiers", daemon=True).start()
    return loop
