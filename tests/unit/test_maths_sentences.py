r"""Sentences that say a choice or that there is no solution."""

import pytest
from maths_tables import check_answers

# gold answer: answers that are right, answers that are wrong
CASES: dict[str, tuple[list[str], list[str]]] = {
    "No solution": (['<think>k</think>\nThe equation has no solution.', '<think>k</think>\nThe system has **no solution**.', "no solution", '<think>k</think>\nThus the equation has no solutions.', "has no solution", '<think>k</think>\nTherefore, there is no solution.'], ['<think>k</think>\nThe equation has a solution.', '<think>k</think>\nIt is not true that the equation has no solution.', '<think>k</think>\nThe equation has no solution or x=1.', "0"]),
    "D": (['<think>k</think>\nHence, D is correct.', '<think>k</think>\nSo the correct option is D.', '<think>k</think>\nTherefore, option D is correct.', '<think>k</think>\nD is the right answer.', '<think>k</think>\nThus the answer is (D).'], ['<think>k</think>\nHence, C is correct.', '<think>k</think>\nHence, D is not correct.', '<think>k</think>\nSo the correct option is C.', '<think>k</think>\nD is wrong.', '<think>k</think>\nHence, D is correct or C is correct.', '<think>k</think>\nC and D are correct.', '<think>k</think>\nD is correct? No, C is.']),
}  # fmt: skip


@pytest.mark.parametrize("gold", CASES)
def test_a_sentence_says_its_words_or_its_choice(gold):
    check_answers(gold, CASES[gold])
