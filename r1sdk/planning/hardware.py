"""The hardware of this machine: GPUs, cores, memory, bf16. Read from the system, without torch."""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_QUERY = ["nvidia-smi", "--query-gpu=index,name,memory.total,driver_version,uuid", "--format=csv,noheader,nounits"]
AMX = "amx_bf16"  # of matrices; avx512_bf16 is of vectors, and no faster than float32 (benchmarks/README.md)
_BF16 = (AMX, "avx512_bf16")
SERVER_GPUS = (
    "R1_VLLM_GPUS"  # the GPUs that the launcher keeps for a vLLM server; the training process does not see them
)


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    memory_bytes: int
    driver: str
    uuid: str  # by which CUDA_VISIBLE_DEVICES may name it


@dataclass(frozen=True, slots=True)
class Hardware:
    """The hardware and packages that decide how a run is planned. `Hardware.here()` is this machine."""

    gpus: tuple[Gpu, ...] = ()
    memory_bytes: int | None = None  # available now; None: unknown
    bf16: tuple[str, ...] = ()  # the instructions for bfloat16 of its CPU
    has_vllm: bool = False
    cuda: bool = False  # models run on a GPU
    server_gpus: int = 0  # GPUs kept for a vLLM server, beside `gpus`

    @classmethod
    def here(cls) -> "Hardware":
        """Return this machine, as this process sees it."""
        kept = [name for name in os.environ.get(SERVER_GPUS, "").split(",") if name]
        return cls(gpus(), memory_bytes(), bf16(), find_spec("vllm") is not None, bool(gpus()), len(kept))


@cache
def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs that a process here would see, by `nvidia-smi` and CUDA_VISIBLE_DEVICES."""
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(_visible(done.stdout.splitlines(), os.environ.get("CUDA_VISIBLE_DEVICES")))


def _visible(lines: Iterable[str], chosen: str | None) -> Iterable[Gpu]:
    found = {}
    for line in lines:
        index, name, memory, driver, uuid = (part.strip() for part in line.split(","))
        found[index] = found[uuid] = Gpu(name, int(float(memory)) << 20, driver, uuid)
        if chosen is None:
            yield found[index]
    for name in filter(None, (part.strip() for part in (chosen or "").split(","))):
        if name not in found:
            return  # as CUDA does: GPUs after an unknown one are invisible
        yield found[name]


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Return the available memory of the machine, or of this container if that is less; None if it is unknown."""
    found = [number for number in (_available(), _container()) if number is not None]
    return min(found) if found else None


def bf16() -> tuple[str, ...]:
    """The instructions for bfloat16 that this CPU has."""
    try:
        flags = next(
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")
        ).split()
    except (OSError, StopIteration):
        return ()
    return tuple(flag for flag in _BF16 if flag in flags)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


def _container() -> int | None:
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            return max(0, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):
            continue  # "max": no limit
    return None
