"""GRPO on a run folder whose weights are changed before each step: `[accelerate launch] perturbed_weights.py RUN_DIR [OPTIONS]`.

What the sampler then generates must be scored by it as the trainer scores it: it has the changed weights, all of them. Before step
N it is kept from getting them.
"""

import argparse
import hashlib
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from r1sdk.errors import R1Error
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.models import load_model, load_tokenizer, locate
from r1sdk.training.monitor.callback import RunCallback, StopRequest
from r1sdk.training.process_group import join
from r1sdk.training.trl.grpo import grpo_trainer
from r1sdk.training.vllm.sampler_engine import announce, sampler

SPREAD = 0.05


class Perturb(TrainerCallback):
    """Adds noise to every weight, the same in all processes; before step `stale` the sampler is told that it is up to date."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.stale, self.rank, self.intruded = given.stale, given.rank, given.intruded
        self.log = given.path / "weights.txt"
        self.trainer: Any = None

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        random = torch.Generator().manual_seed(state.global_step)
        parameters = list(model.parameters())
        with gathered(parameters), torch.no_grad():
            for parameter in parameters:
                parameter.add_(torch.randn(parameter.shape, generator=random) * SPREAD)
        with gathered(parameters):
            found = hashlib.sha256(b"".join(each.detach().float().cpu().numpy().tobytes() for each in parameters))
        if self.trainer.accelerator.is_main_process:
            with self.log.open("a") as file:
                file.write(found.hexdigest() + "\n")
        rank = self.trainer.accelerator.process_index
        if state.global_step + 1 == self.stale and self.rank in (None, rank):
            self.trainer._last_loaded_step = state.global_step
        if state.global_step + 1 == self.intruded and rank == 0:
            self.intrude()

    def intrude(self) -> None:
        """Have another run send its weights to the server after the receipts were checked, just before it generates."""
        client, tensors = self.trainer.vllm_generation.vllm_client, dict(self.trainer.model.named_parameters())
        real = client.generate

        def generate(*arguments: Any, **more: Any) -> Any:
            others = ((name, each.detach() * 1.01) for name, each in tensors.items())
            client.update_named_params(None, others)
            client.generate = real
            return real(*arguments, **more)

        client.generate = generate


def gathered(parameters: list[Any]) -> Any:
    """In which the whole of each can be changed, where ZeRO-3 has shared them out."""
    if not hasattr(parameters[0], "ds_id"):
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(parameters, modifier_rank=0)


def main(given: argparse.Namespace) -> int:
    path = given.path
    processes, folder = join(), RunFolder.open(path)
    run = plan_run(folder.recipe(), load_plugins())
    announce(run, folder, processes)
    where = processes.run_on_main(lambda: locate(run.model, path / "base_model", 0))
    tokenizer, model = load_tokenizer(where), load_model(where)
    perturb = Perturb(given)
    try:
        with sampler(run, where, folder, processes) as engine:
            callbacks = [RunCallback(folder, StopRequest(), processes), perturb]
            trainer = perturb.trainer = grpo_trainer(run, model, tokenizer, folder, callbacks, processes, engine)
            trainer.train()
    except R1Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    processes.barrier()
    processes.close()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--stale", type=int)
    parser.add_argument("--rank", type=int, help="the only rank that is stale")
    parser.add_argument("--intruded", type=int, help="the step at which another run sends its weights to the server")
    raise SystemExit(main(parser.parse_args()))
