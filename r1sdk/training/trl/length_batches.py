"""Batches of examples of similar length in random order: little padding, and no drift from long to short examples."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTTrainer

POOL = 64  # batches that are sorted by length at a time


class LengthBatches(Sampler[int]):
    """Sampler of example indices in random order, where each `batch_size` of them have similar length.

    transformers' own `group_by_length` yields the batches of a pool from the longest to the shortest. At a high learning
    rate the model follows: after each pool it has just learnt that replies are short.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch. Each has its own order; a resumed epoch has the same one."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = torch.Generator().manual_seed(self.seed + self.epoch)
        shuffled = torch.randperm(len(self.lengths), generator=random).tolist()
        pool_size = self.batch_size * POOL
        for start in range(0, len(shuffled), pool_size):
            pool = sorted(shuffled[start : start + pool_size], key=self.lengths.__getitem__)
            batches = [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
            whole = [batch for batch in batches if len(batch) == self.batch_size]
            for at in torch.randperm(len(whole), generator=random).tolist():
                yield from whole[at]
            if len(batches) > len(whole):  # only the very last batch may be incomplete
                yield from batches[-1]


class SFTTrainerByLength(SFTTrainer):  # type: ignore[misc]
    """TRL's SFTTrainer with `LengthBatches`, on a dataset with a column `length`."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        # Not the argument: the trainer has already removed the columns that the model does not read from it.
        batch_size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LengthBatches(list(self.train_dataset["length"]), batch_size, self.args.seed)
