"""The part of an assert that is decided here: an expression over values that a hostile program returned.

A small reading of Python's expressions over the values of `values.py`: comparisons, arithmetic, the pure builtins, and what tests
take from math, numpy, pytest, collections and datetime. Nothing of the program is run, and nothing here is `eval`. Steps, the
size of numbers and of sequences are bounded. What is not known is refused when a test is read (`check_supported`); what goes wrong on a
value that a program returned makes the assert false.
"""

import ast
import datetime
import json
import math
import time
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from .answer_functions import (
    ALIASES,
    CONSTANTS,
    FIELDS,
    FUNCTIONS,
    MAKE,
    METHODS,
    NODES,
    TAKE_FUNCTIONS,
    TYPES,
    call_method,
)
from .answer_operations import SIGNS, Failed, Lambda, TypeValue, Unsupported, compared, compute, items_of, truth
from .long_integers import integer_source
from .values import DictValue, Sequence, SetValue, dict_value, from_json, is_number, key_of, set_value, show

MAX_STEPS = 2_000_000
MAX_SECONDS = 2.0  # of this thread's own time, for one expression


def is_true(source: str, asked: Mapping[str, Any]) -> bool:
    """True if the expression `source` holds with the values `asked` by the names of their places."""
    try:
        return _Evaluation().truth(_parsed(source), asked)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError):
        return False


def result_of(source: str, asked: Mapping[str, Any]) -> Any:
    """Return the value of the expression `source` with the values `asked`. Raises: Failed."""
    try:
        return _Evaluation().value(_parsed(source), asked)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise Failed(f"{type(error).__name__}: {error}") from None


def value_of(node: ast.expr, names: Mapping[str, Any] | None = None) -> Any:
    """Return the value of an expression without a program; `names` are values that it mentions. Raises: Unsupported, Failed."""
    check_supported(node)
    try:
        return _Evaluation().value(node, names or {})
    except (Unsupported, Failed):
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise Failed(f"{type(error).__name__}: {error}") from None


