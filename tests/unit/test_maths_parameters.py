r"""Letters that an answer chooses: constants of integration, letters of a family, arguments of a function, and their domains."""

import pytest

from r1_verifiers import maths
from r1_verifiers.maths.problems import letters_in

# gold answer, problem: answers that are right, answers that are wrong
CONSTANTS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    ("y=Cx^2", ""): (["y=Ax^2", "y=cx^2", "y=kx^2", "y=C_1x^2", "Ax^2", r"y=Cx^2, C\in\mathbb{R}"], ["y=x^2", "y=Cx", "y=x^2+C", "y=Cx^2+C", "y=Ax^2+B", "y=xx^2", "y=ax^2"]),
    ("y=Cx^2", "General solution of xy'=2y"): (["y=Ax^2", "y=ax^2", r"y=ax^2 \text{ for any constant } a"], ["y=yx^2", "y=x^3", "y=Ax", "y=A^2x"]),
    ("y=Cx^2", "General solution of xy'=2ay"): (["y=Ax^2"], ["y=ax^2"]),
    (r"y(t)=c_1\cos t+c_2\sin t", "General solution of y''+y=0"): (
        [r"y(t)=C_1\cos t+C_2\sin t", r"y(t)=A\cos t+B\sin t", r"c_1\cos t+c_2\sin t", r"y=A\cos t+B\sin t", r"y(x)=C_1\cos x+C_2\sin x", r"y(t)=c_1\sin t+c_2\cos t", r"y(t)=c_1\cos t+c_2\sin t, c_1,c_2\in\mathbb{R}", r"y(t)=A\cos t+B\sin t, \text{ where } A, B \text{ are constants}"],
        [r"y(t)=c_1\cos t+c_1\sin t", r"y(t)=A\cos t+A\sin t", r"y(t)=c_1\cos t", r"y(t)=c_1\cos t-\sin t", r"y(t)=c_1\cos 2t+c_2\sin 2t", r"y(t)=A\cos t+B\sin t+D", r"y(t)=t\cos c_1+c_2\sin t", r"y(t)=c_1\cos t+c_2\sin x"],
    ),
    ("y=c_1e^{2x}+c_2", ""): (["y=c_2e^{2x}+c_1", "y=Ae^{2x}+B", "y=C_1+C_2e^{2x}"], ["y=c_1e^{2x}+c_1", "y=c_1e^{2x}", "y=c_1e^{x}+c_2", "y=c_1e^{2x}+c_2x"]),
    (r"y=c_1e^x+c_2e^{-x}+c_3x+c_4", "Solve the equation for $y$."): ([r"y=A+Bx+Ce^x+C_2e^{-x}", r"y=C_4e^x+C_3e^{-x}+C_2x+C_1"], [r"y=A+Bx+Ae^x+Ce^{-x}", r"y=A+Bx+Ce^x"]),
    (r"\frac{x^3}{3}+C", ""): ([r"\frac{x^3}{3}+c", r"\frac{x^3}{3}+K"], [r"\frac{x^3}{3}", r"\frac{x^3}{3}+Cx", r"\frac{x^3}{3}+x"]),
    ("f(x)=kx+b", "Find all linear functions f."): (["f(x)=ax+b", "f(x)=mx+c", r"f(x)=ax+b, a,b\in\mathbb{R}", "f(t)=mt+c"], ["f(x)=ax+a", "f(x)=ax", "f(x)=x+b", "f(x)=ax^2+b", "f(x)=ax+bx"]),
    ("f(x)=kx+b", "Find the line through the points with given a and b."): (["f(x)=kx+b"], ["f(x)=ax+b", "f(x)=kx+a"]),
    ("n=2^k", "Find all n"): (["n=2^m", "2^m", r"n=2^m, m\in\mathbb{N}"], ["n=3^m", "n=2^n", "n=m^2", "n=2m"]),
    ("n=2^k", "Find all n in terms of k and m."): (["n=2^k"], ["n=2^m"]),
    ("n=2^k", ""): (["n=2^k"], ["n=2^m", "n=2^x"]),
    ("x+y", ""): (["y+x"], ["a+b", "x+a", "C+K"]),
    ("6p", "Find x and y."): (["6p", "p*6"], ["6z", "6C"]),
    ("m", "Which of the lines is parallel to the x-axis?"): (["m"], ["n", "b", "k"]),
    ("c_1-c_2", "Find x and y."): (["-c_2+c_1"], ["c_2-c_1", "A-B"]),
    ("a-b", "What is left of a and b?"): (["-b+a"], ["b-a", "c-d"]),
    (r"\frac{A}{B}", ""): ([r"A/B"], [r"\frac{B}{A}", r"\frac{K}{C}"]),
    (r"\frac{\mu_0 I}{2\pi r}", "Find B."): ([r"\frac{\mu_0 I}{2r\pi}"], [r"\frac{\mu I}{2\pi r}", r"\frac{\mu_0 r}{2\pi I}", r"\frac{\mu_0 J}{2\pi r}"]),
    ("y=Ae^x+Be^{2x}", "Solve y''-3y'+2y=0."): (["y=Be^x+Ae^{2x}", "y=c_1e^x+c_2e^{2x}"], ["y=Ae^x+Ae^{2x}", "y=Be^x+Ce^{3x}"]),
    (r"\frac{F}{k_1}", "Springs of constants k1 and k2 are pulled by $F$."): ([r"F/k_1"], [r"\frac{F}{k_2}", r"\frac{F}{c}", r"\frac{F}{k}"]),
    (r"\frac{F}{k_1}", "Springs of constants k₁ and k₂ are pulled by $F$."): ([r"F/k_1"], [r"\frac{F}{k_2}", r"\frac{F}{C}"]),
    (r"\frac{C_1V}{C_1+C_2}", "A capacitor C1 at voltage V is joined to C2."): ([r"\frac{VC_1}{C_2+C_1}"], [r"\frac{C_2V}{C_1+C_2}", r"\frac{AV}{A+B}"]),
    (r"\frac{A_1v_1}{A_2}", "Water flows at speed v1 through A1 into A2."): ([r"v_1A_1/A_2"], [r"\frac{A_2v_1}{A_1}"]),
    (r"2R\sin A", "In triangle ABC with circumradius $R$, express BC."): ([r"2\sin(A)R"], [r"2R\sin B", r"2R\sin C", r"2R\sin k"]),
    ("y=Ax^2", "Find ALL solutions of xy' = 2y AND state them."): (["y=Bx^2", "y=Cx^2"], ["y=Ax^3", "y=yx^2"]),
    ("x_1=1,x_2=2", "Solve x1 + x2 = 3, x1 - x2 = -1."): (["x_2=2,x_1=1"], ["x_1=2,x_2=1"]),
    ("x_1=1,x_2=2", "Solve x₁ + x₂ = 3, x₁ − x₂ = −1."): (["x_2=2,x_1=1"], ["x_1=2,x_2=1"]),
    ("x_1=1,x_2=2", "Solve x² - 3x + 2 = 0."): (["x_1=2,x_2=1"], ["x_1=2,x_2=2"]),
    ("x_1=1,x_2=2", "Solve x2 - 3x + 2 = 0."): (["x_1=2,x_2=1"], ["x_1=2,x_2=2"]),
}  # fmt: skip
ARGUMENTS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    ("f(n)=n^2", ""): (["f(x)=x^2", "f(k)=k^2", "n^2"], ["f(x)=x", "f(x)=n^3", "f(2)=4", "f(x)=2^x"]),
    ("f(x)=2x+1", ""): (["f(t)=2t+1", "f(n)=1+2n", "2x+1", "y=2x+1"], ["f(t)=2t-1", "f(t)=2x+t", "f(t)=t+1", "f(1)=2x+1", "f(x)=2t+1"]),
    ("f(x,y)=x-y", ""): (["f(a,b)=a-b", "f(y,x)=y-x"], ["f(a,b)=b-a", "f(a,a)=a-a", "f(y,x)=x-y"]),
    (r"f(x)=x \text{ and } f(x)=-x", ""): (["f(t)=t, f(t)=-t"], ["f(t)=t, f(t)=t", "f(t)=t"]),
    (r"\theta(t)=2t", ""): ([r"\theta(s)=2s", r"\theta=2t"], [r"\theta(s)=2", r"\theta(s)=2t"]),
}  # fmt: skip
DOMAINS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    (r"x=k\pi, k\in\mathbb{Z}", ""): (
        [r"x=k\pi", r"x=n\pi, n\in\mathbb{Z}", r"n\pi", r"x=k\pi (k\in Z)", r"x=(k+1)\pi, k\in\mathbb{Z}", r"x=n\pi \text{ for any integer } n", r"x=k\pi \text{ where } k \text{ is an integer}"],
        [r"x=k\pi, k\in\mathbb{R}", r"x=k\pi, k\in\mathbb{Q}", r"x=k\pi, k\in\mathbb{N}", r"x=k\pi, k>0", r"x=n\pi, n\in\mathbb{R}", r"x=k\pi, k\in\mathbb{Z}, k\ge 0", r"x=k\pi \text{ for any real } k", r"x=n\pi \text{ for all natural } n", r"x=2k\pi, k\in\mathbb{Z}"],
    ),
    (r"(t,2t), t\in\mathbb{R}", ""): ([r"(s,2s), s\in\mathbb{R}", "(t,2t)"], [r"(t,2t), t\in\mathbb{Z}", r"(t,2t), t>0", r"(2t,t), t\in\mathbb{R}", r"(s,2s), s\in\mathbb{N}"]),
    (r"c\begin{pmatrix}1\\2\end{pmatrix}", r"Find all eigenvectors of $M$ for $\lambda$."): ([r"t\begin{pmatrix}1\\2\end{pmatrix}", "(s,2s)", r"\begin{pmatrix}k\\2k\end{pmatrix}"], [r"t\begin{pmatrix}2\\1\end{pmatrix}", r"\begin{pmatrix}c\\2d\end{pmatrix}", r"\begin{pmatrix}t\\2\end{pmatrix}", r"M\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", r"\lambda\begin{pmatrix}1\\2\end{pmatrix}"]),
    ("(1,2,3)+t(4,5,6)", "Find the line through $P$ and $Q$."): (["(1,2,3)+s(4,5,6)", "(1+4t,2+5t,3+6t)", "(1+4s,2+5s,3+6s)", "(x,y,z)=(1,2,3)+t(4,5,6)", r"\begin{pmatrix}1\\2\\3\end{pmatrix}+t\begin{pmatrix}4\\5\\6\end{pmatrix}", "(1,2,3)-t(-4,-5,-6)"], ["(1,2,3)+s(4,5,7)", "(4,5,6)+t(1,2,3)", "(1,2,3)+(4,5,6)", "(1,2,3)-t(4,5,6)", "(1+4t,2+5t,3+6s)", "(1,2)+t(4,5)", "(5,7,9)"]),
    ("(a,b,c)=(k,k,k)", "Find all triples $(a,b,c)$."): (["(t,t,t)", "(a,b,c)=(t,t,t)", "(x,x,x)"], ["(t,t,2t)", "(k,k,m)", "(a,b,c)", "(a,a,a)", "(t,s,u)", "(1,1,1)"]),
    ("(c,0)", "Find the focus of $x^2/a^2+y^2/b^2=1$."): (["(c,0)"], ["(t,0)", "(k,0)", "(a,0)", "(0,c)"]),
    ("(p,q)", "Find $p+q$ and $x$."): (["(p,q)"], ["(s,t)", "(q,p)"]),
    (r"a_n=2n, n\in\mathbb{N}", ""): (["a_n=2n", r"a_n=2n, n\ge 1", r"a_n=2n, n>0", r"a_n=2n, n\ge 0", r"a_n=2n, n\in N_+"], [r"a_n=2n, n\in\mathbb{Z}", r"a_n=2n, n\ge 2", r"a_n=2n, n\in\mathbb{R}"]),
    (r"a_n=2n, n\ge 2", ""): (["a_n=2n", r"a_n=2n, n>1, n\in\mathbb{Z}", r"a_n=2n, n\in\mathbb{Z}"], [r"a_n=2n, n\in\mathbb{N}", r"a_n=2n, n\ge 1", r"a_n=2n, n\ge 3"]),
    (r"2k+1, k\in\mathbb{N}", ""): ([r"2m+1, m\in\mathbb{N}"], [r"2k-1, k\in\mathbb{N}", r"2k+1, k\in\mathbb{Z}"]),
    (r"2k, k\in\mathbb{Z}, k\ne 0", ""): ([r"2k, k\in\mathbb{Z}", r"2m, m\in\mathbb{Z}, m\ne 0"], [r"2k, k\in\mathbb{Z}, k\ne 1", r"2k, k\in\mathbb{N}"]),
    (r"[k\pi-1,k\pi+1], k\in\mathbb{Z}", ""): (
        [r"[k\pi-1,k\pi+1] (k\in\mathbb{Z})", r"[n\pi-1,n\pi+1], n\in\mathbb{Z}", r"[-1+n\pi,1+n\pi]", r"[k\pi+\pi-1,k\pi+\pi+1], k\in Z", r"[-k\pi-1,-k\pi+1], k\in\mathbb{Z}", r"k\pi-1\le x\le k\pi+1, k\in\mathbb{Z}", r"x\in[k\pi-1,k\pi+1], k\in\mathbb{Z}"],
        [r"[2k\pi-1,2k\pi+1], k\in\mathbb{Z}", r"(k\pi-1,k\pi+1], k\in\mathbb{Z}", r"(k\pi-1,k\pi+1), k\in\mathbb{Z}", r"[k\pi+\pi-1,k\pi+1], k\in\mathbb{Z}", r"[k\pi-1,k\pi+1], k\in\mathbb{R}", r"[k\pi-1,k\pi+2], k\in\mathbb{Z}", "[-1,1]", r"[k\pi-1,k\pi+1], k\in\mathbb{N}"],
    ),
    (r"(2k\pi,2k\pi+\pi)(k\in\mathbb{Z})", ""): ([r"(2k\pi-2\pi,2k\pi-\pi), k\in\mathbb{Z}", r"2n\pi<x<2n\pi+\pi, n\in\mathbb{Z}"], [r"[2k\pi,2k\pi+\pi], k\in\mathbb{Z}", r"(2k\pi-\pi,2k\pi), k\in\mathbb{Z}", r"(k\pi,k\pi+\pi), k\in\mathbb{Z}"]),
}  # fmt: skip
ROWS = [
    (gold, problem, answer, verdict)
    for table in (CONSTANTS, ARGUMENTS, DOMAINS)
    for (gold, problem), answers in table.items()
    for verdict, group in zip((1.0, 0.0), answers, strict=True)
    for answer in (*group, gold)[: None if verdict else len(group)]
]


@pytest.mark.parametrize(("gold", "problem", "answer", "verdict"), ROWS)
def test_a_parameter_may_have_any_name_and_only_a_parameter(gold, problem, answer, verdict):
    assert maths.check(f"<answer>{answer}</answer>", gold, problem=problem).value == verdict


@pytest.mark.parametrize(
    ("problem", "letters"),
    [
        ("A train leaves a station at noon. How far is it?", set()),
        ("Solve y'' + y = 0.", {"y"}),
        ("General solution of xy'=2y", {"x", "y"}),
        ("Given that $a_n = 2a_{n-1}$ and a is odd, find $a$.", {"a", "a_n", "n"}),
        (r"Find $\lambda$ with $\sin 2xy = \lambda$.", {"sin", "lambda", "x", "y"}),
        ("In triangle ABC the speeds are v1 and v₂.", {"A", "B", "C", "v", "v_1", "v_2"}),
        ("Put your answer in \\boxed{}.", set()),
    ],
)
def test_letters_of_a_problem(problem, letters):
    assert letters_in(problem) == letters
