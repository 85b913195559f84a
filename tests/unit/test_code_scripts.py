"""Scripts that test a program: their variables, exceptions and values behave as in Python, although only values leave the sandbox."""

import asyncio
import time

import pytest

import r1sdk
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.run_tests import check_program
from r1_verifiers.code.tests import read_tests
from r1_verifiers.code.values import same_value, write_value

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=2)
    close_pools()


def check(sandbox, program, script, shape="tests"):
    info = {shape: [script] if shape == "tests" else script}
    return asyncio.run(check_program(f"```python\n{program}\n```", info, sandbox)).value


def define(body, head="f(a)"):
    return f"def {head}:\n    " + body.replace("\n", "\n    ")


SORTS = define("a.sort()\nreturn a")
SORTED = define("return sorted(a)")
NOTHING = define("return None")
COUNTS = define("d[k] = d.get(k, 0) + 1\nreturn d[k]", "f(d, k)")

VARIABLES = [
    # what a call does to an argument is seen afterwards, in whatever statement it stands
    ("a = [3, 1, 2]\nb = f(a)\nassert b == [1, 2, 3]\nassert a == [3, 1, 2]", SORTED, SORTS),
    ("a = [3, 1, 2]\nb = f(a)\nassert b == [1, 2, 3]\nassert a == [1, 2, 3]", SORTS, SORTED),
    ("a = [2, 1]\nassert f(a) is None\nassert a == [1, 2]", define("a.sort()"), NOTHING),
    ("a = [2, 1]\nassert f(a) == [1, 2] and a == [2, 1]", SORTED, SORTS),
    ("a = [2, 1]\nassert a == f(a)", SORTS, SORTED),
    ("a = [2, 1]\nassert sorted(a) == f(a)\nassert a == [2, 1]", SORTED, SORTS),
    ("a = [2, 1]\nf(a=a)\nassert a == [1, 2]", SORTS, NOTHING),
    ("a = [2, 1]\nf([a])\nassert a == [1, 2]", define("a[0].sort()"), NOTHING),
    ("a = [2, 1]\nf({'k': (a, 1)})\nassert a == [1, 2]", define("a['k'][0].sort()"), NOTHING),
    ("a = [2, 1]\nb = a\nf(a)\nassert b == [1, 2]", SORTS, NOTHING),
    ("a = [2, 1]\nb = a[:]\nf(a)\nassert b == [2, 1] and a == [1, 2]", SORTS, NOTHING),
    ("a = [2, 1]\nb = [a, a]\nf(a)\nassert b == [[1, 2], [1, 2]]", SORTS, NOTHING),
    ("a = [2, 1]\nb = (a, 0)\nf(b)\nassert a == [1, 2]", define("a[0].sort()"), NOTHING),
    ("a = [2, 1]\nb = a\na = [0]\nf(a)\nassert b == [2, 1] and a == [0]", NOTHING, define("a.append(1)")),
    ("a = [2, 1]\nb = a\na = [4, 3]\nf(b)\nassert b == [1, 2] and a == [4, 3]", SORTS, NOTHING),
    ("a = [[2, 1], 0]\nb = a.copy()\nf(a)\nassert b == [[1, 2], 0]", define("a[0].sort()"), NOTHING),
    ("import copy\na = [[2, 1]]\nb = copy.deepcopy(a)\nr = f(a)\nassert a == b", SORTED, define("a[0].sort()")),
    ("m = [[1, 2], [3, 4]]\nf(m[0])\nassert m == [[2, 1], [3, 4]]", define("a.reverse()"), NOTHING),
    ("m = [[0] * 2] * 2\nf(m)\nassert m == [[1, 0], [1, 0]]", define("a[0][0] = 1"), NOTHING),
    ("a = [1]\nb = a\na += [2]\nassert f(a) == 3\nassert f(b) == 3", define("return sum(a)"), define("return len(a)")),
    ("s = {1}\nr = f(s)\nassert r is None\nassert s == {1, 2}", define("a.add(2)"), NOTHING),
    ("d = {}\nassert f(d, 'a') == 1\nassert f(d, 'a') == 2\nassert d == {'a': 2}", COUNTS, define("return 1", "f(d, k)")),
    ("d = {'a': [1]}\nr = f(d['a'])\nassert d == {'a': [1]}", define("return len(a)"), define("a.pop()")),
    ("from collections import deque\nq = deque([1])\nf(q)\nassert list(q) == [1, 2]", define("a.append(2)"), NOTHING),
    ("s = []\nr = f(s, 1)\nr = f(s, 2)\nassert r == [1, 2]", define("s.append(x)\nreturn s", "f(s, x)"), define("return [x]", "f(s, x)")),
    ("s = []\nfor x in (1, 2):\n    f(s, x)\nassert s == [1, 2]", define("s.append(x)", "f(s, x)"), define("s[:] = [x]", "f(s, x)")),
    ("n = [3, 2, 2, 3]\nk = f(n, 3)\nassert n[:k] == [2, 2]", define("a[:] = [x for x in a if x != v]\nreturn len(a)", "f(a, v)"), define("return 2", "f(a, v)")),
    ("a = [3, 1]\nm = f(a)\nassert m == a[0]", define("a.sort()\nreturn a[0]"), define("return min(a)")),
    ("cases = [[2, 1], [4, 3]]\nfor a in cases:\n    before = a[:]\n    r = f(a)\n    assert r == sorted(before)\n    assert a == before", SORTED, SORTS),
    ("assert [(f(a), a) for a in [[2, 1]]] == [(None, [1, 2])]", define("a.sort()"), NOTHING),
    ("a = 1\nassert [(f(a), a) for a in [[2, 1]]] == [(None, [1, 2])]\nassert a == 1\nassert f([]) is None", define("a.sort()"), SORTS),
    ("a = [3, 1]\nwant = sorted(a)\nassert f(a) == want", SORTED, define("a.clear()\nreturn a")),
    ("a = [3, 1]\nassert f(a) is None\nn = len(a)\nassert n == 3", define("a.append(1)"), NOTHING),
    ("a = [3, 1]\nr = f(a)\nfor x in a:\n    assert x > 5", define("a[:] = [7, 8]"), NOTHING),
    ("a = [3, 1]\nr = f(a)\nfor i in range(len(a)):\n    assert r[i] == a[i] * 2", define("return [x * 2 for x in a]"), define("return [x + x * x for x in a]")),
    ("a = [1, 2, 3]\nr = f(a)\nassert r is not a\nassert r == a", define("return a[:]"), define("return a")),
    ("a = [1, 2, 3]\nassert f(a) is a", define("return a"), define("return a[:]")),
    # a value that holds more than what is given: the part alone is given, and is seen in the whole
    ("c = {'in': [3, 1], 'out': [1, 3]}\nassert f(c['in']) == c['out']\nassert c['in'] == [1, 3]\nassert c == {'in': [1, 3], 'out': [1, 3]}", SORTS, SORTED),
    ("c = {'in': [3, 1], 'out': [1, 3]}\nassert f(c.get('in')) == c.get('out')\nassert c.get('in') == [3, 1]", SORTED, SORTS),
    ("a = [3, 1]\nb = {'a': a, 'want': [1, 3]}\nassert f(a) == b['want']\nassert b['a'] == [1, 3]", SORTS, SORTED),
    ("cases = [([3, 1], [1, 3]), ([5, 4], [4, 5])]\nfor c in cases:\n    assert f(c[0]) == c[1]\nassert len(cases) == 2", SORTED, NOTHING),
    ("cases = {'x': {'in': [2, 1], 'out': [1, 2]}}\nfor k in cases:\n    assert f(cases[k]['in']) == cases[k]['out']", SORTED, NOTHING),
    ("d = {'a': [3, 1]}\nassert f(**d) == [1, 3]\nassert d == {'a': [3, 1]}", SORTED, SORTS),
    ("t = ([3, 1],)\nassert f(*t) == [1, 3]\nassert t == ([3, 1],)", SORTED, SORTS),
    ("a = list(range(200000))\nassert f(a) == sorted(a)", SORTED, define("return a[1:]")),
]  # fmt: skip


