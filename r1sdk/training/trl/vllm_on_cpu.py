"""TRL's vLLM on a CPU, with its weight sync replaced by versions that work there. Never loaded on a machine with a GPU.

TRL syncs weights by a call that vLLM's CPU models do not accept (colocate), or over NCCL, which needs GPUs (server).
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from trl.generation import vllm_generation
from trl.generation.vllm_client import VLLMClient
from trl.generation.vllm_generation import VLLMGeneration
from trl.trainer import grpo_trainer

from ...rollout.vllm_cpu_engine import ENGINE, reload
from .signatures import VLLM_ON_CPU, check_signatures

_SHARED_MEMORY = Path("/dev/shm")
_SYNC_S = 600


@contextmanager
def on_a_cpu() -> Iterator[None]:
    """Give the GRPOTrainer that is made inside this context an engine that runs on a CPU."""
    check_signatures(VLLM_ON_CPU)
    # TRL looks these up by name in its modules and accepts no others.
    stand_ins = (
        (grpo_trainer, "VLLMGeneration", CpuGeneration),
        (vllm_generation, "VLLMClient", FileClient),
        (vllm_generation, "LLM", partial(vllm_generation.LLM, **ENGINE)),
    )
    own = [getattr(module, name) for module, name, _ in stand_ins]
    for module, name, stand_in in stand_ins:
        setattr(module, name, stand_in)
    try:
        yield
    finally:
        for (module, name, _), it in zip(stand_ins, own, strict=True):
            setattr(module, name, it)


class CpuGeneration(VLLMGeneration):  # type: ignore[misc]
    """Mode colocate: each sync reloads the whole model."""

    def sync_weights(self) -> None:
        if self.mode != "colocate":
            super().sync_weights()
            return
        runner = self.llm.llm_engine.model_executor.driver_worker.model_runner
        reload(runner, ((name, parameter.detach().clone()) for name, parameter in self._iter_named_params()))
        self.llm.reset_prefix_cache()


class FileClient(VLLMClient):  # type: ignore[misc]
    """Mode server: each sync writes the weights to a file in shared memory, and the server's worker reads them there."""

    def init_communicator(self, device: Any = 0) -> None:
        """Make the folder for the weights file, which is deleted with this object. No communicator is needed."""
        shared = str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None
        self._folder = tempfile.TemporaryDirectory(prefix="r1-weights-", dir=shared)

    def update_named_params(self, metadata: Any, named_params: Iterator[tuple[str, Any]]) -> None:
        from safetensors.torch import save_file

        path = Path(self._folder.name) / "weights.safetensors"
        save_file({name: each.detach().cpu().contiguous().clone() for name, each in named_params}, path)
        request = {"method": "r1_reload", "args": [str(path)], "timeout": _SYNC_S}
        self._post(f"{self.base_url}/collective_rpc", json=request)
