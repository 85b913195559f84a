"""What loading a plugin costs, measured in an interpreter of its own: its module and its hooks, nothing that uses it."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import EntryPoint

from .findings import ContractFinding, failed, passed, skipped

HEAVY = ("torch", "transformers", "datasets", "trl", "accelerate", "vllm", "deepspeed", "tensorflow", "jax")
LIMIT_S = 0.3  # of processor time
TRIES = 3  # a busy machine slows one, seldom three
TIMEOUT_S = 60.0

# What core itself loads is no part of the cost: `r1 plugins` has it loaded before any plugin.
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
    """The processor time that loading takes, and whether a library of training is loaded with it."""
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
        said = json.loads(done.stdout)
        if said["failures"]:
            return failed("loading", "\n".join(said["failures"]))
        if said["heavy"]:
            return failed("loading", f"loads {', '.join(said['heavy'])}: import them in the function that needs them")
        if best is None or said["seconds"] < best[0]:
            best = said["seconds"], done.stderr
        if best[0] <= LIMIT_S:
            return passed("loading", f"{best[0] * 1000:.0f} ms, no library of training")
    assert best is not None
    return failed(
        "loading",
        f"{best[0]:.2f} s of processor time, and {LIMIT_S:g} s are allowed: {_costliest(best[1])}\n"
        "import what is slow in the function that needs it",
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


def _costliest(said: str) -> str:
    """The packages that took longest to import, their own modules only."""
    costs: Counter[str] = Counter()
    for micros, module in _LINE.findall(said.partition("from here\n")[2]):
        costs[module.partition(".")[0]] += int(micros)
    return ", ".join(f"{package} {micros / 1e6:.2f} s" for package, micros in costs.most_common(3)) or "its own code"
