"""Become the vLLM server of a run: `python -m r1sdk.training.vllm.serve_node RUN_DIR --host HOST --port PORT`, on any machine.

Options after these are vLLM's own. Started by a run, it lives no longer than that run.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import R1Error
from ...recipe.key_groups import VllmSettings
from ...recipe.schema import Recipe
from ...storage.run_folder import RunFolder

RECEIPTS = "r1sdk.receipts.served.ReceiptWorker"


def arguments(recipe: Recipe, model: str, host: str, port: int, cuda: bool) -> list[str]:
    """Return the options of the vLLM server."""
    settings = recipe.generation.vllm
    memory = settings.gpu_memory_utilization
    options: dict[str, Any] = {
        "model": model,
        "host": host,
        "port": port,
        "seed": recipe.seed,
        "tensor-parallel-size": settings.tensor_parallel_size,
        "data-parallel-size": settings.data_parallel_size,
        "logprobs-mode": "processed_logprobs",  # after temperature and truncation: the distribution that was sampled from
        "max-logprobs": -1,
        "worker-extension-cls": RECEIPTS,
        "enable-prompt-tokens-details": True,  # for the receipts: how much of a prompt came from the prefix cache
    }
    if settings.max_model_len:
        options["max-model-len"] = settings.max_model_len
    if cuda:
        options |= {"gpu-memory-utilization": memory or 0.9, "weight-transfer-config": json.dumps({"backend": "nccl"})}
    else:
        from ...rollout import vllm_cpu_engine as vllm_cpu

        options |= {"gpu-memory-utilization": memory or vllm_cpu.MEMORY, "dtype": vllm_cpu.ENGINE["dtype"]}
        options |= {"enforce-eager": True, "worker-extension-cls": vllm_cpu.EXTENSION}
    return [part for key, value in {**options, **settings.serve}.items() for part in _flag(key, value)]


def _flag(key: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{key}" if value else f"--no-{key}"]
    return [f"--{key}", str(value)]


@dataclass(frozen=True, slots=True)
class ServerNode:
    """One node of a multi-node vLLM server and its data-parallel replicas. Node 0 serves the HTTP endpoint."""

    rank: int = 0
    machines: int = 1
    head: str = "127.0.0.1"

    def arguments(self, settings: VllmSettings, port: int) -> list[str]:
        """Return the further options of this node."""
        if self.machines == 1:
            return []
        local = settings.data_parallel_size // self.machines
        shared = {
            "data-parallel-size-local": local,
            "data-parallel-address": self.head,
            "data-parallel-rpc-port": port + 1,
        }
        flags = [part for key, value in shared.items() for part in _flag(key, value)]
        return [*flags, "--headless", "--data-parallel-start-rank", str(self.rank * local)] if self.rank else flags


def serve(folder: RunFolder, model: str | None, host: str, port: int, part: ServerNode, more: list[str]) -> None:
    """Replace this process by the server, or by its node on this machine. Raises: R1Error."""
    import torch

    recipe, cuda = folder.recipe(), torch.cuda.is_available()
    if model is None:
        from ...planning.model_source import resolve_model
        from ...plugins.loading import load_plugins
        from ..models import locate

        model = locate(resolve_model(load_plugins(), recipe.model), folder.path / "base_model", recipe.seed)
    os.environ["VLLM_SERVER_DEV_MODE"] = "1"  # without it the server accepts no weights
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if not cuda:
        from ...rollout import vllm_cpu_engine as vllm_cpu

        vllm_cpu.prepare()
        os.environ.setdefault(*vllm_cpu.ONE_PROCESS)
    # The program `vllm` does not start with the package vllm-cpu, but only it can run several nodes.
    program = ["vllm.entrypoints.openai.api_server"] if part.machines == 1 else ["vllm.entrypoints.cli.main", "serve"]
    given = [*arguments(recipe, model, host, port, cuda), *part.arguments(recipe.generation.vllm, port), *more]
    os.execv(sys.executable, [sys.executable, "-m", *program, *given])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", help="the folder of the model, if it is not the recipe's")
    parser.add_argument("--parent", type=int, help="end when this process dies")
    parser.add_argument("--node-rank", type=int, default=0, help="which machine of the server this is, from 0")
    parser.add_argument("--machines", type=int, default=1, help="how many there are")
    parser.add_argument("--head", default="127.0.0.1", help="the first of them")
    given, rest = parser.parse_known_args()
    if given.parent:
        from ..run import end_with

        end_with(given.parent)
    try:
        own = ServerNode(given.node_rank, given.machines, given.head)
        serve(RunFolder.open(given.run_dir), given.model, given.host, given.port, own, rest)
    except R1Error as problem:
        raise SystemExit(f"error: {problem}") from None
