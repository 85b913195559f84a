"""Tests that are Python text: taken apart, so that expected values stay here and only the calls go into the sandbox.

    assert sorted(f([3, 1])) == [1, 3]      the sandbox is asked for `f([3, 1])`; the rest is decided here, by `answer_checks.py`

A test is one or more statements: asserts, assignments, calls, loops over values that stand in the test, `with pytest.raises(...)`,
and the methods of unittest. Statements that need the program run in the sandbox, in its order; values that they do not need never
leave. Raises: Unsupported for what cannot be parted like that, such as a helper that would have to judge beside the program.
"""

import ast
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from .answer_checks import bind, value_of
from .answer_operations import Unsupported, items_of
from .long_integers import parse_python, without_long_literals
from .script_names import Inlined, literal, may_change, names_in, root_name
from .script_reader import PROGRAMS, Reader, Script


@lru_cache(maxsize=4096)
def read_script(source: str) -> Script:
    """Take one test apart. Raises: Unsupported, SyntaxError."""
    reader = Reader({})
    nodes = _parsed(source.strip()).body
    if len(nodes) == 1 and isinstance(nodes[0], ast.Assert) and (name := _shadowing(nodes[0].test)):
        reader.remote_functions.add(name)
    reader.foresee(nodes)
    reader.statements(nodes)
    return reader.script()


def _parsed(source: str) -> ast.Module:
    """Parse a test; `import solution` is left out, `solution.f` is `f`, integers have any length. Raises: SyntaxError, ValueError."""
    module = parse_python(source)
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in PROGRAMS
    }
    return ast.fix_missing_locations(_Unqualified(aliases).visit(module)) if aliases else module


class _Unqualified(ast.NodeTransformer):
    def __init__(self, modules: set[str]) -> None:
        self.modules = modules

    def visit_Import(self, node: ast.Import) -> ast.stmt:
        names = [alias for alias in node.names if alias.name not in PROGRAMS]
        return ast.copy_location(ast.Import(names) if names else ast.Pass(), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        is_own = isinstance(node.value, ast.Name) and node.value.id in self.modules
        return ast.copy_location(ast.Name(node.attr, node.ctx), node) if is_own else node


def _shadowing(test: ast.expr) -> str | None:
    """The function of a test that calls builtins alone: a task may ask for a program's own `sum`."""
    if Reader({}).is_remote(test):
        return None
    left = test.left if isinstance(test, ast.Compare) else test
    name = root_name(left)
    return name if isinstance(left, ast.Call) and isinstance(left.func, ast.Name) else None


@lru_cache(maxsize=4096)
def read_call(source: str) -> tuple[Script, str]:
    """Take an expression apart, such as `add(1, 2)`; with the expression over the answers that gives its value. Raises: as `read_script`."""
    reader = Reader({})
    value = reader.parted(ast.parse(without_long_literals(source.strip()), mode="eval").body)
    return Script(tuple(reader.steps), (), tuple(reader.called)), value


def read_check(source: str, function: str) -> list[str]:
    """Return the tests in HumanEval's `check(candidate)`, one for each assert, in the name of `function`. Raises: Unsupported, SyntaxError."""
    found = [node for node in _parsed(source).body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if not found:
        raise Unsupported("its test has no function check(candidate)")
    name = found[-1].args.args[0].arg if found[-1].args.args else "candidate"
    before: list[ast.stmt] = []
    tests: list[str] = []
    asserting: list[ast.stmt] = []
    for node in found[-1].body:
        node = Inlined({}, {name: function}).visit(node)
        if isinstance(node, ast.Assert | ast.For | ast.With | ast.Try):
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant):
                continue  # assert True, "a remark"
            tests.append("\n".join(ast.unparse(one) for one in (*before, node)))
            asserting.append(node)
        elif not isinstance(node, ast.Pass) and not (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.Name)
        ):
            before.append(node)
    if not tests:
        raise Unsupported("its check asserts nothing")
    if _has_shared_state(before, asserting):
        tests = ["\n".join(ast.unparse(Inlined({}, {name: function}).visit(node)) for node in found[-1].body)]
    for test in tests:
        read_script(test)
    return tests


