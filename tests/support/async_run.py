"""Trains a prepared run folder asynchronously on a CPU: `python tests/support/async_run.py RUN_DIR`.

TRL's trainer and its process for rollouts are the real ones. In place of what needs a GPU stand: attention along the tree of a row in
plain torch (for flash-attn 3), and weights sent over HTTP (for NCCL).
"""

import json
import sys
from pathlib import Path
from typing import Any

import requests
import torch
from safetensors.torch import save


def tree_attention(
    module: Any,
    query: torch.Tensor,  # [1, H, N, D]
    key: torch.Tensor,  # [1, K, N, D]
    value: torch.Tensor,
    attention_mask: Any,
    *,
    tree_kv_index: torch.Tensor,
    tree_cu_seqlens_q: torch.Tensor,
    tree_cu_seqlens_k: torch.Tensor,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Each segment's queries see the keys of the way from the root to it, the last of them its own, up to themselves."""
    groups = query.size(1) // key.size(1)
    parts = []
    for start, end, first, last in zip(
        tree_cu_seqlens_q, tree_cu_seqlens_q[1:], tree_cu_seqlens_k, tree_cu_seqlens_k[1:], strict=False
    ):
        path = tree_kv_index[first:last]
        asked, seen = query[:, :, start:end], path.numel()
        mask = torch.ones(asked.size(2), seen).tril(seen - asked.size(2)).bool()
        keys, values = (x[:, :, path].repeat_interleave(groups, dim=1) for x in (key, value))
        parts.append(torch.nn.functional.scaled_dot_product_attention(asked, keys, values, mask, scale=scaling))
    return torch.cat(parts, dim=2).transpose(1, 2), None


class OverHttp:
    """The weights to the server, as TRL's protocol for that has it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def init_weight_transfer(self) -> None:
        requests.get(f"{self.url}/health", timeout=60).raise_for_status()

    def pause(self) -> None:
        requests.post(f"{self.url}/pause", params={"mode": "keep"}, timeout=60).raise_for_status()

    def send_weights(self, iterator: Any) -> None:
        weights = {name: weight.detach().clone() for name, weight in iterator}
        answer = requests.post(f"{self.url}/weights", data=save(weights), timeout=60)
        assert answer.json()["unknown"] == []

    def resume(self) -> None:
        requests.post(f"{self.url}/resume", timeout=60).raise_for_status()

    def destroy(self) -> None:
        pass


def main(path: Path) -> None:
    from transformers import AttentionInterface
    from trl.experimental.async_grpo import async_grpo_trainer, async_rollout_worker

    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.rollout.hf_model import end_tokens
    from r1sdk.storage.run_folder import RunFolder
    from r1sdk.training.held_out_evaluation import evaluate_model
    from r1sdk.training.models import load_model, load_tokenizer, locate
    from r1sdk.training.monitor.callback import RunCallback, StopRequest
    from r1sdk.training.process_group import SINGLE_PROCESS
    from r1sdk.training.save import save
    from r1sdk.training.trl.async_trainer import async_trainer

    async_grpo_trainer.get_peak_flops_per_device = lambda *_: None  # by the name of the GPU
    async_rollout_worker.is_vllm_available = lambda *_, **__: (
        True
    )  # asked for by the side that calls the server, and not used
    folder = RunFolder.open(path)
    run = plan_run(folder.recipe(), load_plugins())
    where = locate(run.model, folder.path / "base_model", 0)
    tokenizer = load_tokenizer(where)
    ends = sorted(end_tokens(load_model(where), tokenizer))
    settings = run.recipe.experimental_async
    assert settings is not None
    callbacks = [RunCallback(folder, StopRequest())]
    trainer = async_trainer(run, where, tokenizer, ends, folder, callbacks, OverHttp(settings.url))
    AttentionInterface.register("tree_fa3", tree_attention)
    resumed = folder.rewind()
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    sums = {name: float(weight.double().sum()) for name, weight in trainer.model.named_parameters()}
    (folder.path / "sums.json").write_text(json.dumps(sums))
    save(run, trainer, tokenizer, where, folder, SINGLE_PROCESS)
    evaluate_model(run, folder, load_model(str(folder.model)), tokenizer, "after", SINGLE_PROCESS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
