"""Names and values in the expressions of a test."""

import ast
from collections.abc import Iterator
from typing import Any

from .answer_checks import dotted, value_of
from .answer_operations import Failed, Unsupported
from .values import DictValue, Sequence, SetValue


class Replaced(ast.NodeTransformer):
    """Puts other expressions in the place of items, by their dumps."""

    def __init__(self, items: dict[str, ast.expr]) -> None:
        self.items = items

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        return self.items.get(ast.dump(node)) or self.generic_visit(node)


def names_in(node: ast.AST) -> set[str]:
    """The names that an expression mentions, without those that it binds."""
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - bound_in(node)


def names_read(node: ast.AST) -> Iterator[str]:
    """The names that a statement reads, each as often as it is written; twice inside of a loop that does not set them."""
    loops: list[ast.AST] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            yield inner.id
        elif isinstance(inner, ast.AugAssign):
            yield from names_in(inner.target)
        elif isinstance(inner, ast.For | ast.While | ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            loops.append(inner)
    for loop in loops:
        names = [inner for inner in ast.walk(loop) if isinstance(inner, ast.Name)]
        stored = {one.id for one in names if isinstance(one.ctx, ast.Store)}
        yield from (one.id for one in names if one.id not in stored)


def may_change(value: ast.expr) -> bool:
    """True if a value has parts that can be changed in place, or is not known here."""
    match value:
        case ast.Constant() | ast.Lambda() | ast.Compare():
            return False
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            return True
        case ast.Tuple():
            return any(map(may_change, value.elts))
    try:
        return any(True for _ in mutable_parts(value_of(value)))
    except (Unsupported, Failed):
        return True


def mutable_parts(value: Any) -> Iterator[Any]:
    """The lists, sets, dicts and deques in a value."""
    if isinstance(value, list | SetValue | DictValue | Sequence):
        yield value
    if isinstance(value, list | tuple):
        for item in value:
            yield from mutable_parts(item)
    elif isinstance(value, Sequence):
        yield from mutable_parts(value.items)
    elif isinstance(value, DictValue):
        for _, item in value.items.values():
            yield from mutable_parts(item)


def displayed(node: ast.expr) -> Iterator[ast.expr]:
    """The expression, and the items of lists, tuples, sets and dicts that it writes out."""
    yield node
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        for item in node.elts:
            yield from displayed(item)
    elif isinstance(node, ast.Dict):
        for item in node.values:
            yield from displayed(item)


def is_type_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func) == "type" and len(node.args) == 1


def bound_in(node: ast.AST) -> set[str]:
    """The names that lambdas and comprehensions inside `node` bind."""
    found = {name.arg for inner in ast.walk(node) if isinstance(inner, ast.Lambda) for name in inner.args.args}
    for inner in ast.walk(node):
        if isinstance(inner, ast.comprehension):
            found |= {name.id for name in ast.walk(inner.target) if isinstance(name, ast.Name)}
    return found
