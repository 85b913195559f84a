"""Assert methods of unittest and numpy as the expressions that they stand for."""

import ast

from .answer_checks import value_of
from .answer_operations import Unsupported

_COMPARED: dict[str, type[ast.cmpop]] = {
    "assertEqual": ast.Eq,
    "assertNotEqual": ast.NotEq,
    "assertIs": ast.Is,
    "assertIsNot": ast.IsNot,
    "assertIn": ast.In,
    "assertNotIn": ast.NotIn,
    "assertGreater": ast.Gt,
    "assertGreaterEqual": ast.GtE,
    "assertLess": ast.Lt,
    "assertLessEqual": ast.LtE,
    "assertListEqual": ast.Eq,
    "assertDictEqual": ast.Eq,
    "assertSetEqual": ast.Eq,
    "assertTupleEqual": ast.Eq,
    "assert_equal": ast.Eq,
    "assertSequenceEqual": ast.Eq,
}


def unittest_check(name: str, call: ast.Call) -> ast.expr:
    """The expression that an assert method of unittest or numpy stands for."""
    a = call.args[0] if call.args else ast.Constant(None)
    b = call.args[1] if len(call.args) > 1 else ast.Constant(None)
    if name in _COMPARED and len(call.args) >= 2:
        return ast.Compare(a, [_COMPARED[name]()], [b])
    if name == "assertTrue":
        return a
    if name == "assertFalse":
        return ast.UnaryOp(ast.Not(), a)
    if name in ("assertIsNone", "assertIsNotNone"):
        return ast.Compare(a, [ast.Is() if name == "assertIsNone" else ast.IsNot()], [ast.Constant(None)])
    if name in ("assertAlmostEqual", "assert_almost_equal"):
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        places = call.args[2] if len(call.args) > 2 else given.get("places", ast.Constant(7))
        bound = given.get("delta") or ast.Constant(0.5 * 10.0 ** -int(value_of(places)))
        near = ast.Call(ast.Name("approx", ast.Load()), [b], [ast.keyword("abs", bound)])
        return ast.Compare(a, [ast.Eq()], [near])
    if name == "assertIsInstance":
        return ast.Call(ast.Name("isinstance", ast.Load()), [a, b], [])
    if name == "assertCountEqual":
        counted = [ast.Call(ast.Name("Counter", ast.Load()), [one], []) for one in (a, b)]
        return ast.Compare(counted[0], [ast.Eq()], [counted[1]])
    if name == "assert_allclose":
        return ast.Call(ast.parse("np.testing.assert_allclose", mode="eval").body, [a, b], call.keywords)
    if name in ("assert_array_equal",):
        return ast.Call(ast.parse("np.array_equal", mode="eval").body, [a, b], [])
    raise Unsupported(f"{name} is not decided here")