@lru_cache(maxsize=4096)
def _parsed(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def check_supported(node: ast.AST, bound: frozenset[str] = frozenset()) -> None:
    """Raises: Unsupported that names the first part of the expression which is not decided here."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.comprehension) and inner.is_async:
            raise Unsupported("async for is not decided here")
        if isinstance(inner, ast.expr) and not isinstance(inner, NODES):
            raise Unsupported(f"{ast.unparse(inner)[:60]} is not decided here")
        if isinstance(inner, ast.Call):
            name = dotted(inner.func)
            if name is not None and (name in FUNCTIONS or name in TYPES):
                continue
            if isinstance(inner.func, ast.Attribute) and inner.func.attr in METHODS:
                continue
            raise Unsupported(f"{ast.unparse(inner.func)[:60]}() is not decided here")
        if isinstance(inner, ast.Attribute) and not _is_known(inner):
            raise Unsupported(f".{inner.attr} is not decided here")


def _is_known(node: ast.Attribute) -> bool:
    name = dotted(node)
    return node.attr in METHODS or node.attr in FIELDS or name in CONSTANTS or name in FUNCTIONS or name in TYPES


def dotted(node: ast.AST) -> str | None:
    """Return `np.allclose` for a name or attributes of one, without the aliases that tests use; None for other expressions."""
    if isinstance(node, ast.Name):
        return ALIASES.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)) is not None:
        return f"{before}.{node.attr}"
    return None


class _Evaluation:
    def __init__(self) -> None:
        self.steps = 0
        self.until = time.thread_time() + MAX_SECONDS

    def truth(self, node: ast.expr, names: Mapping[str, Any]) -> bool:
        return truth(self.value(node, names))

    def value(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        self.steps += 1
        if self.steps > MAX_STEPS or time.thread_time() > self.until:
            raise Failed("too many steps")
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise Unsupported(f"{type(node).__name__} is not decided here")
        return method(node, names)

    def _constant(self, node: ast.Constant, names: Mapping[str, Any]) -> Any:
        return node.value

    def _name(self, node: ast.Name, names: Mapping[str, Any]) -> Any:
        if node.id in names:
            return names[node.id]
        return self._known(node)

    def _attribute(self, node: ast.Attribute, names: Mapping[str, Any]) -> Any:
        if (name := dotted(node)) in CONSTANTS or name in TYPES or name in FUNCTIONS:
            return self._known(node)
        owner = self.value(node.value, names)
        if node.attr == "__name__" and isinstance(owner, TypeValue):
            return owner.name
        if node.attr in FIELDS and isinstance(
            owner, int | float | Fraction | complex | datetime.date | datetime.timedelta
        ):
            return getattr(owner, node.attr)
        raise Failed(f"no attribute {node.attr}")

    def _known(self, node: ast.expr) -> Any:
        name = dotted(node)
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in TYPES:
            return TypeValue(TYPES[name])
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        raise Failed(f"no name {name}")

    def _tuple(self, node: ast.Tuple, names: Mapping[str, Any]) -> Any:
        return tuple(self._items(node.elts, names))

    def _list(self, node: ast.List, names: Mapping[str, Any]) -> Any:
        return self._items(node.elts, names)

    def _set(self, node: ast.Set, names: Mapping[str, Any]) -> Any:
        return set_value(self._items(node.elts, names))

    def _dict(self, node: ast.Dict, names: Mapping[str, Any]) -> Any:
        pairs: list[tuple[Any, Any]] = []
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item, names)
            if key is None:
                pairs += value.items.values()
            else:
                pairs.append((self.value(key, names), value))
        return dict_value(pairs)

    def _items(self, nodes: Iterable[ast.expr], names: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += items_of(self.value(node.value, names))
            else:
                found.append(self.value(node, names))
        return found

    def _unaryop(self, node: ast.UnaryOp, names: Mapping[str, Any]) -> Any:
        value = self.value(node.operand, names)
        if isinstance(node.op, ast.Not):
            return not truth(value)
        if not is_number(value):
            raise Failed("not a number")
        return SIGNS[type(node.op)](value)

    def _binop(self, node: ast.BinOp, names: Mapping[str, Any]) -> Any:
        return compute(type(node.op), self.value(node.left, names), self.value(node.right, names))

    def _boolop(self, node: ast.BoolOp, names: Mapping[str, Any]) -> Any:
        stops = isinstance(node.op, ast.Or)
        value: Any = None
        for part in node.values:
            value = self.value(part, names)
            if truth(value) == stops:
                return value
        return value

    def _ifexp(self, node: ast.IfExp, names: Mapping[str, Any]) -> Any:
        return self.value(node.body if self.truth(node.test, names) else node.orelse, names)

    def _compare(self, node: ast.Compare, names: Mapping[str, Any]) -> Any:
        left = self.value(node.left, names)
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node, names)
            if not compared(type(operator), left, right):
                return False
            left = right
        return True

    def _subscript(self, node: ast.Subscript, names: Mapping[str, Any]) -> Any:
        value = self.value(node.value, names)
        if isinstance(node.slice, ast.Slice):
            parts = [
                None if part is None else self.value(part, names)
                for part in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            if not isinstance(value, list | tuple | str | bytes | range):
                raise Failed("no slices")
            return value[slice(*parts)]
        at = self.value(node.slice, names)
        if isinstance(value, DictValue):
            if value.kind == "Counter" and key_of(at) not in value.items:
                return 0
            return value.items[key_of(at)][1]
        if isinstance(value, Sequence) and value.kind == "deque":
            return value.items[at]
        if not isinstance(value, list | tuple | str | bytes | range):
            raise Failed("no items")
        if isinstance(at, tuple):  # numpy's indices
            for part in at:
                value = value[part]
            return value
        return value[at]

    def _lambda(self, node: ast.Lambda, names: Mapping[str, Any]) -> Any:
        return Lambda(tuple(one.arg for one in node.args.args), node.body, dict(names))

    def _listcomp(self, node: ast.ListComp, names: Mapping[str, Any]) -> Any:
        return [self.value(node.elt, inner) for inner in self._looped(node.generators, names)]

    def _setcomp(self, node: ast.SetComp, names: Mapping[str, Any]) -> Any:
        return set_value([self.value(node.elt, inner) for inner in self._looped(node.generators, names)])

    def _generatorexp(self, node: ast.GeneratorExp, names: Mapping[str, Any]) -> Any:
        return Sequence("iterator", [self.value(node.elt, inner) for inner in self._looped(node.generators, names)])

    def _dictcomp(self, node: ast.DictComp, names: Mapping[str, Any]) -> Any:
        return dict_value(
            [
                (self.value(node.key, inner), self.value(node.value, inner))
                for inner in self._looped(node.generators, names)
            ]
        )

    def _looped(self, generators: list[ast.comprehension], names: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        if not generators:
            yield names
            return
        first, *rest = generators
        for item in items_of(self.value(first.iter, names)):
            inner = {**names, **bind(first.target, item)}
            if all(self.truth(condition, inner) for condition in first.ifs):
                yield from self._looped(rest, inner)

    def _call(self, node: ast.Call, names: Mapping[str, Any]) -> Any:
        arguments = self._items(node.args, names)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Failed("no ** here")
            keywords[keyword.arg] = self.value(keyword.value, names)
        name = dotted(node.func)
        if isinstance(node.func, ast.Name) and isinstance(made := names.get(node.func.id), Lambda):
            return self.called(made, *arguments)
        if name in FUNCTIONS or name in TYPES:
            return self.called(self._known(node.func), *arguments, **keywords)
        if isinstance(node.func, ast.Attribute):
            return call_method(self, self.value(node.func.value, names), node.func.attr, arguments, keywords)
        raise Failed(f"no function {name}")

    def called(self, function: Any, *arguments: Any, **keywords: Any) -> Any:
        """Return the value of a call in an expression: of a known function, a type or a lambda."""
        self.steps += 1
        if isinstance(function, Lambda):
            return self.value(function.body, {**function.around, **dict(zip(function.names, arguments, strict=True))})
        if isinstance(function, TypeValue):
            return MAKE[function.name](*arguments, **keywords)
        if function in TAKE_FUNCTIONS:
            return function(self, *arguments, **keywords)
        return function(*arguments, **keywords)


def bind(target: ast.expr, value: Any) -> dict[str, Any]:
    """Return the names that an assignment of `value` to `target` sets. Raises: Failed, Unsupported."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple | ast.List):
        raise Unsupported(f"{ast.unparse(target)[:60]} is assigned to")
    items = items_of(value)
    if len(items) != len(target.elts):
        raise Failed("a wrong number of values")
    found: dict[str, Any] = {}
    for part, item in zip(target.elts, items, strict=True):
        found |= bind(part, item)
    return found


def read_answers(text: str) -> list[Any]:
    """Return the values in the list that the harness prints, in the order in which they were asked. Raises: ValueError and the like."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise Failed("no list of values")
    return [from_json(one) for one in found]


def source_of(value: Any) -> str:
    """Return an expression that gives `value`, for tests that are written out. Raises: Unsupported."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, int) and not isinstance(value, bool):
        return integer_source(value)
    if value is None or isinstance(value, int | float | str | bytes | complex):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(source_of, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(source_of, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, SetValue) and value.kind == "frozenset":
        return f"frozenset({source_of(list(value.items.values()))})"
    if isinstance(value, SetValue):
        return f"{{{', '.join(map(source_of, value.items.values()))}}}" if value.items else "set()"
    if isinstance(value, DictValue) and value.kind == "dict":
        return f"{{{', '.join(f'{source_of(k)}: {source_of(v)}' for k, v in value.items.values())}}}"
    if isinstance(value, range):
        return repr(value)
    raise Unsupported(f"{show(value)[:60]} cannot be written out")
