r"""Vectors as sums of unit vectors, multiples and transposes of vectors and matrices."""

import pytest
from maths_tables import check_answers

# gold answer: answers that are right, answers that are wrong
CASES: dict[str, tuple[list[str], list[str]]] = {
    r"\langle 1, -2, 3\rangle": ([r"\mathbf{i}-2\mathbf{j}+3\mathbf{k}", r"\hat{i}-2\hat{j}+3\hat{k}", r"\vec{i} - 2\vec{j} + 3\vec{k}", r"\hat{\mathbf{i}}-2\hat{\mathbf{j}}+3\hat{\mathbf{k}}", "i-2j+3k", r"\hat\imath-2\hat\jmath+3\hat k", "(1,-2,3)^T", r"\begin{pmatrix}1\\-2\\3\end{pmatrix}", "(1,-2,3)"], [r"\mathbf{i}+2\mathbf{j}+3\mathbf{k}", r"-2\mathbf{i}+\mathbf{j}+3\mathbf{k}", r"\mathbf{i}-2\mathbf{j}", r"\hat{i}-2\hat{j}+2\hat{k}", "1-2+3", "2", "i-2j+3k+1"]),
    r"\mathbf{i}+3\mathbf{k}": ([r"\langle 1,0,3\rangle", r"\hat i+3\hat k", "(1,0,3)", r"\begin{bmatrix}1\\0\\3\end{bmatrix}"], ["(1,3)", "(1,3,0)", r"\langle 0,1,3\rangle", r"\hat i+3\hat j"]),
    "(0,3)": ([r"3\mathbf{j}", r"3\hat{j}"], ["3i", "3", "3k", "j"]),
    "(2,0)": ([r"2\hat{i}"], ["2i", "2", "2j"]),
    "(1,2)": ([r"\mathbf{i}+2\mathbf{j}"], ["1+2i", "2+i", r"2\mathbf{i}+\mathbf{j}", r"\mathbf{i}+2\mathbf{k}", "ij+2"]),
    r"\begin{pmatrix} 3/5 \\ 4/5 \end{pmatrix}": ([r"\frac{1}{5}\begin{pmatrix}3\\4\end{pmatrix}", r"\begin{pmatrix}\frac35\\[1ex]\frac45\end{pmatrix}", r"\begin{pmatrix}\frac35\\[4pt] \frac45\end{pmatrix}", r"\frac15(3,4)", "(3/5,4/5)^T", r"\left(\frac35,\frac45\right)^{\top}", r"\begin{pmatrix}3/5 & 4/5\end{pmatrix}^T", r"\frac15\begin{pmatrix}3&4\end{pmatrix}^T", r"0.2\begin{pmatrix}3\\4\end{pmatrix}", r"\begin{pmatrix}3\\4\end{pmatrix}/5"], [r"\frac{1}{5}\begin{pmatrix}4\\3\end{pmatrix}", r"\begin{pmatrix}3\\4\end{pmatrix}", r"5\begin{pmatrix}3\\4\end{pmatrix}", r"\frac15\begin{pmatrix}3&4\end{pmatrix}", r"\frac15", r"-\frac{1}{5}\begin{pmatrix}3\\4\end{pmatrix}", r"\begin{pmatrix}3/5 & 4/5\end{pmatrix}"]),
    r"\begin{pmatrix}1&2\\3&4\end{pmatrix}": ([r"\begin{pmatrix}1&3\\2&4\end{pmatrix}^T", r"\frac12\begin{bmatrix}2&4\\6&8\end{bmatrix}", r"-\begin{pmatrix}-1&-2\\-3&-4\end{pmatrix}"], [r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^T", r"2\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\frac12\begin{pmatrix}1&2\\3&4\end{pmatrix}"]),
    r"A=\frac{1}{2}\begin{bmatrix}4&2\\0&6\end{bmatrix}": ([r"\begin{bmatrix}2&1\\0&3\end{bmatrix}", r"A=\begin{pmatrix}2&1\\0&3\end{pmatrix}"], [r"\begin{bmatrix}4&2\\0&6\end{bmatrix}"]),
    "1+2i": (["2i+1"], ["(1,2)", "i+2j"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", CASES)
def test_vectors_and_matrices_are_compared_item_by_item(gold):
    check_answers(gold, CASES[gold])
