r"""Vectors as sums of unit vectors: `\mathbf{i} - 2\mathbf{j}` is `\langle 1, -2 \rangle`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from . import numeric
from .evaluate import nodes
from .types import Apply, Bracketed, Constant, Matrix, Node, Number, Symbol, Value

_PLAIN: list[Node] = [Constant("i"), Symbol("j"), Symbol("k")]
_HATS = {f"{hat} {letter}": at for at, letters in enumerate((("i", "imath"), ("j", "jmath"), ("k",))) for letter in letters for hat in ("hat", "widehat")}  # fmt: skip
_ZERO, _ONE = Number(Fraction(0)), Number(Fraction(1))
_FRESH: list[Node] = [Symbol("unit 1"), Symbol("unit 2"), Symbol("unit 3")]


def as_vectors(gold: Value, answer: Value) -> tuple[Value, Value] | None:
    """Both as points if one is a sum of unit vectors and the other a point, a column or such a sum in another type; else None."""
    if isinstance(gold, Bracketed | Matrix) and isinstance(answer, Apply | Symbol):
        point = _point(answer, _size(gold))
        return (gold, point) if point is not None else None
    if isinstance(gold, Apply | Symbol) and isinstance(answer, Bracketed | Matrix):
        point = _point(gold, _size(answer))
        return (point, answer) if point is not None else None
    if isinstance(gold, Apply) and isinstance(answer, Apply) and _has_hat(gold) != _has_hat(answer):
        ours, theirs = _point(gold, 3), _point(answer, 3)
        return (ours, theirs) if ours is not None and theirs is not None else None
    return None


def _size(vector: Bracketed | Matrix) -> int:
    if isinstance(vector, Bracketed):
        return len(vector.items) if vector.opening == "(" else 0
    rows = vector.rows
    return len(rows[0]) if len(rows) == 1 else len(rows) if all(len(row) == 1 for row in rows) else 0


def _has_hat(node: Node) -> bool:
    return any(isinstance(part, Symbol) and part.name in _HATS for part in nodes(node))


def _axis(node: Node, is_plain: bool) -> int | None:
    if is_plain:
        return _PLAIN.index(node) if node in _PLAIN else None
    return _HATS.get(node.name) if isinstance(node, Symbol) else None


def _point(node: Node, size: int) -> Bracketed | None:
    """The coordinates of a sum of unit vectors; None for anything else. `i` alone is a number."""
    if size not in (2, 3):
        return None
    is_plain = not _has_hat(node)
    axes = {axis for part in nodes(node) if (axis := _axis(part, is_plain)) is not None}
    if not axes or (is_plain and axes == {0}) or max(axes) >= size or isinstance(node, Symbol) and is_plain:
        return None
    found = [_with(node, [_ONE if at == axis else _ZERO for at in range(3)], is_plain) for axis in range(3)]
    total: Node = _ZERO
    for coordinate, unit in zip(found, _FRESH, strict=True):
        total = Apply("add", (total, Apply("mul", (coordinate, unit))))
    if numeric.equal_nodes(total, _with(node, _FRESH, is_plain)) is not True:
        return None
    return Bracketed("(", ")", tuple(found[:size]))


def _with(node: Node, units: Sequence[Node], is_plain: bool) -> Node:
    axis = _axis(node, is_plain)
    if axis is not None:
        return units[axis]
    return (
        Apply(node.name, tuple(_with(arg, units, is_plain) for arg in node.args)) if isinstance(node, Apply) else node
    )
