r"""Chinese words between values and around them, full stops and full-width signs."""

import pytest
from maths_tables import check_answers

# gold answer: answers that are right, answers that are wrong
CASES: dict[str, tuple[list[str], list[str]]] = {
    "x=1或x=3": ([r"x=1 \text{ or } x=3", "1,3", "x=3或x=1", "x=1 或 3", "x=1，x=3", r"\{1,3\}", "x=1 或者 x=3", r"x=1 \text{或} x=3", "<think>k</think>$x=3或x=1$", "<think>k</think>所以 $x=1$ 或 $x=3$。", r"<think>k</think>所以 $\boxed{x=1}$ 或 $\boxed{x=3}$。", "x=1、x=3", "１，３"], ["x=1", "1", "x=1或x=2", "x=1或x=3或x=5", "1或2", r"x\neq1或x=3"]),
    "5或7": (["7或5", "5,7", r"5 \text{ or } 7", "5、7", "5和7"], ["5", "7", "5或8", "12", "57"]),
    "a<-1或a>2": ([r"(-\infty,-1)\cup(2,+\infty)", r"a<-1 \text{ or } a>2", r"a>2 \text{ 或 } a<-1", "a＜-1或a＞2", r"\{a|a<-1 或 a>2\}", r"\{a \mid a<-1 \text{ or } a>2\}"], ["a<-1", "a>2", r"a\le-1或a>2", "-1<a<2", r"(-\infty,-1)", "a<-2或a>2", r"\{a|a<-1 或 a>3\}"]),
    r"x>0且x\neq1": ([r"(0,1)\cup(1,+\infty)", r"x>0 \text{ and } x\neq 1", r"x>0,x\neq1", r"\{x\mid x>0 且 x\neq 1\}"], ["x>0", r"x\neq1", "x>1", r"x>0且x\neq2"]),
    "1和2": (["1,2", r"1 \text{ and } 2", "2、1", "2与1"], ["1", "2", "3", "1和3"]),
    "5": (["<think>k</think>所以答案是 $5$。", "<think>k</think>所以 $x=5$。", "<think>k</think>答案：$5$。", "<think>k</think>答案是5。", "<think>k</think>所以，x的值为 $5$。", "５", "x＝5", '<think>k</think>由 $x+1=6$，\n得 $x=5$。', r"<think>k</think>\boxed{5}。", "<think>k</think>故答案为：5．", "5。", "<think>k</think>因为 $y$ 不是整数，所以 $x=5$。", "<think>k</think>最大值为 $5$。"], ["<think>k</think>答案不是 $5$。", "<think>k</think>答案是 $5$ 或 $6$。", "5或7", "<think>k</think>所以 $x=6$。", "<think>k</think>x不等于 $5$。", "<think>k</think>答案不是5。", "<think>k</think>所以 $x>5$。", "大于5", "5（或6）", "5 (或 6)"]),
    r"\frac{2}{5}": ([r"<think>k</think>所以答案是 $\frac{2}{5}$。"], [r"<think>k</think>所以答案是 $\frac{3}{5}$。"]),
    "(1,2)": (["（1，2）", "(１,２)"], ["（2，1）"]),
    "3:4": (["3：4", "3∶4"], ["4：3"]),
    "x<2": (["x＜2", r"(-\infty,2)"], ["x＞2", "x≤2"]),
    r"x\ge 2": (["x≥2", "x⩾2", "x≧2"], ["x>2", "x⩽2"]),
    "D": (["D。", "<think>k</think>故选D。", "<think>k</think>故选：D．", "<think>k</think>所以正确答案是D。", "<think>k</think>综上，应选 D"], ["<think>k</think>故选C。", "C和D", "C或D", "<think>k</think>故选：C"]),
    "AB": (["A和B", "A、B", "A，B"], ["A", "A和C", "A或C"]),
    "17": ([], ["17 (或 18)", "17或18"]),
    "无解": (["无解。"], ["有解", "0"]),
    "5厘米": (["5", "5 厘米"], ["6厘米"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", CASES)
def test_chinese_words_and_signs_are_read(gold):
    check_answers(gold, CASES[gold])
