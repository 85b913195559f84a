r"""Sets of numbers with their marks, as domains of a letter and as answers; products of groups."""

import pytest
from maths_tables import check_answers

# gold answer: answers that are right, answers that are wrong
CASES: dict[str, tuple[list[str], list[str]]] = {
    r"a_n=2n, n\in\mathbb{N}_{+}": (["a_n=2n", "2n", r"a_n=2n, n\in\mathbb{N}^*", r"a_n=2n (n\in N^*)", r"a_n=2n\ (n\in\mathbf{N}^{*})", r"a_n=2n, n\in\mathbb{Z}^+", r"a_n=2n, n\in\mathbb{Z}_{>0}", r"a_n=2n, n\ge1", "a_n=n+n"], ["a_n=2n+2", "a_n=n", "a_n=2n-2", r"a_n=2n+1, n\in\mathbb{N}_+", r"a_n=2n, n\in\mathbb{R}", r"a_n=2n,n\in\mathbb{Z}"]),
    "a_n=3n-2": ([r"a_n=3n-2, n\in\mathbb{N}^*", r"a_n=3n-2 \ (n \in \mathbf{N}^{*})", r"a_n = 3n-2 (n\in N^*)", r"a_n=3n-2(n\in\mathbb{N}^{*})", r"a_n=3n-2\,(n\in\mathbb{N}_+)", r"3n-2, n\in N_+"], [r"a_n=3n+1, n\in\mathbb{N}^*", r"a_n=3n-1(n\in N^*)"]),
    r"a_n=2n-1, n\in\mathbb{Z}": (["a_n=2n-1"], ["a_n=2n+1"]),
    r"\mathbb{N}^*": ([r"\mathbb{N}_+", r"\mathbb{Z}^+", r"\mathbf{N}^*", "N^*", r"\mathbb{Z}_{>0}", r"\mathbb{N}^{\ast}", r"\mathbb{Z}_{\ge 1}"], [r"\mathbb{N}", r"\mathbb{Z}", r"\mathbb{Z}^-", r"\mathbb{R}^+", "N"]),
    r"n \in \mathbb{N}^{*}": ([r"n\in\mathbb{N}_+", r"n\in N^*"], [r"n\in\mathbb{Z}", r"n\in\mathbb{R}"]),
    r"\{x \mid x=2k, k\in\mathbb{N}^*\}": ([r"\{x\mid x=2k,k\in\mathbb{N}^*\}", r"\{x\mid x=2k,k\in\mathbb{N}_+\}"], [r"\{x\mid x=3k,k\in\mathbb{N}^*\}", r"\{x\mid x=2k,k\in\mathbb{Z}\}", r"\{x\mid x=2k+2,k\in\mathbb{N}^*\}"]),
    r"x=2k\pi, k \in \mathbb{Z}": ([r"x=2k\pi, k \in \mathbf{Z}", r"x=2n\pi, n \in Z", r"x=2k\pi (k\in Z)", r"x=2(k+1)\pi, k\in\mathbb{Z}"], [r"x=2k\pi, k\in\mathbb{Z}^+", r"x=2k\pi, k\in\mathbb{R}", r"x=2n\pi, n\in\mathbb{N}", r"x=k\pi, k \in \mathbb{Z}"]),
    r"\mathbb{Z}_2 \times \mathbb{Z}_4": ([r"\mathbb{Z}_2\times\mathbb{Z}_4", r"\mathbb{Z}_4\times\mathbb{Z}_2", r"\mathbb{Z}_2\oplus\mathbb{Z}_4", r"\mathbb{Z}/2\mathbb{Z}\times\mathbb{Z}/4\mathbb{Z}"], [r"\mathbb{Z}_8", r"\mathbb{Z}_2\times\mathbb{Z}_2", r"\mathbb{Z}_2", r"\mathbb{Z}_2+\mathbb{Z}_4", r"\mathbb{Z}_2\times\mathbb{Z}_2\times\mathbb{Z}_2"]),
    r"\mathbb{Z} \oplus \mathbb{Z}/3\mathbb{Z}": ([r"\mathbb{Z}\times\mathbb{Z}_3", r"\mathbb{Z}/3\mathbb{Z}\oplus\mathbb{Z}", r"\mathbb{Z}_3 \oplus\mathbb{Z}"], [r"\mathbb{Z}", r"\mathbb{Z}\oplus\mathbb{Z}", r"\mathbb{Z}\oplus\mathbb{Z}_2", r"\mathbb{Z}_3"]),
    r"\mathbb{Z}\oplus\mathbb{Z}": ([r"\mathbb{Z}^2", r"\mathbb{Z}\times\mathbb{Z}"], [r"\mathbb{Z}", r"2\mathbb{Z}", r"\mathbb{Z}^3"]),
    r"\mathbb{Z}/2\mathbb{Z}\times\mathbb{Z}/6\mathbb{Z}": ([r"\mathbb{Z}_6\times\mathbb{Z}_2"], [r"\mathbb{Z}/3\mathbb{Z}\times\mathbb{Z}/4\mathbb{Z}", r"\mathbb{Z}/12\mathbb{Z}"]),
    r"\mathbb{Z}_6": ([r"\mathbb{Z}_{6}", r"\mathbb{Z}/6\mathbb{Z}"], [r"\mathbb{Z}_3", r"\mathbb{Z}", "6"]),
    "x>0": ([r"x\in\mathbb{R}^+", r"x\in\mathbb{R}_{>0}", r"(0,+\infty)"], [r"x\in\mathbb{R}", r"x\in\mathbb{R}_{\ge0}"]),
    r"\mathbb{R}": ([r"x\in R", r"x\in\mathbf{R}", r"(-\infty,\infty)"], [r"\mathbb{R}^*", r"\mathbb{R}^+", r"\mathbb{R}^2"]),
    "R_0": (["R_{0}"], ["R", "R_1"]),
    "Z_1+Z_2": (["Z_2+Z_1"], ["Z_1"]),
    "N^2": (["N*N"], ["N"]),
    r"\mathbb{R}^n": ([r"\mathbb{R}^{n}"], [r"\mathbb{R}", r"\mathbb{R}^m"]),
    r"k\pi, k\in\mathbb{Z}": ([r"n\pi", r"k\pi, k=0,\pm1,\pm2,\ldots", r"n\pi\ (n=0,\pm1,\ldots)", r"k\pi \text{ for } k=0,\pm1,\pm2,\dots"], [r"k\pi, k\in\mathbb{N}", r"k\pi, k\in\mathbb{Z}\setminus\{0\}", r"k\pi, k\in 2\mathbb{Z}", r"k\pi, k\in\{0,1\}", r"k\pi\ (k=1,2,3,\ldots)", r"k\pi, k=0,1,2,\ldots", r"k\pi, k=\pm1,\pm2,\ldots", r"k\pi\ (k=1)", r"k\pi, k=0,1", r"n\pi, n=0,\pm2,\pm4,\ldots"]),
    r"x=k\pi, k\in\mathbb{Z}\setminus\{0\}": ([r"x=\pi k, k\in\mathbb{Z}\setminus\{0\}", r"x=k\pi"], [r"x=k\pi, k\in\mathbb{Z}", r"x=k\pi, k\in\mathbb{Z}\setminus\{1\}", r"x=k\pi, k\in\mathbb{N}"]),
    r"x=k\pi, k\in\mathbb{Z}": ([r"x=k\pi, k\in\mathbb{Z}, x\in\mathbb{R}"], [r"x=k\pi, k\in\mathbb{Z}, x>0", r"x=k\pi, k\in\mathbb{Z}, x\neq 0"]),
    r"a_n=2n, n\ge1": ([r"a_n=2n\ (n=1,2,\ldots)", r"a_n=2n, n\in\mathbb{N}^*"], [r"a_n=2n\ (n=0,1,2,\ldots)", r"a_n=2n\ (n=1)"]),
    r"\mathbb{Z}/2\mathbb{Z}": ([r"\mathbb Z/2\mathbb Z", r"\Z/2\Z", r"\mathbb{Z}_2"], [r"\mathbb Z/3\mathbb Z", r"\mathbb Z"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", CASES)
def test_a_set_of_numbers_is_read_with_its_marks(gold):
    check_answers(gold, CASES[gold])
