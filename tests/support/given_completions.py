"""GRPO on a run folder with completions that are given, not sampled: `accelerate launch given_completions.py RUN_DIR`.

What a process samples depends on which it is. With the same completions for the same prompts, however many processes there are, the
losses, gradients and weights must be the same.
"""

import sys
from pathlib import Path

import torch

from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.models import load_model, load_tokenizer, locate
from r1sdk.training.monitor.callback import RunCallback, StopRequest
from r1sdk.training.process_group import join
from r1sdk.training.save import save
from r1sdk.training.trl.grpo import grpo_trainer


def main(path: Path) -> None:
    processes, folder = join(), RunFolder.open(path)
    run = plan_run(folder.recipe(), load_plugins())
    where = locate(run.model, path / "base_model", 0)
    tokenizer, model = load_tokenizer(where), load_model(where)
    trainer = grpo_trainer(run, model, tokenizer, folder, [RunCallback(folder, StopRequest(), processes)], processes)
    model.generate = Given(run.recipe.generation.samples, tokenizer)
    trainer.train()
    save(run, trainer, tokenizer, where, folder, processes)
    processes.barrier()
    processes.close()


class Given:
    """In place of `model.generate`: the j-th completion of a prompt is always the same."""

    def __init__(self, samples: int, tokenizer: object) -> None:
        self.samples = samples
        self.end, self.padding = tokenizer.eos_token_id, tokenizer.pad_token_id

    def __call__(self, input_ids, attention_mask, generation_config, **_):
        rows = []
        for at, (ids, mask) in enumerate(zip(input_ids, attention_mask, strict=True)):
            seed = sum(i * int(token) for i, token in enumerate(ids[mask.bool()], 1)) + 7919 * (at % self.samples)
            random = torch.Generator().manual_seed(seed)
            length = int(torch.randint(2, 60, (), generator=random))
            rows.append(torch.cat([torch.randint(10, 400, (length,), generator=random), torch.tensor([self.end])]))
        made = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.padding)
        return torch.cat([input_ids, made], dim=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