@pytest.mark.parametrize(("script", "right", "wrong"), VARIABLES)
def test_variables_of_a_script_behave_as_in_python(sandbox, script, right, wrong):
    assert check(sandbox, right, script) == 1.0
    assert check(sandbox, wrong, script) == 0.0


REACHES = """
import sys, gc
def f(*given, **named):
    frame = sys._getframe()
    while frame and frame.f_code.co_filename != "test.py":
        frame = frame.f_back
    values = [value for name, value in frame.f_globals.items() if name[:1] != "_" or name[:6] == "_part_"]
    found = [value for value in values if type(value) in (list, dict, tuple)]
    for value in found:
        found += [one for one in (value.values() if type(value) is dict else value) if type(one) in (list, dict, tuple)]
    {then}
"""
RETURNS = REACHES.replace("{then}", "return next((one for one in found if one == [1, 3]), None)")
CLEARS = REACHES.replace("{then}", "[one.clear() for one in found if type(one) is not tuple]\n    return []")


@pytest.mark.parametrize(
    "script",
    [
        "c = {'in': [3, 1], 'out': [1, 3]}\nassert f(c['in']) == c['out']",
        "c = ([3, 1], [1, 3])\nassert f(c[0]) == c[1]\nassert c[1] == [1, 3]",
        "c = {'in': [3, 1], 'out': [1, 3]}\nassert f(c.get('in')) == c.get('out')",
        "a, want = [3, 1], [1, 3]\ncases = [(a, want)]\nassert f(a) == want\nassert len(cases) == 1",
        "cases = [([3, 1], [1, 3])]\nfor c in cases:\n    assert f(c[0]) == c[1]\nassert cases[0][1] == [1, 3]",
        "c = {'in': [3, 1], 'out': [1, 3]}\na = c['in']\nwant = c['out']\nassert f(a) == want",
    ],
)
def test_a_program_finds_nothing_that_is_expected_beside_what_it_is_given(sandbox, script):
    assert check(sandbox, RETURNS, script) == check(sandbox, CLEARS, script) == 0.0
    assert check(sandbox, SORTED, script) == 1.0


