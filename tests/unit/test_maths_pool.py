"""Checks that take algebra, in worker processes: what becomes of a gold answer with which every check hangs."""

import asyncio

import pytest

pytest.importorskip("math_verify")

from r1_verifiers.maths.pooled_check import judged

HANGS = r"\int_0^\infty \frac{\sin x}{x} dx"


@pytest.mark.heavy
def test_a_gold_answer_that_hangs_is_unverifiable_with_every_answer_of_a_batch():
    async def batch():
        answers = [rf"<answer>\frac{{\pi}}{{{number}}}</answer>" for number in (2, 3, 5)]
        return await asyncio.gather(*(judged(text, HANGS, "r1", 0.3, "problem") for text in answers))

    assert [verdict.status for verdict in asyncio.run(batch())] == ["unverifiable"] * 3
