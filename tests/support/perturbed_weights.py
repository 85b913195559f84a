"""GRPO on a run folder whose weights are changed before each step: `[accelerate launch] perturbed_weights.py RUN_DIR [--stale N]`.

What the sampler then generates must be scored by it as the trainer scores it: it has the changed weights, all of them. Before step
N it is kept from getting them.
"""

import argparse
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

    def __init__(self, stale: int | None) -> None:
        self.stale = stale
        self.trainer: Any = None

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        random = torch.Generator().manual_seed(state.global_step)
        parameters = list(model.parameters())
        with gathered(parameters), torch.no_grad():
            for parameter in parameters:
                parameter.add_(torch.randn(parameter.shape, generator=random) * SPREAD)
        if state.global_step + 1 == self.stale:
            self.trainer._last_loaded_step = state.global_step


def gathered(parameters: list[Any]) -> Any:
    """In which the whole of each can be changed, where ZeRO-3 has shared them out."""
    if not hasattr(parameters[0], "ds_id"):
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(parameters, modifier_rank=0)


def main(path: Path, stale: int | None) -> int:
    processes, folder = join(), RunFolder.open(path)
    run = plan_run(folder.recipe(), load_plugins())
    announce(run, folder, processes)
    where = processes.run_on_main(lambda: locate(run.model, path / "base_model", 0))
    tokenizer, model = load_tokenizer(where), load_model(where)
    perturb = Perturb(stale)
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
    given = parser.parse_args()
    raise SystemExit(main(given.path, given.stale))