@pytest.mark.parametrize(
    "given", ["a[:]", "list(a)", "a.copy()", "tuple(a)", "sorted(a)", "[x for x in a]", "*a", "copy.copy(a)", "len(a)"]
)
def test_a_copy_of_a_value_is_all_that_a_program_is_given(sandbox, given):
    script = f"import copy\na = [3, 1]\nr = f({given})\nassert len(r) == len(a)\nassert r == sorted(a)"
    assert check(sandbox, CLEARS, script) == 0.0
    assert check(sandbox, define("return [1, 3]", "f(*a)"), script) == 1.0


def test_a_part_that_has_no_literal_is_given_alone_too():
    script = (
        "import datetime\nc = {'in': [datetime.date(2020, 1, 2)], 'out': [datetime.date(1999, 1, 1)]}\n"
        "assert f(c['in']) == c['out']"
    )
    (case,) = read_tests({"tests": [script]}).cases
    assert "2020" in case.stdin and "1999" not in case.stdin


def test_a_class_with_the_name_of_an_exception_is_not_that_exception(sandbox):
    script = "with pytest.raises(ValueError):\n    f(-1)"
    assert check(sandbox, "class ValueError(Exception): pass\n" + define("raise ValueError(a)"), script) == 0.0
    assert check(sandbox, "E = type('ValueError', (Exception,), {})\n" + define("raise E(a)"), script) == 0.0
    lying = "class M(type):\n    __mro__ = (ValueError,)\nclass E(Exception, metaclass=M): pass\n"
    assert check(sandbox, lying + define("raise E(a)"), script) == 0.0
    assert check(sandbox, "class E(ValueError): pass\n" + define("raise E(a)"), script) == 1.0
    script = "with pytest.raises(IOError):\n    f(-1)"
    assert check(sandbox, define("open('/missing')"), script) == 1.0
    assert check(sandbox, define("raise ValueError(a)"), script) == 0.0


def test_long_integers_and_patterns_take_no_time_here(sandbox):
    begun = time.monotonic()
    long = define("return (1 << 24_000_000 * a) - 3")
    for script in (
        "assert f(2) % f(1) == 5",
        "import math\nassert math.gcd(f(2), f(1)) == 5",
        "assert pow(3, f(1), f(1)) == 2",
    ):
        assert check(sandbox, long, script) == 0.0
    assert check(sandbox, define("return a ** 20_000"), "assert f(7) % f(5) > 0 and f(7) % 10 == 1") == 1.0
    with pytest.raises(r1sdk.R1Error, match="may take any time"):
        read_tests({"tests": ["with pytest.raises(ValueError, match=r'^(\\w+ ?)*$'):\n    f(1)"]})
    assert time.monotonic() - begun < 20


def test_a_text_is_no_key_of_a_set(sandbox):
    assert check(sandbox, define("return {'et[2]n1', '{[2]n1'}"), "assert f(3) == {frozenset({1}), '{[2]n1'}") == 0.0
    assert check(sandbox, define("return {frozenset({1})}"), "assert f(3) == {frozenset({1})}") == 1.0


def test_what_is_expected_stays_here_though_what_is_given_does_not():
    script = (
        "cases = [([3, 1], [1111, 3333])]\nfor a, want in cases:\n    keep = want\n    assert f(a) == want\n"
        "    assert a == keep\nextra = [5555]\nassert f([0]) == extra\nassert f(extra[0]) == 5"
    )
    (case,) = read_tests({"tests": [script]}).cases
    assert "[3, 1]" in case.stdin and "1111" not in case.stdin and "[5555]" not in case.stdin


@pytest.mark.parametrize(
    "script",
    [
        "a = [1]\nassert f(a) == 1\nassert a == [2] or len([1]) == 2\nassert 1 == 2",
        "import os\nassert f(1) == 1\nassert os.path.exists('x')\nassert len('ab') == 3",
        "x = 3\nassert f(1) == 1\nassert x == 4",
        "x = 3\nassert f(1) == 1\nassert '%r' % x == '3'",
    ],
)
def test_a_check_that_cannot_be_judged_leaves_the_script_out(script):
    with pytest.raises(r1sdk.R1Error, match="test 1 cannot be read"):
        read_tests({"tests": [script]})


def test_a_program_that_redefines_builtins_changes_no_check(sandbox):
    script = "a = [3, 1]\nr = f(a)\nassert sorted(r) == sorted(a)\nassert len(r) == 2\nassert str(r[0]) == '1'\nwant = list(a)\nassert want == [3, 1]"
    cheat = "def f(a): return 5\ndef sorted(x): return 0\ndef len(x): return 2\ndef str(x): return '1'\ndef list(x): return [3, 1]"
    assert check(sandbox, SORTED, script) == 1.0
    for program in (cheat, "import builtins\nbuiltins.sorted = lambda x: 0\nbuiltins.str = lambda x: '1'\n" + cheat):
        assert check(sandbox, program, script) == 0.0


