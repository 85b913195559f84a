"""Start the worker as a child of this process, on this machine."""

import os
import signal
import subprocess
import sys

from ..planning.hardware import SERVER_GPUS
from ..planning.run_plan import RunPlan
from ..rollout.cpu_threads import wait_briefly
from ..storage.run_folder import RunFolder

# glibc hands freed tensors back to the kernel and faults them in again at every step; kept, a small model on a CPU
# trains about a tenth faster. Set only where the user has not.
_KEEP_FREED_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}


def start(folder: RunFolder, plan: RunPlan) -> "subprocess.Popen[bytes]":
    """The worker's process, or the one that starts several and waits. Output goes to `worker.log`; it stops, saving, when this
    process dies.
    """
    module = "r1sdk.training.processes" if plan.accelerate else "r1sdk.training.run"
    environment = {**_KEEP_FREED_MEMORY, **os.environ, **_one_gpu(plan)}
    wait_briefly(environment)
    with folder.log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(folder.path), "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it through us, once
            env=environment,
        )


def _one_gpu(plan: RunPlan) -> dict[str, str]:
    """A process on its own gets one GPU: torch would take all, by a way (DataParallel) that the trainer refuses. A vLLM server
    that it starts gets its own, which it could not see.
    """
    gpus = plan.machine.gpus
    if plan.accelerate or len(gpus) < 2:
        return {}
    served = gpus[1 : 1 + plan.recipe.generation.vllm.own_gpus]
    return {"CUDA_VISIBLE_DEVICES": gpus[0].uuid, SERVER_GPUS: ",".join(gpu.uuid for gpu in served)}


def interrupt(worker: "subprocess.Popen[bytes]") -> None:
    """Ask the worker to save a checkpoint and end; asked again, it ends at once."""
    if worker.poll() is None:
        worker.send_signal(signal.SIGINT)
