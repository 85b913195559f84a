"""The machine: processors, memory, GPUs with their driver, disk, ports."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..planning.disk import Room
from ..planning.hardware import bf16, cores, gpus, memory_bytes
from ..planning.memory import size_text
from ..rollout.cpu_threads import busy_cores
from . import Finding

GB = 1 << 30
LOW_DISK, NO_DISK = 10 * GB, GB // 2
CUDA_DRIVER = 580  # the first driver for CUDA 13, which torch 2.13 is built for
PORTS = {29500: "rendezvous of several processes", 8000: "vLLM's server"}

_ASK_TORCH = """
import json, torch
found = {"cuda": torch.version.cuda, "available": torch.cuda.is_available(), "devices": []}
if found["available"]:
    found["devices"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    found["bf16"] = torch.cuda.is_bf16_supported()
print(json.dumps(found))
"""


def check_machine() -> Iterator[Finding]:
    memory = memory_bytes()
    has = f"; bf16 by {', '.join(bf16())}" if bf16() else "; no bf16 instructions"
    yield Finding("cpu", "ok", f"{cores()} cores{has}")
    yield check_load(busy_cores(), cores())
    yield Finding("memory", "ok", "unknown" if memory is None else f"{memory / GB:.1f} GB to be had")


def check_load(busy: float | None, count: int) -> Finding:
    """Warn where other processes use the `busy` of `count` cores."""
    if busy is None:
        return Finding("load", "ok", "unknown")
    text = f"other processes use {busy:.1f} of {count} cores"
    if busy < 0.4:
        return Finding("load", "ok", text)
    todo = "training on the CPU takes longer, with fewer threads while this lasts: end them, or wait"
    return Finding("load", "warning", text, todo)


def check_gpus() -> Iterator[Finding]:
    """Check the GPUs by `nvidia-smi`, and by torch in a separate process, because a broken CUDA can kill its process."""
    there = gpus()
    if not there:
        yield Finding("gpu", "ok", "none; training and generation run on the CPU")
        return
    for at, gpu in enumerate(there):
        yield Finding(f"gpu {at}", "ok", f"{gpu.name}, {gpu.memory_bytes / GB:.0f} GB")
    driver = there[0].driver
    if (first := driver.partition(".")[0]).isdecimal() and int(first) < CUDA_DRIVER:
        yield Finding("driver", "failure", f"{driver}, for a CUDA before 13", f"install driver {CUDA_DRIVER} or newer")
    else:
        yield Finding("driver", "ok", driver)
    torch = ask_torch()
    if torch.get("available"):
        yield Finding("torch on gpu", "ok", f"CUDA {torch['cuda']}, {len(torch['devices'])} devices")
    elif torch.get("cuda") is None:
        todo = "install torch's CUDA build: pip install --force-reinstall torch==2.13.0 from its own index"
        yield Finding("torch on gpu", "failure", "this torch is built for the CPU only", todo)
    else:
        yield Finding(
            "torch on gpu", "failure", f"CUDA {torch['cuda']} finds no device", "look at nvidia-smi and the driver"
        )


def ask_torch() -> dict[str, Any]:
    """Return the GPUs that torch sees; empty if torch does not start."""
    done = subprocess.run([sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=120, check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def check_disk(folder: Path, room: Room | None = None, written: int = 0) -> Iterator[Finding]:
    """Check that the disk has space for a run: for `room` minus what is already `written`, or for a small run."""
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    text = f"{size_text(free)} free in {there}"
    least, most = (NO_DISK, LOW_DISK) if room is None else (room.least, room.most - written)
    if room is not None:
        text += f"; a checkpoint takes about {size_text(room.checkpoint)}, {room.checkpoints} at a time"
    if free < least:
        yield Finding("disk", "failure", text, "make room, or choose another --out: a checkpoint would be cut short")
    elif free < most:
        todo = "it may fill up during the run: make room" + ("" if room is None else f" ({size_text(most)} in all)")
        yield Finding("disk", "warning", text, f"{todo}, or lower trainer.save_total_limit (at least 2)")
    else:
        yield Finding("disk", "ok", text)


def check_ports() -> Iterator[Finding]:
    for port, what in PORTS.items():
        with socket.socket() as there:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                there.bind(("127.0.0.1", port))
            except OSError:
                yield Finding(
                    f"port {port}", "warning", f"taken ({what})", "r1 takes a free one where it chooses itself"
                )
            else:
                yield Finding(f"port {port}", "ok", f"free ({what})")