CHECKS = "if a < 0:\n    raise ValueError('negative number')\nreturn a"
SILENT = define("return a")
OTHER_ERROR = define("if a < 0:\n    raise TypeError('negative number')\nreturn a")
OTHER_TEXT = define("if a < 0:\n    raise ValueError('bad')\nreturn a")
EXITS = "import sys\n" + define("if a < 0:\n    sys.exit(2)\nreturn a")
CODED = (
    "class Odd(Exception):\n    def __init__(s, code):\n        s.code = code\n        super().__init__('odd', code)\n"
    + define("raise Odd({})")
)
RAISING = [
    ("with pytest.raises(ValueError) as e:\n    f(-1)\nassert 'neg' in str(e.value)", define(CHECKS), OTHER_TEXT),
    ("with pytest.raises(ValueError) as e:\n    f(-1)\nassert str(e.value) == 'negative number'", define(CHECKS), OTHER_ERROR),
    ("with pytest.raises(ValueError) as e:\n    f(-1)\nassert e.value.args[0] == 'negative number'", define(CHECKS), OTHER_TEXT),
    ("with pytest.raises(ValueError) as e:\n    f(-1)\nassert e.value.args == ('negative number',)", define(CHECKS), OTHER_TEXT),
    ("with pytest.raises(ValueError) as e:\n    f(-1)\nassert 'negative' in str(e)", define(CHECKS), OTHER_TEXT),
    ("with pytest.raises(ValueError) as e:\n    f(-1)\nassert e.match('^neg')", define(CHECKS), SILENT),
    ("with pytest.raises(ValueError) as e:\n    f(-1)\ne.match('^neg')", define(CHECKS), OTHER_TEXT),
    ("with pytest.raises((ValueError, TypeError)) as e:\n    f(-1)\nassert e.type is ValueError", define(CHECKS), OTHER_ERROR),
    ("with pytest.raises(Exception) as e:\n    f(-1)\nassert type(e.value) == ValueError", define(CHECKS), OTHER_ERROR),
    ("with pytest.raises(Exception) as e:\n    f(-1)\nassert isinstance(e.value, ValueError)", define(CHECKS), OTHER_ERROR),
    ("with pytest.raises(Exception) as e:\n    f(-1)\nassert e.typename == 'ValueError'", define(CHECKS), OTHER_ERROR),
    ("with pytest.raises(ValueError, match='neg') as e:\n    f(-1)", define(CHECKS), OTHER_TEXT),
    ("with pytest.raises(ValueError) as e:\n    f(-1)\nassert e is not None", define(CHECKS), SILENT),
    ("pytest.raises(ValueError, f, -1)", define(CHECKS), SILENT),
    ("pytest.raises(ValueError, f, -1)\nassert f(1) == 1", define(CHECKS), OTHER_ERROR),
    ("pytest.raises(ValueError, lambda: f(-1))", define(CHECKS), SILENT),
    ("e = pytest.raises(ValueError, f, a=-1)\nassert 'neg' in str(e.value)", define(CHECKS), OTHER_TEXT),
    ("with pytest.raises(SystemExit):\n    f(-1)\nassert f(1) == 1", EXITS, define(CHECKS)),
    ("with pytest.raises(SystemExit) as e:\n    f(-1)\nassert e.value.code == 2", EXITS, EXITS.replace("2", "3")),
    ("with pytest.raises(KeyboardInterrupt):\n    f(-1)", define("raise KeyboardInterrupt"), EXITS),
    ("with pytest.raises(Odd) as e:\n    f(-1)\nassert e.value.code == 4", CODED.format(4), CODED.format(5)),
    ("try:\n    f(-1)\nexcept ValueError as e:\n    assert str(e) == 'negative number'\nelse:\n    assert False", define(CHECKS), OTHER_TEXT),
    ("try:\n    f(-1)\n    assert False\nexcept ValueError as e:\n    assert 'neg' in str(e)", define(CHECKS), SILENT),
    ("import sys, os\nsys.path.append(os.path.dirname(__file__))\nsys.path.insert(0, os.path.abspath('.'))\nassert f(1) == 1", SILENT, NOTHING),
    ("import os, sys\nhere = os.path.dirname(os.path.abspath(__file__))\nsys.path.insert(0, here)\nassert f(1) == 1", SILENT, NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(("script", "right", "wrong"), RAISING)
def test_exceptions_are_expected_in_every_form(sandbox, script, right, wrong):
    assert check(sandbox, right, script) == 1.0
    assert check(sandbox, wrong, script) == 0.0


def test_unittest_names_its_exceptions_too(sandbox):
    test = (
        "import unittest\nclass TestF(unittest.TestCase):\n    def test_a(self):\n"
        "        with self.assertRaises(ValueError) as cm:\n            f(-1)\n"
        "        self.assertEqual(str(cm.exception), 'negative number')\n        self.assertIn('neg', str(cm.exception))\n"
        "        self.assertRaises(ValueError, f, -2)\n"
    )
    for program, value in ((define(CHECKS), 1.0), (OTHER_TEXT, 0.0), (OTHER_ERROR, 0.0), (SILENT, 0.0)):
        assert check(sandbox, program, test, "test") == value


DAY = "import datetime\ndef f(x): return datetime.date(2020, 1, {})"
NUMBER = "from decimal import Decimal\nfrom fractions import Fraction\nfrom collections import *\ndef f(x): return {}"
COLOR = "from enum import Enum\nclass Color(Enum):\n    RED = 1\n    BLUE = 2\ndef f(x): return {}"
PLAIN_COLOR = "class Color:\n    RED = 1\n    BLUE = 2\ndef f(x): return {}"
POINT = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef make(x): return P({})"
EQUAL = "class P:\n    def __init__(s, x): s.x = x\n    def __eq__(s, o): return {}\ndef make(x): return P(x)"
NO_EQUAL = "class P:\n    def __init__(s, x): s.x = x\ndef make(x): return P(x)"
EMPTY = "class P:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return True\ndef make(x): return P()"
COUNTING = "def f():\n    n = {}\n    while True:\n        yield n\n        n += 1"
VALUES = [
    # text, types and items of values that are no plain ones
    ("assert str(f(1)) == '2020-01-02'", DAY.format(2), DAY.format(3)),
    ("assert [str(d) for d in [f(1)]] == ['2020-01-02']", DAY.format(2), "def f(x): return 'datetime.date(2020, 1, 2)'"),
    ("assert str([f(1)]) == '[datetime.date(2020, 1, 2)]'", DAY.format(2), DAY.format(3)),
    ("assert str(f(1)) == '1.10'", NUMBER.format("Decimal('1.10')"), NUMBER.format("Decimal('1.1')")),
    ("assert ','.join(str(x) for x in f(1)) == '1.10,1/3'", NUMBER.format("[Decimal('1.10'), Fraction(1, 3)]"), NUMBER.format("[Decimal('1.1'), Fraction(1, 3)]")),
    ("assert f(1) == Decimal('1.1')", NUMBER.format("Decimal('1.10')"), NUMBER.format("Decimal('1.11')")),
    ("assert isinstance(f(1), Decimal) and f(1) == 2", NUMBER.format("Decimal('2')"), NUMBER.format("2")),
    ("assert isinstance(f(1), Fraction)", NUMBER.format("Fraction(4, 2)"), NUMBER.format("Decimal(2)")),
    ("assert type(f(1)) is Decimal", NUMBER.format("Decimal('2')"), NUMBER.format("Fraction(2)")),
    ("assert not isinstance(f(1), float)", NUMBER.format("Decimal('2')"), NUMBER.format("2.0")),
    ("assert '%.2f' % f(1) == '1.50'", NUMBER.format("Decimal('1.5')"), NUMBER.format("Decimal('1.6')")),
    ("assert isinstance(f(1), frozenset)", NUMBER.format("frozenset([1])"), NUMBER.format("set([1])")),
    ("assert isinstance(f(1), set)", NUMBER.format("set([1])"), NUMBER.format("frozenset([1])")),
    ("from collections import Counter\nassert isinstance(f(1), Counter)", NUMBER.format("Counter('a')"), NUMBER.format("dict(a=1)")),
    ("from collections import OrderedDict\nassert isinstance(f(1), OrderedDict)", NUMBER.format("OrderedDict(a=1)"), NUMBER.format("dict(a=1)")),
    ("from collections import OrderedDict\nassert f(1) == OrderedDict([('a', 1), ('b', 2)])", NUMBER.format("OrderedDict(a=1, b=2)"), NUMBER.format("OrderedDict(b=2, a=1)")),
    ("from collections import defaultdict\nassert type(f(1)) == defaultdict", NUMBER.format("defaultdict(int)"), NUMBER.format("dict()")),
    ("assert type(f(1)) == dict", NUMBER.format("dict()"), NUMBER.format("defaultdict(int)")),
    ("assert f(1)['z'] == 0", NUMBER.format("Counter('a')"), NUMBER.format("dict(a=1)")),
    ("r = f(1)\nassert r['z'] == 0 and r['a'] == 1", NUMBER.format("defaultdict(int, a=1)"), NUMBER.format("defaultdict(int)")),
    ("from collections import Counter\nassert f(1) == Counter('aab')", NUMBER.format("Counter('aba')"), NUMBER.format("Counter('ab')")),
    ("assert str(f(1)) == \"OrderedDict([('a', 1)])\" or str(f(1)) == \"OrderedDict({'a': 1})\"", NUMBER.format("OrderedDict(a=1)"), NUMBER.format("dict(a=1)")),
    ("assert f(1) == Color.RED", COLOR.format("Color.RED"), COLOR.format("Color.BLUE")),
    ("assert f(1) == Color.RED", PLAIN_COLOR.format("Color.RED"), PLAIN_COLOR.format("Color.BLUE")),
    ("assert f(1) is Color.RED", COLOR.format("Color.RED"), COLOR.format("1")),
    ("assert f(1) != Color.RED", COLOR.format("Color.BLUE"), COLOR.format("Color.RED")),
    ("assert f(1) in (Color.RED,)", COLOR.format("Color.RED"), COLOR.format("Color.BLUE")),
    ("assert [f(1)] == [Color.RED]", COLOR.format("Color.RED"), COLOR.format("1")),
    ("assert f(1).name == 'RED' and f(1).value == 1", COLOR.format("Color.RED"), COLOR.format("Color.BLUE")),
    ("assert make(1) == make(1)", POINT.format("x"), NO_EQUAL),
    ("assert make(1) == make(1)", EQUAL.format("s.x == o.x"), EMPTY),
    ("assert [make(1)] == [make(1)]", EQUAL.format("s.x == o.x"), EMPTY),
    ("assert make(1) != make(2)", POINT.format("x"), POINT.format("0")),
    ("assert make(1) != make(2)", NO_EQUAL, EQUAL.format("True")),
    ("a = make(1)\nb = make(1)\nassert a == b", POINT.format("x"), NO_EQUAL),
    ("a = make(1)\nb = make(2)\nassert not a == b", POINT.format("x"), POINT.format("0")),
    ("a = make(1)\nb = make(1)\nassert not (a != b)", POINT.format("x"), NO_EQUAL),
    ("a = make(1)\nassert a is a and a is not make(1)", NO_EQUAL, "P = object()\ndef make(x): return P"),
    ("g = f()\nassert next(g) == 5\nassert next(g) == 6", COUNTING.format(5), "def f(): return iter([5, 5])"),
    ("g = f()\nassert [next(g) for _ in range(3)] == [5, 6, 7]", COUNTING.format(5), COUNTING.format(4)),
    ("g = iter(f())\nassert next(g) == 5\nassert next(g, None) is None", "def f(): return [5]", "def f(): return [5, 6]"),
    ("import itertools\nassert list(itertools.islice(f(), 2)) == [5, 6]", COUNTING.format(5), COUNTING.format(6)),
    ("from itertools import islice\nassert list(islice(f(), 2)) == [5, 6]", COUNTING.format(5), "def f(): return [5]"),
    ("m = f(1)\nassert m[0][1] == 2 and m[-1] == [3]", "def f(x): return [[1, 2], [3]]", "def f(x): return [[1, 2], [4]]"),
    ("assert len(f(1)[:2]) == 2", "def f(x): return [1, 2, 3]", "def f(x): return [1]"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "right", "wrong"), VALUES)
def test_values_keep_their_class_their_text_and_their_identity(sandbox, script, right, wrong):
    assert check(sandbox, right, script) == 1.0
    assert check(sandbox, wrong, script) == 0.0


def test_objects_of_the_programs_own_class_in_containers_are_left_out_as_they_are_alone():
    for script in ("assert f(1) == [P(1)]", "assert {'a': P(1)} == f(1)", "assert (P(1), 2) != f(1)"):
        with pytest.raises(r1sdk.R1Error, match="compares objects of the program's own class"):
            read_tests({"tests": [script]})


def test_hostile_values_are_no_values(sandbox):
    for written in (
        '{"decimal": "1E+999999999"}',
        '{"decimal": "NaN"}',
        '{"enum": ["A"]}',
        '{"other": [1]}',
        '{"Counter": [1]}',
        '{"frozenset": 4}',
        '{"other": ["", "", 1, "P", 1, {"list": []}]}',
    ):
        assert not same_value(written, write_value(5))
        assert not same_value(written, write_value([5]))


def test_an_assert_on_a_power_of_a_fraction_ends(sandbox):
    script = "assert f(1) ** f(2) == 1"
    program = "from fractions import Fraction\ndef f(x): return Fraction(3, 2) if x == 1 else 10 ** 9"
    assert check(sandbox, program, script) == 0.0


def test_the_asserts_of_a_check_that_share_a_value_are_one_test(sandbox):
    shared = "def check(candidate):\n    a = [2, 1]\n    assert candidate(a) is None\n    assert a == [1, 2]\n"
    info = {"test": shared, "entry_point": "f", "prompt": ""}
    for program, value in ((define("a.sort()"), 1.0), (NOTHING, 0.0)):
        assert asyncio.run(check_program(f"```python\n{program}\n```", info, sandbox)).value == value
    alone = "def check(candidate):\n    x = 2\n    assert candidate(x) == 2\n    assert candidate(x + 1) == 3\n"
    assert len(read_tests({**info, "test": alone}).cases) == 2


LIKE_PYTHON = [
    "data = [3,1,2]\norig = list(data)\nres = f(data)\nassert data == orig\nassert res == sorted(orig)",
    "data = [3,1,2]\norig = data.copy()\nassert f(data) == [1,2,3]\nassert data == orig, 'changed'",
    "data = [3,1,2]\nf(data)\ndata.append(0)\nf(data)\nassert data == [0,1,2,3]",
    "for data in ([2,1],[3,1,2]):\n    r = f(data)\n    assert r is data\n    assert r == sorted(data)",
    "x = [[3,1],[2,0]]\ny = [f(row) for row in x]\nassert y == [[1,3],[0,2]]\nassert x == [[3,1],[2,0]]",
    "x = {'k': [3,1]}\nf(x['k'])\nassert x['k'] == [1,3]\nassert x == {'k': [1,3]}",
    "a = [2,1]\nb = a\nc = b\nf(c)\nassert a == [1,2] and b is a and c is b",
    "a, b = [2,1], [4,3]\nr1, r2 = f(a), f(b)\nassert r1 == [1,2] and r2 == [3,4]\nassert (a, b) == ([2,1],[4,3])",
    "a = [2,1]\nt = (a, 5)\nf(t[0])\nassert t == ([1,2],5)",
    "a = [2,1]\nassert (f(a), a) == ([1,2],[2,1])",
    "a = [2,1]\nassert f(a) == a",
    "a = [2,1]\nassert a != f(a)",
    "a = [1,2,3]\nn = len(a)\nf(a)\nassert len(a) == n",
    "a = [2,1]\ns = sum(a)\nm = max(a)\nr = f(a)\nassert sum(r) == s and r[-1] == m",
    "a = [2,1]\na += [0]\nr = f(a)\nassert r == [0,1,2] and a == [2,1,0]",
    "a = [2,1]\na[0] = 7\nr = f(a)\nassert a == [7,1]\nassert r == [1,7]",
    "a = [2,1]\nr = f(a)\nfor x in a:\n    assert x in r",
    "a = [2,1]\nr = f(a)\nfor i in range(len(a)):\n    assert a[i] == r[i]",
    "a = [2,1]\nr = f(a[:])\nassert a == [2,1] and r == [1,2]",
    "a = [2,1]\nr = f(list(a))\nassert a == [2,1] and r == [1,2]",
    "a = [3,2,1]\nassert f(a)[0] == 1\nassert f(a)[0] == 1 and len(a) == 3",
    "a = [2,1]\nb = [a, a]\nr = f(b[0])\nassert b == [[1,2],[1,2]]",
    "import copy\na = [2,1]\nb = copy.deepcopy(a)\nf(a)\nassert a == b",
    "from copy import deepcopy\na = [[2,1],[0]]\nb = deepcopy(a)\nr = f(a[0])\nassert a == b",
    "a = [2,1]\nassert not f(a) is a\nassert a == [2,1]",
    "a = [1]\nif len(a) == 1:\n    r = f(a)\n    assert r == [1] and a == [1]",
    "a = [2, 1]\na2 = a\na = [5, 4]\nr = f(a2)\nassert a == [5, 4]\nassert a2 == [1, 2]",
    "a = [2, 1]\nr = [f(a) for _ in range(2)]\nassert r[0] == r[1]\nassert len(a) == 2",
    "a = []\nfor i in (3, 1, 2):\n    a.append(i)\n    f(a)\nassert a == [1,2,3]",
    'a = [2,1]\nresult = f(a)\nexpected = [1,2]\nassert result == expected, f"expected {expected} got {result}"\nassert a == [2, 1], "must not mutate"',
    "a = [2,1]\ndel a[0]\nr = f(a)\nassert a == [1]",
    "a = [2,1]\na = f(a)\na = f(a)\nassert a == [1,2]",
    "a = b = [2,1]\nf(a)\nassert b == [1,2]",
    "a = [2,1]\nassert all(x in a for x in f(a))\nassert len(a) == 2",
    "a = [2,1]\nassert all(y <= z for y, z in zip(f(a), f(a)[1:]))\nassert a == [2,1]",
    "a = [3, 2]\nfirst, *rest = f(a)\nassert first == 2 and rest == [3]",
    "a = [3, 2]\nx, y = f(a)\nassert (x, y) == (2, 3)\nassert a[0] == 3",
    "a = (3, 2)\nassert f(list(a)) == [2, 3]\nassert a == (3, 2)",
    "a = [2,1]\nassert f(a) == [1,2] or a == [2,1]",
    "a = [2,1]\ng = f\nr = g(a)\nassert a == [1,2]",
    "a = [2,1]\nd = dict(k=a)\nf(**{'a': a})\nassert d == {'k': [1,2]}",
    "a = [2,1]\nf(*[a])\nassert a == [1,2]",
    "a = [2,1]\nr = sorted(f(a), reverse=True)\nassert r == [2,1]\nr.append(1)\nassert r == [2,1,1] and a == [2,1]",
    "a = [[2,1]]\nb = a[:]\nf(a[0])\nassert b == [[1,2]]",
    "a = [[2,1]]\nb = [row[:] for row in a]\nf(a[0])\nassert b == [[2,1]] and a == [[1,2]]",
    "a = [[2,1]]\nfor row in a:\n    f(row)\nassert a == [[1,2]]",
    "a = [2,1]\nkeep = tuple(a)\nf(a)\nassert tuple(a) == keep",
    "a = [2,1]\nbefore = str(a)\nf(a)\nassert str(a) == before",
    "a = [2,1]\nbefore = a * 1\nf(a)\nassert a == before",
    "a = [2,1]\nbefore = [*a]\nf(a)\nassert a == before",
    "a = [2,1]\nbefore = a + []\nf(a)\nassert a == before",
    "a = {3,1}\nr = f(list(a))\nassert set(r) == a\nassert a == {1,3}",
    "a = list(range(5, 0, -1))\nb = a[1:3]\nf(a)\nassert b == [4, 3] and a[0] == 1",
    "a = [2, 1]\nwith pytest.raises(TypeError):\n    f(a, a)\nassert a == [2, 1]",
    "a = None\nwith pytest.raises((AttributeError, TypeError)) as e:\n    f(a)\nassert 'None' in str(e.value)",
    "try:\n    f(5)\nexcept Exception as e:\n    assert isinstance(e, (TypeError, AttributeError))\nelse:\n    assert False",
    "r = f([1])\nassert type(r) == list\nassert isinstance(r, list) and not isinstance(r, tuple)",
    "a = [2,1]\nb = f(a)\nb.append(7)\nassert a == [2,1]",
    "a = [2,1]\nb = f(a)\na.append(7)\nassert b == [1,2]",
    "m = [[0]*2 for _ in range(2)]\nf(m[0])\nassert len(m[0]) == 2 and m == [[0,0],[0,0]]",
    "a = [2,1]\nr = f(a) if a else None\nassert r == [1,2]",
    "a = [2,1]; b = [2,1]\nassert f(a) == f(b)\nassert a == b",
    "cases = [([2,1],[1,2]),([3],[3])]\nfor inp, exp in cases:\n    saved = inp[:]\n    assert f(inp) == exp\n    assert inp == saved",
    "a = [2,1]\nassert f(a)\nassert a[0] == 1\nassert a == [1,2]\na[0] = 9\nassert f(a) == [2,9]",
    "a = [2, 1]\nassert len(f(a)) == len(a) == 2",
    "a = [2, 1]\nassert f(a) == [1, 2] == sorted(a)",
    "a = [2, 1]\nassert max(f(a)) == max(a) and min(a) == 1 and a.index(2) == 0",
    "x = 5\ny = [x, 3]\nf(y)\nx = 6\nassert y == [3, 5]",
    "a = [[2,1]]\nfor row in a:\n    f(row)\nassert a == [[2,1]]",
    "a = [[2,1],[4,3]]\nfor row in a:\n    f(row)\nassert a[1] == [3,4]",
    "a = [[2,1],[3]]\nfor i, x in enumerate(a):\n    assert f(x) == sorted(x)",
    "a = b = [2,1]\nf(a)\na = [0]\nassert b == [1,2]",
    "a = b = 5\nassert f([a, b]) == [5, 5]\na += 1\nassert (a, b) == (6, 5)",
    "ins = [[2,1],[3]]\nouts = [[1,2],[3]]\nfor i, o in zip(ins, outs):\n    assert f(i) == o",
    "rows = [[2,1],[3]]\nfor row in rows:\n    keep = row[:]\n    out = f(row)\n    assert out == sorted(keep)\n    assert row == keep\nassert len(rows) == 2",
]
PROGRAMS = [
    "def f(a): a.sort(); return a",
    "def f(a): return sorted(a)",
    "def f(a): return None",
    "def f(a): a.sort()",
    "def f(a): return list(a)",
    "def f(a): return a",
    "def f(a):\n    a.append(9)\n    return a",
    "def f(a):\n    r=a[:]\n    a.clear()\n    return sorted(r)",
]


def passes_in_python(program, script):
    names = {"pytest": pytest}
    exec(program, names)  # noqa: S102 - programs and scripts of this file
    try:
        exec(script, names)  # noqa: S102
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - any exception fails a test
        return 0.0
    return 1.0


def test_scripts_end_as_python_ends_them(sandbox):
    async def all_of_them(pairs):
        replies = ((f"```python\n{program}\n```", {"tests": [script]}) for program, script in pairs)
        return await asyncio.gather(*(check_program(text, info, sandbox) for text, info in replies))

    pairs = [(program, script) for script in LIKE_PYTHON for program in PROGRAMS]
    for pair, found in zip(pairs, asyncio.run(all_of_them(pairs)), strict=True):
        assert found.value == passes_in_python(*pair), pair


@pytest.mark.parametrize(
    "script",
    [
        "cases = {'a': [2, 1]}\nfor k, v in cases.items():\n    f(v)\nassert cases == {'a': [2, 1]}",
        "a = [[2, 1]]\nassert [f(x) for x in a] == [[1, 2]]\nassert a == [[2, 1]]",
    ],
)
def test_parts_that_a_loop_has_given_away_are_not_read_again(script):
    with pytest.raises(r1sdk.R1Error, match="is read after parts of it were given to the program in a loop"):
        read_tests({"tests": [script]})