def _has_shared_state(before: Sequence[ast.stmt], tests: Sequence[ast.stmt]) -> bool:
    """True if several tests read a value that one of them may change."""
    for node in before:
        if not isinstance(node, ast.Assign) or not may_change(node.value):
            continue
        names = {one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        if sum(bool(names & names_in(test)) for test in tests) > 1:
            return True
    return False


def read_functions(source: str) -> list[tuple[str, Callable[[], Script]]]:
    """Return the test functions of a pytest or unittest module by name, each to be read by itself. Raises: SyntaxError."""
    module = _parsed(source)
    around = [node for node in module.body if not _is_test(node) and not _is_main(node)]
    found: list[tuple[str, Callable[[], Script]]] = []
    for node in module.body:
        if not _is_test(node):
            continue
        if isinstance(node, ast.ClassDef):
            members = [inner for inner in node.body if isinstance(inner, ast.FunctionDef)]
            before = [inner for inner in members if inner.name in ("setUp", "setup_method", "setup")]
            for test in members:
                if test.name.startswith("test"):
                    body = [*around, *(line for one in before for line in one.body)]
                    found.append((f"{node.name}.{test.name}", _later(test, body)))
        elif isinstance(node, ast.FunctionDef):
            found.append((node.name, _later(node, around)))
    return found


@lru_cache(maxsize=64)
def read_loop(source: str, function: str) -> list[Script]:
    """Return the scripts of EvalPlus's tests: a list of inputs, a list of results, and a loop that compares. Raises: Unsupported."""
    module = _parsed(source)
    body = next(
        (node.body for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "check"), module.body
    )
    if "set(out)" in source:
        body = [Inlined({}, {"assertion": "assertion_of_sets"}).visit(node) for node in body]
    given: dict[str, Any] = {}
    scripts: list[Script] = []
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            given[node.targets[0].id] = node.value
        elif isinstance(node, ast.For):
            scripts += _loop(node, given, function)
    if not scripts:
        raise Unsupported("no loop over inputs and results")
    return scripts


_AT_ONCE = 20  # calls in one execution


def _loop(node: ast.For, given: dict[str, Any], function: str) -> list[Script]:
    turns = _zipped(node, given)
    if turns is None:
        reader = Reader({"candidate": function})
        for name, value in given.items():
            reader.assign(name, value)
        values = items_of(value_of(reader.inlined(node.iter)))
        turns = [{name: literal(part) for name, part in bind(node.target, value).items()} for value in values]
    scripts = []
    for start in range(0, len(turns), _AT_ONCE):
        reader = Reader({"candidate": function})
        reader.foresee(node.body)
        for turn in turns[start : start + _AT_ONCE]:
            reader.local.update(turn)
            reader.statements(node.body)
        scripts.append(reader.script())
    return scripts


def _zipped(node: ast.For, given: dict[str, Any]) -> list[dict[str, ast.expr]] | None:
    """The turns of `for i, (inp, exp) in enumerate(zip(inputs, results))` as they are written, which may be megabytes."""
    match node:
        case ast.For(
            target=ast.Tuple(elts=[ast.Name(id=at), ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)])]),
            iter=ast.Call(
                func=ast.Name(id="enumerate"),
                args=[ast.Call(func=ast.Name(id="zip"), args=[ast.Name(id=inputs), ast.Name(id=results)])],
            ),
        ):
            lists = given.get(inputs), given.get(results)
            if all(isinstance(one, ast.List) for one in lists):
                pairs = zip(lists[0].elts, lists[1].elts, strict=False)  # type: ignore[union-attr]
                return [{at: ast.Constant(n), first: a, second: b} for n, (a, b) in enumerate(pairs)]
    return None


def _is_test(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test")


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _later(test: ast.FunctionDef, around: Sequence[ast.stmt]) -> Callable[[], Script]:
    def read() -> Script:
        reader = Reader({})
        reader.foresee([*around, *test.body])
        reader.statements(around)
        parameters = [one.arg for one in test.args.args if one.arg != "self"]
        turns: Iterable[dict[str, Any]] = [{}]
        for decorator in test.decorator_list:
            if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.parametrize")):
                if "timeout" in ast.unparse(decorator):
                    continue
                raise Unsupported(f"a test with {ast.unparse(decorator)[:60]}")
            turns = [{**one, **more} for one in turns for more in _parameters(decorator, reader)]
        turns = list(turns)
        if set(parameters) - {name for one in turns for name in one}:
            raise Unsupported(f"a test that takes {', '.join(parameters)}")
        for one in turns:
            for name, value in one.items():
                reader.assign(name, literal(value))
            reader.statements(test.body)
        return reader.script()

    return read


def _parameters(decorator: ast.Call, reader: "Reader") -> list[dict[str, Any]]:
    names, values = (value_of(reader.inlined(argument)) for argument in decorator.args[:2])
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    found = []
    for item in items_of(values):
        given = [item] if len(listed) == 1 and isinstance(names, str) and "," not in names else items_of(item)
        found.append(dict(zip(listed, given, strict=True)))
    return found
