"""Batches of like length: nothing lost, little padding, no order by length."""

import random
from itertools import pairwise

import pytest

pytest.importorskip("trl")

from r1sdk.training.trl.length_batches import LengthBatches

LENGTHS = [random.Random(i).randint(10, 250) for i in range(5003)]


def batches(sampler, size):
    order = list(sampler)
    return [order[i : i + size] for i in range(0, len(order), size)]


def test_every_example_comes_once_an_epoch():
    sampler = LengthBatches(LENGTHS, 16, seed=0)
    assert sorted(sampler) == list(range(len(LENGTHS))) and len(sampler) == len(LENGTHS)


def test_the_lengths_of_a_batch_are_alike():
    spreads = [
        max(lengths) - min(lengths)
        for batch in batches(LengthBatches(LENGTHS, 16, seed=0), 16)[:-1]
        if (lengths := [LENGTHS[i] for i in batch])
    ]
    assert sum(spreads) / len(spreads) < 10  # of 240


def test_batches_come_in_no_order_of_length():
    longest = [max(LENGTHS[i] for i in batch) for batch in batches(LengthBatches(LENGTHS, 16, seed=0), 16)]
    falls = sum(a > b for a, b in pairwise(longest))
    assert 0.4 < falls / len(longest) < 0.6


def test_the_order_depends_on_seed_and_epoch_alone():
    first, again, other = (LengthBatches(LENGTHS, 16, seed) for seed in (0, 0, 1))
    assert list(first) == list(again) != list(other)
    again.set_epoch(1)
    assert list(first) != list(again)
    first.set_epoch(1)
    assert list(first) == list(again)
