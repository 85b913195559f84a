r"""What the formula around the last box says: a factor, a power, a function belong to the answer; a name, a unit, a word do not."""

import pytest

from r1_verifiers import maths

# gold answer: replies that are right, replies that are wrong
CASES: dict[str, tuple[list[str], list[str]]] = {
    "42": ([r"$x = \boxed{42}$", r"\boxed{42}.", r"\boxed{42}, as required.", r"$\boxed{42}$ - done", r"\boxed{42} - the end", r"$\boxed{42} \quad \blacksquare$", r"$\boxed{42}\ \square$", r"\[ \boxed{42} \]", r"$$\boxed{42}.$$", r"$6\cdot 7=\boxed{42}$", r"$2x+1 \approx \boxed{42}$", r"$\Rightarrow \boxed{42}$", r"$\therefore \boxed{42}$", r"$\text{Answer: }\boxed{42}$", r"\begin{aligned} x &= 40+2 \\ &= \boxed{42} \end{aligned}", r"\[\begin{aligned} x &= 40+2 \\ &= \boxed{42}. \end{aligned}\]", r"$\mathbf{\boxed{42}}$", r"${\color{red}\boxed{42}}$", r"$\textcolor{red}{\boxed{42}}$", r"$\displaystyle\boxed{42}$", r"$\left(\boxed{42}\right)$", r"**\boxed{42}**", r"**Answer:** \boxed{42}", r"**Final Answer** \boxed{42}!", r"The answer is \boxed{42}!", r"1. \boxed{42}", r"Step 3: \boxed{42}", r"Problem 3 \boxed{42}", r"$\$\boxed{42}$", r"$\boxed{42} \tag{1}$", r"$\boxed{42}^{\text{nd}}$", r"$f(2)=\boxed{42}$", r"$f(\frac12) = \boxed{42}$", r"$\boxed{42}\text{ cm}$", r"$\boxed{42}\,\text{cm}$", r"$\boxed{42}$ cm", r"$\boxed{42} cm$", r"$\boxed{42}m$", r"$\boxed{42} \text{ (as required)}$", r"$\boxed{42}\ (n\ge 1)$", r"$m+n=\boxed{42}$", r"$N = 2^{5}+10 = \boxed{42}$", r"\boxed{42} or \boxed{42}", r"$$x=\frac{84}{2}=\boxed{42}$$ so 2 and 3", r"$x \in \{\boxed{42}\}$", 'Answer: $\\boxed{42}$\n- Note 1\n- Note 2', r"the total is $5 + $37, which is \boxed{42}", r"$\underline{\boxed{42}}$", r"\(\boxed{42}\)", r"$\boxed{42} = 6\cdot 7$", r"$\boxed{42}\ \checkmark$", r"$\boxed{42}\pmod{43}$", r"$a_{1} = \boxed{42}$", r"$\boxed{ 42 }\;$", r"$\large\boxed{42}$", r"${\boxed{42}}$", r"$\boxed{\boxed{42}}$", r"$(\boxed{42})$", r"\boxed{42} (since $6\cdot7=42$)", r"$|x|=\boxed{42}$", r"$41+1\to\boxed{42}$", r"答案是 $\boxed{42}$。", r"所以\boxed{42}个", r"$x=42=\boxed{42}$", '$\\boxed{42}$\n\n$2+3$', r"$\angle A=\boxed{42}^\circ$", r"$\boxed{42}^{\circ}$", r"$\boxed{42}^{o}$"], [r"\boxed{42} + 1", r"\boxed{42}^2", r"$\boxed{42}!$", r"\frac{\boxed{42}}{2}", r"$\frac{\boxed{42}}{2}$", r"$\frac{2}{\boxed{42}}$", r"\boxed{42}\cdot 10", r"$\boxed{42}\pi$", r"$3\boxed{42}$", r"$\sqrt{\boxed{42}}$", r"\sqrt{\boxed{42}}", r"$2\cdot\boxed{42}=84$", r"$\boxed{42}x$", r"$\boxed{42}+\sqrt2$", r"$1-\boxed{42}$", r"$x=-\boxed{42}$", r"$\boxed{42}\cdot\frac12$", r"$\log_2\boxed{42}$", r"$2^{\boxed{42}}$", r"$\boxed{42}^{-1}$", r"$3(\boxed{42}+1)$", r"$2\times\boxed{42}$", r"$\boxed{42}+\boxed{3}$", r"$\boxed{42}_8$", r"$\pm\boxed{42}$", r"$\mathbf{\boxed{42}}^2$", r"${\boxed{42}}^2$", r"$\boxed{42}/2$", r"\boxed{42}/2", r"3\boxed{42}", r"2\cdot\boxed{42}", r"\[\boxed{42}\times 10^3\]", r"\(\boxed{42}\sqrt{2}\)", r"$\sin\boxed{42}$", r"$\boxed{42}i$", r"$x^{\boxed{42}}$", r"$\boxed{42}(x+1)$", r"$e\boxed{42}$"]),
    "6": ([r"$\boxed{6}=6$", r"$12/2=6.0=\boxed{6}$", r"$f(7)=\boxed{6}$", r"$a=7, b=\boxed{6}$", r"$\boxed{6} \quad \boxed{6}$", r"$\boxed{6}\,\boxed{6}$", r"\boxed{6} \boxed{6}", "$\\boxed{6}$ $\\boxed{6}$", r"It is 3. \boxed{6}", r"$\sum_{i=1}^{3} i=\boxed{6}$", r"$x_{7}=\boxed{6}$", r"$x\neq 0, x=\boxed{6}$", r"$\boxed{6}=7-1$"], [r"$\boxed{3}+\boxed{6}$", r"$\boxed{6}\boxed{6}$", r"$\boxed{6} \boxed{6}$", r"$\boxed{6}-\boxed{6}$", r"$\boxed{6}\cdot\boxed{6}$", r"$\boxed6=7$", r"$x=\boxed{6}=7$", r"$7=\boxed{6}$", r"$x=7=\boxed{6}$", r"$\boxed{6}=5.96$", r"$\boxed{6}=\frac{13}{2}$", r"$\neq\boxed6$", r"$x \not= \boxed{6}$", r"x ≠ \boxed{6}", r"$\neg\boxed{6}$", r"$0.\boxed6$", r"$10\boxed{6}$"]),
    "9": ([r"$\boxed{3}+\boxed{6}$", r"$\boxed{3}\cdot\boxed{3}$"], [r"$\boxed{3}-\boxed{6}$", r"$\boxed{9}+\boxed{9}$"]),
    r"\frac13": ([r"$\boxed{\frac13}=0.333$", r"$0.33=\boxed{\frac13}$", r"$\boxed{\frac{1}{3}}=\frac{2}{6}.$"], [r"$\boxed{\frac13}=0.5$", r"$\boxed{\frac{1}{3}}=\frac{2}{5}.$", r"$\frac25=\boxed{\frac13}$", r"$\boxed{\frac13}=-\frac13$"]),
    r"12\pi": ([r"$\boxed{12}\pi$", r"$A=\boxed{12\pi}$", r"$\boxed{12}\cdot\pi$", r"$A = \boxed{12}\,\pi$", r"$\boxed{12\pi}\text{ cm}^2$"], [r"$\boxed{12}$", r"$\boxed{12\pi}\pi$"]),
    r"6\sqrt{2}": ([r"$6\boxed{\sqrt2}$", r"$x=\boxed{6}\sqrt{2}$", r"$\sqrt{\boxed{72}}$"], [r"$x=\boxed{6}$"]),
    "-5": ([r"$x = -\boxed{5}$", r"$-\boxed{5}$", r"$x=\boxed{-5}$", r"$- \boxed{5}\text{ cm}$"], [r"- \boxed{5}", r"$\boxed{5}$"]),
    r"\frac{1}{2}": ([r"$P=\frac{3}{6}=\boxed{\frac12}$", r"$\frac{\boxed{1}}{\boxed{2}}$", r"$\boxed{\dfrac{1}{2}}$", r"$\frac{\boxed{1}}{2}$", r"$\boxed{50}\%$"], [r"$1-\boxed{\frac12}\cdot\frac12$", r"$\frac{1}{\boxed{3}}$", r"$2\boxed{\frac12}$"]),
    "A": ([r"$\boxed{A}$", r"\boxed{A}.", r"$\boxed{\text{A}}$", r"$\textbf{(\boxed{A})}$", r"$\boxed{A}\quad 5$", r"\boxed{A}) 5"], [r"$\boxed{B}$"]),
    "5 cm": ([r"$\boxed{5}\text{ cm}$", r"$\boxed{5} cm$", r"$\boxed{5}\,\mathrm{cm}$", r"$\boxed{5}\mathrm{~cm}$"], [r"$\boxed{5}\text{ m}$", r"$\boxed{5}\text{ cm}^2$"]),
    "3,5": ([r"$a=\boxed{3}$, $b=\boxed{5}$", r"\boxed{3} and \boxed{5}", r"$\boxed{3},\boxed{5}$", '\\boxed{3}\n\n\\boxed{5}', r"$x=\boxed{3}\text{ or }x=\boxed{5}$", r"$\boxed{3}\quad\boxed{5}$", r"$\boxed{3}\ \boxed{5}$"], [r"$\boxed{3}+\boxed{5}$", r"\boxed{5}", r"$\boxed{3}$, $2\boxed{5}$"]),
    r"(-\infty,1)\cup(2,\infty)": ([r"$x\in\boxed{(-\infty,1)\cup(2,\infty)}$", r"$\boxed{(-\infty,1)}\cup\boxed{(2,\infty)}$"], [r"$\boxed{(2,\infty)}$"]),
    r"50\%": ([r"$\boxed{50}\%$", r"\boxed{50}%", r"$\boxed{50\%}$"], [r"$\boxed{5}\%$"]),
    r"90^\circ": ([r"$\boxed{90}^\circ$", r"$\boxed{90^\circ}$", r"$\angle B = \boxed{90}^{\circ}$"], [r"$\boxed{91}^\circ$", r"$\boxed{45}^\circ\cdot 3$"]),
    "x=5": ([r"$\boxed{x=5}$", r"$\boxed{x = 5}$."], [r"$\boxed{y=5}$"]),
    "$5": ([r"$\$\boxed{5}$", r"\$\boxed{5}", r"$\boxed{\$5}$"], [r"\$\boxed{6}"]),
    "1.3": ([r"$E=\boxed{1.3} {eV}$", r"$\boxed{1.3} {~m} / {s}$", r"$\boxed{1.3}{~s}^{-1}$", r"$\boxed{1.3} \mu \mathrm{m}$", r"$\boxed{1.3}^{\prime \prime}$", r"$\boxed{1.3} nm$", r"$\boxed{1.3} \mathrm{~cm}^{-3}$"], [r"$\boxed{1.3}m+2$", r"$\boxed{1.3}^{-1}$", r"$\boxed{1.3}/s+1$", r"$\boxed{1.3}y$"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", CASES)
def test_the_formula_around_a_box_counts(gold):
    right, wrong = CASES[gold]
    for reply in right:
        verdict = maths.check(f"<think>k</think>\n{reply}", gold)
        assert (verdict.value, verdict.reason) == (1.0, ""), reply
    for reply in wrong:
        assert maths.check(f"<think>k</think>\n{reply}", gold).value == 0.0, reply
