"""Measure the time to load a plugin, that is its module and hooks, in a separate interpreter."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import EntryPoint

from .findings import ContractFinding, failed, passed, skipped

HEAVY = ("torch", "transformers", "datasets", "trl", "accelerate", "vllm", "deepspeed", "tensorflow", "jax")
LIMIT_S = 0.3  # processor time
TRIES = 3  # a busy machine may slow down one try, seldom all three
TIMEOUT_S = 60.0

# The core's own imports are not counted: `r1 plugins` has loaded them before any plugin.
_PROGRAM = """
import json, sys, time
from importlib.metadata import EntryPoint
import r1sdk.plugins.loading, asyncio
point = EntryPoint(*json.loads(sys.argv[1]))
sys.stdout = sys.stderr
sys.stderr.write("from here\\n")
started = time.process_time()
found = r1sdk.plugins.loading.load_plugins({"it": point.load})
seconds = time.process_time() - started
loaded = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
json.dump({"seconds": seconds, "heavy": loaded, "failures": found.failures}, sys.__stdout__)
"""
_LINE = re.compile(r"import time: +(\d+) \| +\d+ \| +([\w.]+)")


def check_loading(point: EntryPoint | None) -> ContractFinding:
    """Check the processor time that loading takes, and that it loads no training library."""
    if point is None:
        return skipped("loading", "not an installed plugin")
    best: tuple[float, str] | None = None
    for _ in range(TRIES):
        try:
            done = _load(point)
        except subprocess.TimeoutExpired:
            return failed("loading", f"not loaded after {TIMEOUT_S:g} s")
        if done.returncode:
            return failed("loading", f"ends the interpreter: {done.stderr.strip().splitlines()[-1:]}")
        measured = json.loads(done.stdout)
        if measured["failures"]:
            return failed("loading", "\n".join(measured["failures"]))
        if measured["heavy"]:
            return failed(
                "loading", f"loads {', '.join(measured['heavy'])}: import them in the function that needs them"
            )
        if best is None or measured["seconds"] < best[0]:
            best = measured["seconds"], done.stderr
        if best[0] <= LIMIT_S:
            return passed("loading", f"{best[0] * 1000:.0f} ms, no training library")
    assert best is not None
    return failed(
        "loading",
        f"{best[0]:.2f} s of processor time, but only {LIMIT_S:g} s are allowed: {_costliest(best[1])}\n"
        "move slow imports into the function that needs them",
    )


def _load(point: EntryPoint) -> "subprocess.CompletedProcess[str]":
    named = json.dumps([point.name, point.value, point.group])
    command = [sys.executable, "-X", "importtime", "-c", _PROGRAM, named, json.dumps(HEAVY)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=TIMEOUT_S,
        check=False,
    )


def _costliest(import_times: str) -> str:
    """Return the packages that took longest to import, each without its dependencies."""
    costs: Counter[str] = Counter()
    for micros, module in _LINE.findall(import_times.partition("from here\n")[2]):
        costs[module.partition(".")[0]] += int(micros)
    return ", ".join(f"{package} {micros / 1e6:.2f} s" for package, micros in costs.most_common(3)) or "its own code"
