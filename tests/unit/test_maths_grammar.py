"""The two-stage reading of LaTeX: the trees that the library's own way makes, whatever is read."""

import json
import random
from pathlib import Path

import pytest

pytest.importorskip("math_verify")

from antlr4.atn.PredictionMode import PredictionMode
from latex2sympy2_extended import latex2sympy2

from r1_verifiers.maths.grammar import TwoStageParser, install

PIECES = r"""
\frac{1}{2} \frac12 \dfrac{x}{y} \sqrt{3} \sqrt[3]{2} x y a b n 2 3 10 0.5 1,234 .5 + - * / \cdot \times \div ^2 ^{n+1} _1 ( ) [ ]
\{ \} \left( \right) , ; = < > \le \ge \ne \in \cup \cap \setminus \pm ! | \pi e i \infty \sin \cos \log \ln \log_2 \tan^2 \lim
\binom{5}{2} \begin{pmatrix}1&2\\3&4\end{pmatrix} \text{and} \% ^\circ : \to \emptyset \mathbb{R} \lfloor \rfloor \overline{AB} & \\
"""


def drawn(rng: random.Random) -> str:
    """A few pieces of LaTeX in a row: mostly no mathematics, often an ambiguous one."""
    return rng.choice(["", " "]).join(rng.choices(PIECES.split(), k=rng.randint(1, 7)))


def tree(text: str, parser: type) -> str:
    converter = latex2sympy2._Latex2Sympy(is_real=None, convert_degrees=False)
    before, latex2sympy2.PSParser = latex2sympy2.PSParser, parser
    try:
        made = converter.create_parser(text)
    finally:
        latex2sympy2.PSParser = before
    try:
        return str(made.math().toStringTree(recog=made))
    except Exception:  # noqa: BLE001
        return "refused"  # where the error is seen may differ


def theirs(text: str) -> str:
    made = TwoStageParser.__base__
    assert made is not None and made.__name__ == "PSParser"
    return tree(text, made)


def differing(texts: list[str]) -> list[str]:
    return [text for text in texts if tree(text, TwoStageParser) != theirs(text)]


@pytest.mark.heavy
def test_texts_of_the_hostile_table_read_the_same():
    table = Path(__file__).parents[1] / "data" / "hostile.jsonl"
    rows = map(json.loads, table.read_text(encoding="ascii").splitlines())
    texts = [
        row["completion"] for row in rows if row.get("environment") == "maths" and isinstance(row["completion"], str)
    ]
    answers = [text.rpartition("<answer>")[2].partition("</answer>")[0].strip("$") for text in texts if len(text) < 400]
    assert len(answers) > 20
    assert differing(answers) == []


@pytest.mark.parametrize("text", [r"( 3,4 \right)", r"x ( 3 \right)", r"(1,2 \foo)"])
def test_what_has_a_character_that_is_no_token_is_refused(text):
    assert tree(text, TwoStageParser) == theirs(text) == "refused"


@pytest.mark.heavy
@pytest.mark.parametrize("draws", [600, pytest.param(50_000, marks=pytest.mark.slow)], ids=["some", "many"])
def test_whatever_is_drawn_reads_the_same_or_is_refused_the_same(draws):
    rng = random.Random(draws)
    texts = [drawn(rng) for _ in range(draws)]
    assert differing(texts) == []


def test_both_stages_are_used():
    used = []

    class Watched(TwoStageParser):
        def math(self):
            result = super().math()
            used.append(self._interp.predictionMode)
            return result

    for text in (r"2\sqrt{3}", r"(1,2)", r"x=5,y=2"):
        tree(text, Watched)
    assert PredictionMode.SLL in used


def test_it_is_installed_where_answers_are_checked():
    import r1_verifiers.maths.equivalence  # noqa: F401

    assert latex2sympy2.PSParser is TwoStageParser
    install()
    assert latex2sympy2.PSParser is TwoStageParser
