"""Names and values in the expressions and statements of a test, without a word on who has them."""

import ast
import builtins
from collections.abc import Iterator, Mapping
from typing import Any

from .answer_checks import dotted, source_of, value_of
from .answer_operations import Failed, Unsupported
from .values import DictValue, Sequence, SetValue, key_of


class Replaced(ast.NodeTransformer):
    """Puts other expressions in the place of names, items and calls, by their dumps."""

    def __init__(self, items: dict[str, ast.expr]) -> None:
        self.items = items

    def visit(self, node: ast.AST) -> Any:
        found = self.items.get(ast.dump(node)) if isinstance(node, ast.Name | ast.Subscript | ast.Call) else None
        return found or self.generic_visit(node)


def places_in(node: ast.AST) -> Iterator[ast.expr]:
    """The names and items of names that an expression reads, each as a whole: `case[0]` or `case.get("in")`, and not `case`."""
    parts = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.expr):
        root, owner = node, _owner(node)
        while (inner := _owner(root)) is not None:
            root = inner
        if isinstance(root, ast.Name):
            yield node
            if owner is not None:  # the indices inside of it are places, too
                parts = [*_indices(node)]
    for part in parts:
        yield from places_in(part)


def _owner(node: ast.expr) -> ast.expr | None:
    """The expression whose item a node is."""
    match node:
        case ast.Subscript(value=owner) | ast.Call(func=ast.Attribute(value=owner, attr="get")):
            return owner
    return None


def _indices(node: ast.expr) -> Iterator[ast.expr]:
    while (owner := _owner(node)) is not None:
        yield from [node.slice] if isinstance(node, ast.Subscript) else node.args if isinstance(node, ast.Call) else []
        node = owner


def adds_nothing(value: Any, known: Mapping[int, str]) -> bool:
    """True if a value holds only those of the identities in `known`, or is a shallow copy of one; `known` has their keys."""
    if id(value) in known:
        return True
    if any(id(part) in known for part in mutable_parts(value)) and key_of(value) in known.values():
        return True
    items = value.items if isinstance(value, Sequence) else value
    return isinstance(items, list | tuple) and all(adds_nothing(item, known) for item in items)


def containers_in(value: Any) -> Iterator[Any]:
    """A value and the values in it, as far as they hold others."""
    if isinstance(value, list | tuple | SetValue | DictValue | Sequence):
        yield value
    items = (item for _, item in value.items.values()) if isinstance(value, DictValue) else ()
    for item in value if isinstance(value, list | tuple) else value.items if isinstance(value, Sequence) else items:
        yield from containers_in(item)


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


def literal(value: Any) -> ast.expr:
    return ast.parse(source_of(value), mode="eval").body


class Inlined(ast.NodeTransformer):
    def __init__(self, local: dict[str, ast.expr], renamed: dict[str, str]) -> None:
        self.local, self.renamed = local, renamed

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self.local:
            return self.local[node.id]  # shared: nothing changes a node in place
        return ast.Name(self.renamed.get(node.id, node.id), node.ctx)

    def _comprehension(self, node: Any) -> Any:
        bound = {
            name.id
            for one in node.generators
            for name in ast.walk(one.target)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        kept = {name: value for name, value in self.local.items() if name not in bound}
        return Inlined(kept, self.renamed).generic_visit(node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        kept = {k: v for k, v in self.local.items() if k not in {one.arg for one in node.args.args}}
        return Inlined(kept, self.renamed).generic_visit(node)


def root_name(node: ast.expr) -> str | None:
    """The name that a chain of attributes, calls and items begins with."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def makes_object(node: ast.expr) -> bool:
    """True for a call of a name that looks like a class."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id[:1].isupper()


def picked(node: ast.expr) -> ast.expr:
    """The item itself where it is taken from a list, tuple or dict that is written out."""
    match node:
        case ast.Subscript(value=owner, slice=ast.Constant(value=at)):
            match picked(owner):
                case ast.Tuple(elts=items) | ast.List(elts=items) if isinstance(at, int) and 0 <= at < len(items):
                    is_plain = not any(isinstance(item, ast.Starred) for item in items)
                    return picked(items[at]) if is_plain else node
                case ast.Dict(keys=keys, values=items) if all(isinstance(key, ast.Constant) for key in keys):
                    found = [one for key, one in zip(keys, items, strict=True) if ast.dump(key) == ast.dump(node.slice)]  # type: ignore[arg-type]
                    return picked(found[-1]) if found else node
    return node


def display(value: Any, owns: dict[int, str], changed: set[int]) -> ast.expr:
    """Return an expression for a value of which the sandbox holds the parts `owns`. Raises: Unsupported."""
    if id(value) in owns:
        return ast.Name(owns[id(value)], ast.Load())
    if id(value) in changed:
        raise Unsupported("a part of what the program was given is read by another name")
    if isinstance(value, list | tuple):
        items = [display(item, owns, changed) for item in value]
        return ast.List(items, ast.Load()) if isinstance(value, list) else ast.Tuple(items, ast.Load())
    if isinstance(value, DictValue) and value.kind == "dict":
        pairs = list(value.items.values())
        return ast.Dict([literal(key) for key, _ in pairs], [display(item, owns, changed) for _, item in pairs])
    return literal(value)


def class_name(name: str) -> str:
    """The name that an exception's class has itself: `IOError` is `OSError`."""
    kind = getattr(builtins, name, None)
    return kind.__name__ if isinstance(kind, type) else name.rpartition(".")[2]


def is_builtin(name: str) -> bool:
    return hasattr(builtins, name)


def is_so(test: ast.expr) -> bool:
    return bool(value_of(ast.Call(ast.Name("bool", ast.Load()), [test], [])))


def always_fails(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    if isinstance(node, ast.Raise):
        return True
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith(("pytest.fail(", "self.fail("))


def is_trivial(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and bool(node.test.value)
