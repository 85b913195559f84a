"""Prepare the sampler of GRPO: nothing for transformers; for vLLM the settings by TRL's names, and the server."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ...errors import R1Error
from ...planning.backend import Backend
from ...planning.hardware import SERVER_GPUS
from ...planning.run_plan import RunPlan
from ...storage.run_folder import RunFolder
from ..process_group import SINGLE_PROCESS, ProcessGroup
from .run_server import LOG, SERVER_URL, VllmServer, free_port


@dataclass(frozen=True)
class Sampler:
    """A sampler that a GRPOTrainer can be built with."""

    arguments: dict[str, Any] = field(default_factory=lambda: {"use_vllm": False})  # of GRPOConfig
    cpu: bool = False
    server: VllmServer | None = None  # on the main process

    @property
    def vllm(self) -> bool:
        return bool(self.arguments["use_vllm"])

    def making(self) -> AbstractContextManager[None]:
        """Return the context in which the trainer is built."""
        if not (self.vllm and self.cpu):
            return nullcontext()
        from ..trl.vllm_on_cpu import on_a_cpu

        return on_a_cpu()

    def made(self, trainer: Any, seed: int) -> None:
        """Finish the preparation once `trainer` is built."""
        from transformers import set_seed

        if self.server is not None:
            self.server.guard(trainer.vllm_generation.vllm_client)
        # An engine in this process has seeded by its rank only. Processes that share a model must draw the same numbers.
        set_seed((seed * 1009 + trainer.accelerator.process_index // trainer.vllm_tensor_parallel_size) % 2**32)


TRANSFORMERS = Sampler()


def announce(run: RunPlan, folder: RunFolder, processes: ProcessGroup = SINGLE_PROCESS) -> Backend:
    """Log the backend of the run and record it in the manifest. Raises: R1Error if it cannot be imported."""
    backend = run.backend
    generates_here = run.recipe.method != "generate" or run.recipe.collect.server is None
    if processes.main and generates_here:
        print(f"generation by {backend}", flush=True)
        folder.note("generation", {"backend": backend.name, "why": backend.why})
    if backend.name == "vllm":
        _prepare()
        try:
            import vllm  # noqa: F401
        except Exception as error:  # its libraries may not fit this machine
            raise R1Error(
                f"vllm cannot be imported: {type(error).__name__}: {str(error)[:300]}\n  r1 doctor says more; "
                "generation.backend=transformers does not need it"
            ) from error
        if (server := _server_that_is_there(run, folder)) is not None:
            processes.run_on_main(lambda: _ready(server, folder))
    return backend


def _server_that_is_there(run: RunPlan, folder: RunFolder) -> VllmServer | None:
    settings = run.recipe.generation.vllm
    url = settings.url or os.environ.get(SERVER_URL)
    if settings.mode != "server" or url is None:
        return None
    return VllmServer(url.rstrip("/"), settings, folder.path / LOG, None)


def _ready(server: VllmServer, folder: RunFolder) -> str:
    """Return the server's URL once it answers. Raises: R1Error if it does not, or cannot be used for training."""
    import torch

    folder.set_status("running", phase="waiting for the vLLM server")
    server.wait()
    server.check(torch.cuda.is_available())
    print(f"vLLM server at {server.url}", flush=True)
    return server.url


def _prepare() -> None:
    import torch

    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    if not torch.cuda.is_available():
        from ...rollout import vllm_cpu_engine as vllm_cpu

        vllm_cpu.prepare()


@contextmanager
def sampler(run: RunPlan, where: str, folder: RunFolder, processes: ProcessGroup = SINGLE_PROCESS) -> Iterator[Sampler]:
    """Yield the sampler for the model at `where`. A server that was started for it ends with the context. Raises: R1Error."""
    if run.backend.name == "transformers":
        yield TRANSFORMERS
        return
    import torch

    cuda, settings = torch.cuda.is_available(), run.recipe.generation.vllm
    arguments: dict[str, Any] = {
        "use_vllm": True,
        "vllm_mode": settings.mode,
        "vllm_tensor_parallel_size": settings.tensor_parallel_size,
        "vllm_max_model_length": settings.max_model_len,
    }
    if settings.gpu_memory_utilization is not None:
        arguments["vllm_gpu_memory_utilization"] = settings.gpu_memory_utilization
    if settings.mode == "colocate":
        yield Sampler(arguments, not cuda)
        return
    held: list[VllmServer] = []

    def begin() -> str:
        there = _server_that_is_there(run, folder)
        held.append(there or VllmServer.start(folder, where, settings, _gpus_for(run)))
        return _ready(held[0], folder)

    try:
        arguments["vllm_server_base_url"] = processes.run_on_main(begin)
        arguments["vllm_server_timeout"] = settings.start_timeout_s
        arguments["vllm_group_port"] = run.recipe.trainer.get("vllm_group_port") or free_port()
        if held:
            held[0].watch(lambda reason: _end(folder, held[0], reason))
        yield Sampler(arguments, not cuda, held[0] if held else None)
    finally:
        for server in held:
            server.stop()


def _gpus_for(run: RunPlan) -> str | None:
    """Return the GPUs for a server on this machine: those after the GPUs that train. None: it needs none."""
    gpus = run.machine.gpus
    if not gpus:
        return None
    if given := os.environ.get(SERVER_GPUS):
        return given
    first, count = run.recipe.launch.processes or 1, run.recipe.generation.vllm.own_gpus
    own = gpus[first : first + count]
    if len(own) < count:
        raise R1Error(
            f"a vLLM server on {count} GPUs beside {first} processes that train: this process sees {len(gpus)} GPUs; "
            "start the server yourself and name it by generation.vllm.url"
        )
    return ",".join(gpu.uuid for gpu in own)


def _end(folder: RunFolder, server: VllmServer, reason: str) -> None:
    """End the run from a thread, even if the main thread is waiting."""
    folder.set_status("failed", message=reason)
    print(f"error: {reason}", flush=True)
    server.stop()
    os._exit(1)
