"""Start the worker as a child of this process, on this machine."""

import os
import signal
import subprocess
import sys

from ..planning.hardware import gpus
from ..storage.run_folder import RunFolder
from ..train.vllm.run_server import SERVER_GPUS

# glibc hands freed tensors back to the kernel and faults them in again at every step; kept, a small model on a CPU
# trains about a tenth faster. Set only where the user has not.
_KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}


def start(folder: RunFolder) -> "subprocess.Popen[bytes]":
    """The worker's process, or the one that starts several and waits. Output goes to `worker.log`; it stops, saving, when this
    process dies.
    """
    module = "r1sdk.train.processes" if folder.accelerate_file.is_file() else "r1sdk.train.run"
    with folder.log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(folder.path), "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it through us, once
            env={**_KEEP_FREED_MEMORY, **os.environ, **_one_gpu(folder)},
        )


def _one_gpu(folder: RunFolder) -> dict[str, str]:
    """A process on its own gets one GPU: torch would take all, by a way (DataParallel) that the trainer refuses. A vLLM server
    that it starts gets its own, which it could not see.
    """
    if folder.accelerate_file.is_file() or len(gpus()) < 2:
        return {}
    served = gpus()[1 : 1 + folder.recipe().generation.vllm.own_gpus]
    return {"CUDA_VISIBLE_DEVICES": gpus()[0].uuid, SERVER_GPUS: ",".join(gpu.uuid for gpu in served)}


def interrupt(worker: "subprocess.Popen[bytes]") -> None:
    """Ask the worker to save a checkpoint and end; asked again, it ends at once."""
    if worker.poll() is None:
        worker.send_signal(signal.SIGINT)
