"""HumanEval's checks as single tests: the asserts of `check(candidate)` with the function's own name."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any, NoReturn

import r1sdk


def read_check(source: str, function: str) -> list[dict[str, Any]]:
    """The asserts of `check`, to be read by the code verifier. Raises: R1Error where it does more than assert.

    Loops, random inputs and helpers would have to run beside the program that they judge, and would show it what is right.
    """
    try:
        body = next(
            node.body for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "check"
        )
    except (SyntaxError, StopIteration):
        raise r1sdk.R1Error("its test has no function check(candidate)") from None
    tests = []
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant | ast.Name)
        ):
            continue  # an import, a docstring, a name by itself: nothing is asserted
        if not isinstance(statement, ast.Assert):
            raise r1sdk.R1Error(f"its check does more than assert: {ast.unparse(statement)!r:.80}")
        test = _Renamed(function).visit(statement.test)
        if isinstance(test, ast.Constant):
            continue  # assert True, "a remark"
        tests.append({"assert": ast.unparse(ast.Assert(test=_Folded().visit(test), msg=None))})
    if not tests:
        raise r1sdk.R1Error("its check asserts nothing")
    return tests


class _Folded(ast.NodeTransformer):
    """Sums, products and quotients of constants as what they are: `2.0 / 3.0`, `(3 + 5, 3 * 5)`, `tuple([1, 2])`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        compute = _COMPUTED.get(type(node.op))
        try:
            left, right = ast.literal_eval(node.left), ast.literal_eval(node.right)
            if compute is None or any(isinstance(side, int) and abs(side) > 1 << 64 for side in (left, right)):
                return node
            return ast.parse(repr(compute(left, right)), mode="eval").body
        except (ValueError, TypeError, ZeroDivisionError):
            return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "tuple" and len(node.args) == 1 and not node.keywords:
            try:
                return ast.parse(repr(tuple(ast.literal_eval(node.args[0]))), mode="eval").body
            except (ValueError, TypeError):
                return node
        return node


_COMPUTED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.Mult: lambda a, b: a * b if isinstance(a, int | float) and isinstance(b, int | float) else _refuse(),
}


def _refuse() -> NoReturn:
    raise TypeError("only numbers are multiplied")


class _Renamed(ast.NodeTransformer):
    def __init__(self, function: str) -> None:
        self.function = function

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.function, node.ctx) if node.id == "candidate" else node
