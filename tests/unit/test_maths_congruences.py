r"""Congruences as classes of whole numbers."""

import pytest
from maths_tables import check_answers

# gold answer: answers that are right, answers that are wrong
CASES: dict[str, tuple[list[str], list[str]]] = {
    r"n \equiv 1 \pmod{3}": ([r"n \equiv 4 \pmod 3", r"n\equiv -2\pmod{3}", "n=3k+1", r"n=3k+1, k\in\mathbb{Z}", r"n=3k-2, k\in\mathbb{Z}", r"n \equiv 1 (\bmod 3)", r"n \equiv 1 \mod 3", r"n \equiv 1 \bmod 3", r"n\equiv 1\ (\text{mod } 3)", r"n\equiv 1 (mod 3)", r"n\equiv 1,4\pmod 6", r"1 \pmod 3", r"n=3k+1, k=0,\pm1,\pm2,\ldots", r"n=3k+1 \text{ for any } k", r"n\equiv1\pmod 3, n\in\mathbb{Z}"], [r"n=3k+1, k\ge 0", r"n=3k+1, k\in\mathbb{R}", r"n=3k+1, k\neq 0", r"n\equiv1\pmod3, n>100", r"n=3k+1, k=0,1,2,\ldots", r"n\equiv1\pmod 3, n\ne 4", r"n\equiv2\pmod3", r"n\equiv1\pmod{6}", r"n\equiv 0\pmod 3", "n=3k", "n=3k+2", "n=6k+1", "1", r"m\equiv 1\pmod 3", r"n=3k+1,k\in\mathbb{N}^*", r"n\equiv 1\pmod 4", r"n\equiv1,2\pmod 3"]),
    r"n\equiv 1,4\pmod 5": ([r"n\equiv 4,1\pmod 5", r"n\equiv \pm 1\pmod 5", r"n\equiv 1 \text{ or } 4 \pmod 5", r"n\equiv 1\pmod 5 \text{ or } n\equiv 4\pmod 5", r"n=5k+1 \text{ or } n=5k+4", r"n=5k\pm1"], [r"n\equiv 1\pmod 5", r"n\equiv 4\pmod 5", r"n\equiv 1,3\pmod 5", r"n\equiv 1,4\pmod{10}", "1,4"]),
    r"x \equiv 5 \pmod{12}": ([r"x\equiv 17\pmod{12}", r"x=12k+5, k\in\mathbb{Z}", r"5 \pmod{12}"], [r"x\equiv7\pmod{12}", r"x\equiv5\pmod{6}", r"7 \pmod{12}", "5"]),
    r"n=2k+1, k\in\mathbb{Z}": ([r"n\equiv1\pmod 2", r"n=2k-1,k\in\mathbb{Z}"], [r"n\equiv0\pmod 2", r"n\equiv1\pmod 4"]),
    r"n\equiv 1 \pmod 3, n>0": ([r"n\equiv 1 \pmod 3"], [r"n\equiv 1 \pmod 3, n>100", r"n\equiv 2 \pmod 3, n>0"]),
    "n=3k+1": ([], ["n=3k+4", "n=3k-2"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", CASES)
def test_congruences_are_compared_as_classes(gold):
    check_answers(gold, CASES[gold])
