r"""Functions by cases: the rows in any order, with and without commas and words, and every near miss refused."""

import pytest
from maths_tables import check_answers

# gold answer: answers that are right, answers that are wrong
CASES: dict[str, tuple[list[str], list[str]]] = {
    r"f(x)=\begin{cases}x^2, & x>0\\ 0, & x\le0\end{cases}": (
        [
            r"\begin{cases}x^2 & x>0\\ 0 & x\le0\end{cases}",
            r"f(x)=\begin{cases}0 & \text{if } x\le0\\ x^2 & \text{if } x>0\end{cases}",
            r"f(x) = \begin{cases} x^2 & \text{if } x > 0, \\ 0 & \text{otherwise} \end{cases}",
            r"f(x)=\begin{cases}x^2, & x\ge0;\\ 0, & x<0.\end{cases}",
            r"\left\{\begin{array}{ll} x^2, & x>0 \\ 0, & x\leq 0\end{array}\right.",
            r"f(x)=\begin{cases}x^2, x>0\\ 0, x\le0\end{cases}",
            r"\begin{cases}x^2,& 当 x>0 时\\ 0,& 当 x\le0 时\end{cases}",
            r"\frac{x^2+x|x|}{2}",
        ],
        [
            r"\begin{cases}x^2, & x\le0\\ 0, & x>0\end{cases}",
            r"\begin{cases}x, & x>0\\ 0, & x\le0\end{cases}",
            r"\begin{cases}x^2, & x>1\\ 0, & x\le1\end{cases}",
            r"\begin{cases}x^2, & x>0\\ 0, & x<0\end{cases}",
            r"\begin{cases}x^2, & x>0\\ 1, & x\le0\end{cases}",
            r"\begin{cases}x^2, & x>-1\\ 0, & x\le0\end{cases}",
            r"\begin{cases}x^2, & x>0\end{cases}",
            "x^2",
            "0",
        ],
    ),
    r"a_n=\begin{cases}3, n=1\\ 2n, n\ge2\end{cases}": (
        [
            r"\begin{cases}2n & n\geq 2\\3 & n=1\end{cases}",
            r"a_n=\begin{cases}3, & n=1\\ 2n, & n>1\end{cases}",
            r"a_n=\begin{cases}3, & n=1\\ 2n, & n\ge2, n\in\mathbb{N}\end{cases}",
            r"\begin{cases}3, & n=1\\ 2n, & \text{otherwise}\end{cases}",
            r"\begin{cases}3 \text{ if } n=1\\ 2n \text{ if } n\ge 2\end{cases}",
            r"\begin{cases}3, & n=1\\ 4, & n=2\\ 2n, & n\ge3\end{cases}",
        ],
        [
            r"\begin{cases}2, n=1\\ 2n, n\ge2\end{cases}",
            r"\begin{cases}3, n=1\\ 2n, n\ge3\end{cases}",
            r"\begin{cases}3, n=1\\ 2n+1, n\ge2\end{cases}",
            r"\begin{cases}3, n=2\\ 2n, n\ge2\end{cases}",
            r"\begin{cases}2n, n=1\\ 3, n\ge2\end{cases}",
            "2n",
            "3, 2n",
        ],
    ),
    r"\left\{\begin{array}{ll} x+1, & x<0 \\ x-1, & x \geq 0\end{array}\right.": (
        [r"\begin{cases} x-1 & x\ge0\\ x+1 & \text{otherwise}\end{cases}"],
        [
            r"\begin{cases} x+1 & x\le0\\ x-1 & x>0\end{cases}",
            r"\begin{cases} x-1 & x<0\\ x+1 & x\ge0\end{cases}",
            r"\begin{cases} x+1 & x<0\\ x-1 & x\ge1\end{cases}",
        ],
    ),
    r"|x|": (
        [r"\begin{cases}x,&x\ge0\\-x,&x<0\end{cases}", r"\begin{cases} x & x\ge 0 \\ -x & x\le0\end{cases}"],
        [
            r"\begin{cases}-x,&x\ge0\\x,&x<0\end{cases}",
            r"\begin{cases}x,&x>0\\-x,&x<0\end{cases}",
            r"\begin{cases}x,&x\ge1\\-x,&x<1\end{cases}",
            r"\begin{cases}x,&x\ge0\end{cases}",
        ],
    ),
    r"f(x)=\begin{cases} x & x\ge 0 \\ -x & x<0\end{cases}": (
        ["|x|", r"\sqrt{x^2}", r"f(x)=\max(x,-x)"],
        ["x", "-x", "|x|+1", "f(x)=|x-1|"],
    ),
    r"\begin{cases}1 & \text{if } n=0 \\ 0 & \text{otherwise}\end{cases}": (
        [r"\begin{cases}0, & n\neq 0\\1, & n=0 \end{cases}"],
        [r"\begin{cases}0, & n=0 \\ 1, & n\neq 0\end{cases}", r"\begin{cases}1, & n=0\end{cases}", "0", "1"],
    ),
    r"\begin{cases} n/2 & n \text{ even} \\ (n+1)/2 & n \text{ odd}\end{cases}": (
        [
            r"\begin{cases} \frac{n}{2} & \text{if } n \text{ is even} \\ \frac{n+1}{2} & \text{if } n \text{ is odd}\end{cases}",
            r"\begin{cases}\frac n2, & n \text{为偶数}\\ \frac{n+1}{2}, & n\text{为奇数}\end{cases}",
            r"\begin{cases} \frac n2 & n=2k \\ \frac{n+1}2 & n=2k+1\end{cases}",
            r"\begin{cases} \frac n2 & n\equiv0\pmod 2 \\ \frac{n+1}2 & n\equiv 1\pmod 2\end{cases}",
            r"\lceil n/2\rceil",
        ],
        [
            r"\begin{cases} n/2 & n \text{ odd} \\ (n+1)/2 & n \text{ even}\end{cases}",
            r"\begin{cases} n/2 & n \text{ even} \\ (n-1)/2 & n \text{ odd}\end{cases}",
            r"\lfloor n/2\rfloor",
            "n/2",
        ],
    ),
    r"C(m)=\left\{\begin{array}{rll}10 & \text { if } & 0 \leq m \leq 500 \\ 10+0.15(m-500) & \text { if } & m>500\end{array}\right.": (
        [r"\begin{cases}10,&0\le m\le 500\\ 10+\frac{3}{20}(m-500),& m\ge 500\end{cases}"],
        [
            r"\begin{cases}10,&0\le m\le 500\\ 10+\frac{3}{20}m,& m> 500\end{cases}",
            r"\begin{cases}10,&0\le m\le 400\\ 10+0.15(m-500),& m> 400\end{cases}",
        ],
    ),
    r"g(a)=\begin{cases}a^2-2a, & a<1\\ -1, & 1\le a\le 2\\ a-3, & a>2\end{cases}": (
        [r"g(a)=\begin{cases}a(a-2), & a\le1\\ -1, & 1<a<2\\ a-3, & a\ge2\end{cases}"],
        [
            r"\begin{cases}a^2-2a, & a<1\\ -1, & 1\le a\le 3\\ a-3, & a>3\end{cases}",
            r"\begin{cases}a^2-2a, & a<1\\ a-3, & 1\le a\le 2\\ -1, & a>2\end{cases}",
        ],
    ),
    r"\begin{cases} x^2 & x < a \\ a x & x \ge a\end{cases}": (
        [r"\begin{cases} ax & x \ge a\\ x^2 & x \le a \end{cases}"],
        [
            r"\begin{cases} x^2 & x < 2a \\ a x & x \ge 2a\end{cases}",
            r"\begin{cases} x^2 & x \ge a \\ a x & x < a\end{cases}",
        ],
    ),
    r"\begin{cases}1 & x \text{ is rational}\\0 & x \text{ is irrational}\end{cases}": (
        [r"\begin{cases}0 & \text{if } x \text{ is irrational}\\1 & \text{if } x \text{ is rational}\end{cases}"],
        [r"\begin{cases}0 & x \text{ rational}\\1 & x \text{ irrational}\end{cases}"],
    ),
    r"f(x)=\begin{cases}x, & x<-1 \text{ or } x>1\\ 1, & -1\le x\le 1\end{cases}": (
        [
            r"\begin{cases}x, & x\in(-\infty,-1)\cup(1,\infty)\\ 1, & x\in[-1,1]\end{cases}",
            r"\begin{cases}x, & x<-1或x>1\\ 1, & \text{otherwise}\end{cases}",
        ],
        [
            r"\begin{cases}x, & x>1\\ 1, & -1\le x\le 1\end{cases}",
            r"\begin{cases}x, & x\le-1 \text{ or } x>1\\ 1, & -1< x\le 1\end{cases}",
        ],
    ),
    r"f(x)=\begin{cases} 2x, & 0\le x\le 1\\ 3-x, & 1<x\le 3\end{cases}": (
        [r"\begin{cases} 3-x, & 1\le x\le 3\\2x, & 0\le x\le 1\end{cases}"],
        [
            r"\begin{cases} 2x, & x\le 1\\ 3-x, & x>1\end{cases}",
            r"\begin{cases} 2x, & 0\le x\le 1\\ 3-x, & 1<x< 3\end{cases}",
        ],
    ),
    r"f(x)=\begin{cases} x+\frac1x, & x\neq0\\ 0, & x=0\end{cases}": (
        [r"\begin{cases} \frac{x^2+1}{x}, & x\neq0\\ 0, & x=0\end{cases}"],
        [r"\begin{cases} x+\frac1x, & x\neq0\\ 1, & x=0\end{cases}", r"x+\frac1x"],
    ),
    "2n": (
        [r"\begin{cases}2, & n=1\\ 2n,& n\ge2\end{cases}"],
        [r"\begin{cases}2n,& n=100\end{cases}", r"\begin{cases}2n,& n\ge100\end{cases}"],
    ),
    "n(n-1)": ([], [r"\begin{cases} n(n-1) & n\ge2\\ 0 & n=5\end{cases}"]),
    "5": ([], [r"\begin{cases}5 & x>0\end{cases}", r"\begin{cases}5 & x>0\\ 6& x\le0\end{cases}"]),
    r"\left[\begin{array}{rrr}2 & 1 & 3 \\ 0 & 3 & -3\end{array}\right] \simeq \left[\begin{array}{rrr}1 & 0 & 2 \\ 0 & 1 & -1\end{array}\right]": (
        [],
        [
            r"\left[\begin{array}{rrr}2 & 1 & 4 \\ 0 & 3 & -3\end{array}\right] \simeq \left[\begin{array}{rrr}1 & 0 & 2 \\ 0 & 1 & -1\end{array}\right]"
        ],
    ),
    r"\left[\begin{array}{rrr}2 & 1 & 3 \\ 0 & 3 & -3\end{array}\right]": (
        [r"\begin{bmatrix}2 & 1 & 3 \\ 0 & 3 & -3\end{bmatrix}"],
        [r"\left[\begin{array}{rrr}2 & 1 & 4 \\ 0 & 3 & -3\end{array}\right]"],
    ),
    r"\begin{cases}1, & n\equiv 0,1\pmod 4\\ 0,& n\equiv 2,3 \pmod 4\end{cases}": (
        [r"\begin{cases}1, & n\equiv 0,1\pmod 4\\ 0,& \text{otherwise}\end{cases}"],
        [r"\begin{cases}1, & n\equiv 0,2\pmod 4\\ 0,& \text{otherwise}\end{cases}"],
    ),
    r"\begin{cases} x=1 \\ y=2 \end{cases}": (
        [
            r"\begin{cases} x=1, \\ y=2. \end{cases}",
            "x=1,y=2",
            r"\left\{\begin{array}{l} x=1, \\ y=2\end{array}\right.",
        ],
        ["x=2,y=1", r"\begin{cases} x=1, \\ y=3. \end{cases}"],
    ),
}


@pytest.mark.parametrize("gold", CASES)
def test_a_function_by_cases_is_compared_by_its_values(gold):
    check_answers(gold, CASES[gold])
