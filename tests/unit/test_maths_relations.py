r"""Inequalities turned around, bars, differences of intervals, sets of pairs, names of values and points, "and" and "or"."""

import pytest

from r1_verifiers import maths

GENERIC = "Solve the problem."
# gold answer, problem: answers that are right, answers that are wrong
RELATIONS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    (r"a\ge b", GENERIC): ([r"b\le a", r"a-b\ge 0", r"0\le a-b"], [r"a>b", r"a\le b", r"b\ge a", r"b<a", r"a+b\ge 0", r"b-a\ge 0"]),
    ("x>y", ""): (["y<x", "x-y>0"], ["y>x", r"y\le x", "x=y", "x>2y"]),
    (r"a\ge 2b", r"Solve $\frac{a}{2}\ge b$ for $a$."): ([r"2b\le a"], [r"\frac{a}{2}\ge b", r"b\le a", r"a\ge b/2"]),
    ("x>2", GENERIC): (["2<x"], ["2x>4", "x-2>0", "x<2"]),
    ("|x|<1", GENERIC): (["(-1,1)", "-1<x<1", r"x\in(-1,1)", "|x|<1"], ["[-1,1]", "(-1,2)", "(0,1)", "|x|>1", r"|x|\le 1", "1<x<-1"]),
    ("-1<x<1", GENERIC): (["|x|<1", "|2x|<2"], [r"|x|\le 1", "|x|>1", "|y|<1", "|x|<2"]),
    ("-1<x<1", "Solve $|x|<1$."): (["-1<x<1", "(-1,1)"], ["|x|<1", "|2x|<2"]),
    (r"-1\le x\le 5", GENERIC): ([r"|x-2|\le 3", r"|2-x|\le 3"], [r"|x+2|\le 3", "|x-2|<3", r"|x-3|\le 2", r"|x-2|\ge 3"]),
    ("(-1,5)", "Solve: |x-2|<3"): (["(-1,5)", "-1<x<5"], ["|x-2|<3", "|2x-4|<6", "3>|2-x|"]),
    ("(-1,5)", "求不等式|x-2|<3的解集"): (["-1<x<5"], ["|x-2|<3"]),
    ("(-1,5)", "What is the solution of the inequality |x-2|-3<0 ?"): (["-1<x<5"], ["|x-2|<3"]),
    ("(-1,5)", r"Find all $x$ with \begin{equation}\lvert x-2\rvert\le 3\end{equation} but the ends."): (["-1<x<5"], ["|x-2|<3"]),
    ("(-1,5)", "Where is (x-2)^2 < 9?"): (["-1<x<5", "|x-2|<3"], ["|x-2|>3", "|x+2|<3", "|x-2|<9"]),
    (r"-1\le x\le 5", r"Solve $|2x-4|\le 6$."): ([r"[-1,5]"], [r"|x-2|\le 3", r"|2x-4|\le 6"]),
    (r"(-\infty,-1)\cup(3,\infty)", GENERIC): (["|x-1|>2", r"\mathbb{R}\setminus[-1,3]"], [r"|x-1|\ge 2", "|x+1|>2", "|x-1|<2", r"\mathbb{R}\setminus(-1,3)"]),
    (r"(-\sqrt2,\sqrt2)", GENERIC): ([r"|x|<\sqrt2"], [r"|x|\le\sqrt2", "|x|<2"]),
    (r"(-\infty,0]\cup[4,\infty)", ""): ([r"\mathbb{R}\setminus(0,4)", r"\mathbb{R} \backslash (0,4)"], [r"\mathbb{R}\setminus[0,4]", r"\mathbb{R}\setminus(0,5)", r"\mathbb{R}\setminus\{0,4\}", "(0,4)"]),
    (r"(-\infty,0)\cup(1,2)\cup(3,\infty)", ""): ([r"\mathbb{R}\setminus([0,1]\cup[2,3])"], [r"\mathbb{R}\setminus[0,3]", r"\mathbb{R}\setminus([0,1]\cup(2,3])"]),
    ("(1,2),(2,1)", ""): ([r"(x,y)\in\{(1,2),(2,1)\}", r"\{(1,2),(2,1)\}", r"(x,y)\in\{(2,1),(1,2)\}"], [r"(x,y)\in\{(1,2),(2,2)\}", r"(x,y)\in\{(1,2)\}", r"(x,y)\in\{(1,2),(2,1),(0,0)\}"]),
    (r"A\cap B=\{1,2\}", ""): ([r"\{1,2\}", r"A\cap B=\{2,1\}", r"B\cap A=\{1,2\}"], [r"A\cup B=\{1,2\}", r"A\cap C=\{1,2\}", r"\{1,3\}", r"\{1\}", r"A\setminus B=\{1,2\}"]),
    (r"A\cap B=\{x \mid 0<x<1\}", ""): (["(0,1)", "0<x<1"], ["[0,1)", "(0,2)"]),
    (r"\{1,2\}", ""): ([r"A\cap B=\{1,2\}"], [r"A\cap B=\{1\}"]),
    ("x_1=1,x_2=3", "Solve $x^2-4x+3=0$."): (["x_1=3,x_2=1", "1,3", "x=1,x=3"], ["x_1=3,x_2=2", "x_1=1,x_2=1", "x_1=3,y_1=1", "x_1=1"]),
    ("x_1=1,x_2=3", "Solve $x_1+x_2=4$, $x_1-x_2=-2$."): (["x_1=1,x_2=3"], ["x_1=3,x_2=1"]),
    ("x_1=1,x_2=3", ""): (["x_2=3,x_1=1"], ["x_1=3,x_2=1"]),
    ("a_1=1,a_2=3", "Let $a_n$ be a sequence with $a$ odd."): (["a_2=3,a_1=1"], ["a_1=3,a_2=1"]),
    (r"\lambda_1=2,\lambda_2=5", r"Find the eigenvalues $\lambda$."): ([r"\lambda_1=5,\lambda_2=2"], [r"\lambda_1=5,\lambda_2=5"]),
    ("x=1,y=3", "Solve the system."): (["y=3,x=1"], ["x=3,y=1"]),
    (r"x=1 \text{ or } x=2", "Solve $x^2-3x+2=0$."): (["x_1=1,x_2=2", "x_2=1, x_1=2", r"x=1 \text{ and } x=2", "x=1,2", "1,2", r"x=2 \text{ or } x=1"], ["x=1,y=2", "p=1, q=2", r"x=1 \text{ or } y=2", "x_1=1,y_2=2", "y=1 or y=2", "(x,y)=(1,2)"]),
    ("1,2", "Solve $x^2-3x+2=0$."): (["x=1,x=2", "x_1=1,x_2=2"], ["x=1,y=2", "x=1 or y=2"]),
    ("2,3", "Find the minimum and the maximum of $x^2+2$."): (["m=2,M=3"], ["m=2,M=4"]),
    ("x=1,y=2 or x=3,y=4", GENERIC): (["x=3,y=4 or x=1,y=2", "y=2,x=1; y=4,x=3", r"x=1 \text{ and } y=2 \text{ or } x=3 \text{ and } y=4", "(1,2),(3,4)", "(x,y)=(1,2),(3,4)", "(y,x)=(2,1),(4,3)"], ["x=1,y=4 or x=3,y=2", "x=1,y=2", "(1,4),(3,2)", "(y,x)=(1,2),(3,4)", "x=1 or y=2 or x=3 or y=4"]),
    ("(1,2),(3,4)", GENERIC): (["x=1,y=2 or x=3,y=4"], ["x=1,y=4 or x=3,y=2", "x=2,y=1 or x=4,y=3"]),
    ("1,2", "Find $m$ and $n$."): (["m=1,n=2"], ["m=1,k=2", "m=1 or n=2"]),
    ("3,5", "How many apples and pears are there?"): (["a=3,p=5"], ["a=3,p=4"]),
    ("x=1,y=2", "Solve $x+y=3$, $x-y=-1$."): (["(x,y)=(1,2)", "(y,x)=(2,1)", r"x=1 \text{ and } y=2", r"y=2\land x=1", "(1,2)"], ["(y,x)=(1,2)", "(a,b)=(1,2)", r"x=1 \text{ or } y=2", r"x=1\vee y=2", r"x=1 \text{ or } x=2", "(2,1)"]),
    (r"x=1 \text{ or } y=2", GENERIC): ([r"y=2 \text{ or } x=1"], ["x=1,y=2", r"x=1 \text{ and } y=2", r"x=1 \text{ or } x=2", r"y=1 \text{ or } x=2", "(1,2)"]),
    ("(x,y)=(1,2)", GENERIC): (["x=1,y=2", "(y,x)=(2,1)", "(1,2)", r"x=1\text{ and }y=2"], ["(y,x)=(1,2)", "x=1,z=2", "x=1 or y=2", "(2,1)", "x=2,y=1"]),
    (r"\begin{pmatrix}x\\y\end{pmatrix}=\begin{pmatrix}1\\2\end{pmatrix}", GENERIC): (["x=1,y=2", "(1,2)", r"\begin{pmatrix}1\\2\end{pmatrix}", "(y,x)=(2,1)", r"\begin{pmatrix}y\\x\end{pmatrix}=\begin{pmatrix}2\\1\end{pmatrix}"], ["(y,x)=(1,2)", r"\begin{pmatrix}y\\x\end{pmatrix}=\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}2\\1\end{pmatrix}"]),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", GENERIC): ([r"\begin{pmatrix}x\\y\end{pmatrix}=\begin{pmatrix}1\\2\end{pmatrix}", "(x,y)=(1,2)"], ["(y,x)=(1,2)", r"\begin{pmatrix}y\\x\end{pmatrix}=\begin{pmatrix}1\\2\end{pmatrix}"]),
    ("(x,y,z)=(1,2,3)", GENERIC): (["(z,y,x)=(3,2,1)", "z=3,x=1,y=2"], ["(z,y,x)=(1,2,3)", "(y,x,z)=(1,2,3)", "(x,y,w)=(1,2,3)", "(x,y)=(1,2)"]),
    ("(x,y)=(1,2),(3,4)", GENERIC): (["(y,x)=(2,1),(4,3)", "(x,y)=(3,4) or (x,y)=(1,2)"], ["(y,x)=(1,2),(3,4)", "(x,y)=(1,4),(3,2)"]),
    ("(x,y)=(1,2)", r"Find the pair $(a,b)$ with $a+b=3$."): (["(a,b)=(1,2)", "(b,a)=(2,1)"], ["(b,a)=(1,2)", "(c,d)=(1,2)"]),
    ("(3,5)", "Find the pair $(a,b)$."): (["(a,b)=(3,5)", "(b,a)=(5,3)", "b=5,a=3"], ["(b,a)=(3,5)", "(a,b)=(5,3)", "a=5,b=3", "a=3 or b=5"]),
    ("(3,5)", r"Find $\left(q, p\right)$."): (["(p,q)=(5,3)", "p=5,q=3"], ["(p,q)=(3,5)", "p=3,q=5"]),
    ("(1,2),(3,4)", "Find all $(x,y)$."): (["(x,y)=(1,2),(3,4)", "(y,x)=(2,1),(4,3)"], ["(y,x)=(1,2),(3,4)"]),
    ("(1,2)", "Solve the system."): (["(x,y)=(1,2)", "(y,x)=(2,1)", "(r,h)=(1,2)"], ["(y,x)=(1,2)"]),
    (r"x<1 \text{ or } x>3", GENERIC): (["x<1, x>3", "x>3或x<1", r"(-\infty,1)\cup(3,\infty)", r"(-\infty,1),(3,\infty)", r"x<1\vee x>3"], [r"x<1且x>3", r"x<1 \text{ and } x>3", r"x<1\land x>3", r"x<1 \text{ or } y>3", r"x<1, y>3", r"x<1 \text{ and } y>3"]),
    (r"x<1 \text{ and } x>3", GENERIC): ([r"(-\infty,1)\cup(3,\infty)", "x<1 or x>3", r"x>3 \text{ and } x<1"], [r"(-\infty,1)\cup(4,\infty)", "y<1 or y>3", r"\varnothing"]),
    ("1<x<3", GENERIC): ([r"x>1 \text{ and } x<3", r"x<3\land x>1"], ["x>1 or x<3", r"x>1 \text{ and } y<3"]),
    ("x>0", GENERIC): ([r"x>0 \text{ and } x>-1"], [r"x>0 \text{ and } y>0", "x>0 or y>0", "x>0, y>0"]),
    (r"x>0 \text{ and } y>0", GENERIC): (["y>0, x>0"], ["x>0 or y>0", "x>0", "x>0,y>1"]),
}  # fmt: skip
ROWS = [
    (gold, problem, answer, verdict)
    for (gold, problem), answers in RELATIONS.items()
    for verdict, group in zip((1.0, 0.0), answers, strict=True)
    for answer in group
]


@pytest.mark.parametrize(("gold", "problem", "answer", "verdict"), ROWS)
def test_relations_and_sets_in_other_forms(gold, problem, answer, verdict):
    assert maths.check(f"<answer>{answer}</answer>", gold, problem=problem).value == verdict
