"""Reader of the statements of a test: separates the calls for the sandbox from the rest, which is decided outside of it."""

import ast
import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .answer_checks import bind, check_supported, dotted, source_of, value_of
from .answer_functions import FUNCTIONS, METHODS, MODULES, READING, TYPES
from .answer_operations import Failed, Unsupported, items_of

MAX_LOOPS = 5000  # turns of a loop in one test
_PROGRAMS = ("solution", "main", "your_module", "candidate", "submission", "answer", "program", "code")
_ASKED_WHOLE = ("hasattr", "callable", "asyncio.run")  # of the program's answers, without expected values


@dataclass(frozen=True, slots=True)
class Script:
    """A test taken apart: the calls for the sandbox, and the conditions on their answers."""

    steps: tuple[tuple[str, str], ...]  # ("do", statements), ("ask", expression) or ("raises", statements)
    checks: tuple[str, ...]  # expressions over `_asked_0_`, `_asked_1_`, ...
    called: tuple[str, ...] = ()  # names that the program must define


def literal(value: Any) -> ast.expr:
    return ast.parse(source_of(value), mode="eval").body


@dataclass
class Reader:
    """Reads statements in their order, and remembers which names live in the sandbox."""

    renamed: dict[str, str]
    local: dict[str, ast.expr] = field(default_factory=dict)  # name -> an expression without a program
    remote: set[str] = field(default_factory=set)  # names that the sandbox has
    helpers: dict[str, ast.stmt] = field(default_factory=dict)  # functions, classes and modules of the test
    sent: set[str] = field(default_factory=set)  # helpers that the sandbox has
    steps: list[tuple[str, str]] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    asked: int = 0
    called: dict[str, None] = field(default_factory=dict)
    objects: set[str] = field(default_factory=set)  # of `remote`, those made by a class of the program
    remote_functions: set[str] = field(default_factory=set)  # of the program, with names of builtins

    def script(self) -> Script:
        """Return the parsed test. Raises: Unsupported if it asserts nothing."""
        if not self.checks:
            raise Unsupported("nothing is asserted")
        return Script(tuple(self.steps), tuple(self.checks), tuple(self.called))

    def parted(self, node: ast.expr) -> str:
        """Return an expression over the answers of the sandbox that has the value of `node`. Raises: Unsupported."""
        found = self._parted(node)
        check_supported(found)
        return ast.unparse(ast.fix_missing_locations(found))

    def statements(self, nodes: Iterable[ast.stmt]) -> None:
        """Read them in order. Raises: Unsupported."""
        for node in nodes:
            try:
                self._statement(node)
            except Failed as error:
                raise Unsupported(f"{ast.unparse(node)[:80]}: {error}") from None

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.FunctionDef() | ast.ClassDef():
                self.helpers[node.name] = node
            case ast.Assert():
                self._assert(node.test)
            case ast.Assign(targets=[target], value=value) if not isinstance(target, ast.Subscript | ast.Attribute):
                self._assignment(target, value)
            case ast.Assign(targets=[ast.Subscript() | ast.Attribute() as target]) if root := root_name(target):
                self._share(root)
                if root not in self.remote:
                    raise Unsupported(f"{ast.unparse(node)[:80]!r} is more than an assert")
                self._do(self._sendable(node))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.assign(name, value)
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                self.assign(name, ast.BinOp(ast.Name(name, ast.Load()), operator, value))
            case ast.Expr(value=ast.Constant() | ast.Name()) | ast.Pass():
                pass  # a docstring, or a name by itself: nothing is asserted
            case ast.Expr(value=ast.Call() as call):
                self._call(call)
            case ast.Expr(value=value) if not self.is_remote(value):
                pass
            case ast.For(orelse=[]):
                self._for(node)
            case ast.If() if not self.is_remote(node.test):
                self.statements(node.body if _is_so(self.inlined(node.test)) else node.orelse)
            case ast.With(items=[ast.withitem(context_expr=ast.Call() as call)]):
                self._with(call, node)
            case ast.Try(handlers=[ast.ExceptHandler() as handler], finalbody=[]):
                self._try(node, handler)
            case _:
                raise Unsupported(f"{ast.unparse(node)[:80]!r} is more than an assert")

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _PROGRAMS:
            for alias in node.names:
                if alias.asname:
                    self.renamed[alias.asname] = alias.name
            return
        for alias in node.names:
            name = (alias.asname or alias.name).partition(".")[0]
            if isinstance(node, ast.Import) and name in _PROGRAMS:
                raise Unsupported(f"the program as the module {name}")
            one = copy.copy(node)
            one.names = [alias]
            self.helpers[name] = one

    def assign(self, name: str, value: ast.expr) -> None:
        """Read `name = value`."""
        self._assignment(ast.Name(name, ast.Store()), value)

    def _assignment(self, target: ast.expr, value: ast.expr) -> None:
        if self.is_remote(value):
            names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
            self._do(ast.Assign([target], self._sendable(value)))
            self.remote.update(names)
            self.objects.difference_update(names)
            if self._is_object(value):
                self.objects.update(names)
            for name in names:
                self.local.pop(name, None)
            return
        value = self.inlined(value)
        if isinstance(target, ast.Name):
            self.local[target.id] = value
            self.remote.discard(target.id)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, part in zip(target.elts, value.elts, strict=True):
                self._assignment(one, part)
        else:
            for name, part in bind(target, value_of(value)).items():
                self.local[name] = literal(part)

    def _call(self, call: ast.Call) -> None:
        name = dotted(call.func) or ""
        if name == "print":
            return
        if name.startswith(("self.assert", "np.testing.assert")):
            self._assert(_unittest(name.rpartition(".")[2], call))
            return
        if name in ("assertion", "assertion_of_sets"):
            self._check(call)
            return
        owner = root_name(call.func) if isinstance(call.func, ast.Attribute) else None
        given = [owner] if owner else []
        if not self.is_remote(call) and (owner is None or owner not in self.local):
            if name in ("sys.setrecursionlimit", "random.seed", "warnings.filterwarnings"):
                return
            raise Unsupported(f"{ast.unparse(call)[:80]!r} is more than an assert")
        given += [argument.id for argument in call.args if isinstance(argument, ast.Name)]
        for one in given:
            self._share(one)
        self._do(ast.Expr(self._sendable(call)))

    def _share(self, name: str) -> None:
        """Let the sandbox hold a value that a call may change."""
        if name in self.local and not isinstance(self.local[name], ast.Constant):
            self._do(ast.Assign([ast.Name(name, ast.Store())], self._sendable(self.local.pop(name))))
            self.remote.add(name)

    def _for(self, node: ast.For) -> None:
        if self.is_remote(node.iter):
            raise Unsupported(f"{ast.unparse(node)[:80]!r} loops over what the program gives")
        turns = items_of(value_of(self.inlined(node.iter)))
        if len(turns) > MAX_LOOPS:
            raise Unsupported(f"a loop of {len(turns)} turns")
        for turn in turns:
            for name, value in bind(node.target, turn).items():
                self.local[name] = literal(value)
                self.remote.discard(name)
            self.statements(node.body)

    def _with(self, call: ast.Call, node: ast.With) -> None:
        name = dotted(call.func)
        if name not in ("pytest.raises", "raises", "self.assertRaises", "self.assertRaisesRegex") or not call.args:
            raise Unsupported(f"with {ast.unparse(call)[:60]}")
        match = next((keyword.value for keyword in call.keywords if keyword.arg == "match"), None)
        if name == "self.assertRaisesRegex":
            match = call.args[1]
        self._raises(node.body, call.args[0], match)

    def _try(self, node: ast.Try, handler: ast.ExceptHandler) -> None:
        """`try: f(-1); assert False` and `except ValueError: pass`: the call must raise."""
        body, fails = node.body, [*node.body[-1:], *node.orelse]
        if handler.type is None or not any(_always_fails(one) for one in fails):
            raise Unsupported("a try that may go both ways")
        if not all(isinstance(one, ast.Pass | ast.Expr) or _is_trivial(one) for one in handler.body):
            raise Unsupported("an except that does more")
        self._raises([one for one in body if not _always_fails(one)], handler.type, None)

    def _raises(self, body: Sequence[ast.stmt], kinds: ast.expr, match: ast.expr | None) -> None:
        sent = []
        for one in body:
            if isinstance(one, ast.Assert):
                one = ast.Expr(one.test)
            if isinstance(one, ast.For | ast.While | ast.If | ast.Try | ast.With):
                raise Unsupported(f"{ast.unparse(one)[:60]!r} in a block that must raise")
            sent.append(ast.unparse(ast.fix_missing_locations(self._sendable(one))))
        if not any(self.is_remote(one) for one in body):
            raise Unsupported("a block that must raise without the program")
        names = [dotted(one) or "" for one in (kinds.elts if isinstance(kinds, ast.Tuple) else [kinds])]
        arguments: list[ast.expr] = [
            ast.Name(self._step("raises", "\n".join(sent)), ast.Load()),
            ast.Tuple([ast.Constant(name.rpartition(".")[2]) for name in names], ast.Load()),
        ]
        if match is not None:
            arguments.append(self.inlined(match))
        self._check(ast.Call(ast.Name("_raised_", ast.Load()), arguments, []))

    def _assert(self, test: ast.expr) -> None:
        if isinstance(test, ast.Constant):
            return  # assert True, "a remark"
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for part in test.values:
                self._assert(part)
            return
        if not self.is_remote(test):
            return  # nothing of the program is asserted
        self._check(test)

    def _check(self, test: ast.expr) -> None:
        self.checks.append(self.parted(test))

    def _step(self, kind: str, source: str) -> str:
        """Send one step to the sandbox; the name of the place of its answer."""
        self.steps.append((kind, source))
        if kind == "do":
            return ""
        self.asked += 1
        return f"_asked_{self.asked - 1}_"

    def _do(self, node: ast.stmt) -> None:
        self._step("do", ast.unparse(ast.fix_missing_locations(node)))

    def _ask(self, node: ast.expr) -> ast.expr:
        return ast.Name(self._step("ask", ast.unparse(ast.fix_missing_locations(self._sendable(node)))), ast.Load())

    def is_remote(self, node: ast.AST) -> bool:
        """True if the value of `node` depends on the program."""
        bound = _bound(node)
        return any(
            isinstance(inner, ast.Name) and self._is_foreign(inner.id) and inner.id not in bound
            for inner in ast.walk(node)
        )

    def _is_foreign(self, name: str) -> bool:
        """True for a name of the program, of the sandbox, or of a helper."""
        if name in self.remote or name in self.renamed or name in self.remote_functions:
            return True
        if name in self.local or name == "self" or name.startswith("_asked_"):
            return False
        if name in self.helpers:
            helper = self.helpers[name]
            return not isinstance(helper, ast.Import | ast.ImportFrom) or name not in (
                *MODULES,
                *FUNCTIONS,
                *TYPES,
                "numpy",
            )
        return not (
            name in FUNCTIONS
            or name in TYPES
            or name in MODULES
            or name in ("numpy", "NotImplemented", "Ellipsis", "print")
        )

    def inlined(self, node: ast.expr) -> ast.expr:
        """Return the expression with its names replaced."""
        return Inlined(self.local, self.renamed).visit(copy.deepcopy(node))  # type: ignore[no-any-return]

    def _sendable(self, node: Any) -> Any:
        """The node with everything it needs from here; its helpers are sent first."""
        found = Inlined(self.local, self.renamed).visit(copy.deepcopy(node))
        bound = _bound(found)
        for inner in ast.walk(found):
            if isinstance(inner, ast.Name):
                self._need(inner.id)
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load) and inner.id not in bound:
                is_own = inner.id not in self.remote and inner.id not in self.helpers and self._is_foreign(inner.id)
                if is_own and (inner.id in self.remote_functions or not _is_builtin(inner.id)):
                    self.called[inner.id] = None
        return found

    def _need(self, name: str) -> None:
        helper = self.helpers.get(name)
        if name in self.sent or (helper is None and name not in MODULES | {"numpy"}):
            return
        self.sent.add(name)
        if helper is None:  # a module that tests take for granted
            source = "numpy as np" if name == "np" else name
            if name != "pytest":
                self._step("do", f"try:\n    {name}\nexcept NameError:\n    import {source}")
            return
        for inner in ast.walk(helper):
            if isinstance(inner, ast.Name):
                self._need(inner.id)
                if inner.id in self.local and isinstance(inner.ctx, ast.Load):
                    raise Unsupported(f"a helper that reads {inner.id}")
        self._do(copy.deepcopy(helper))

    def _parted(self, node: ast.expr) -> ast.expr:
        """The expression with a place for each part that only the sandbox can give."""
        if not self.is_remote(node):
            return self.inlined(node)
        match node:
            case ast.Name():
                if node.id in self.helpers:
                    raise Unsupported(f"{node.id} would have to judge beside the program")
                return self._ask(node)
            case ast.Call():
                return self._parted_call(node)
            case ast.Attribute():
                root = root_name(node)
                if root in self.helpers:
                    raise Unsupported(f"{ast.unparse(node)[:60]} would have to judge beside the program")
                return self._ask(node)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self._parted_loop(node)
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[right]) if self._is_object(right):
                return self._ask(node)
            case ast.Compare(left=left, comparators=[right]) if self._are_objects(left, right):
                raise Unsupported(f"{ast.unparse(node)[:60]} compares objects of the program's own class")
            case ast.Subscript(value=owner) if self._is_object(owner):
                return self._ask(node)
            case ast.BinOp(left=left, right=right) if self._is_object(left) or self._is_object(right):
                return self._ask(node)
            case ast.UnaryOp(operand=operand) if self._is_object(operand) and not isinstance(node.op, ast.Not):
                return self._ask(node)
            case ast.DictComp() | ast.Lambda():
                raise Unsupported(f"{ast.unparse(node)[:60]} runs the program in a loop")
        found = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(found, name, self._parted(value))
            elif isinstance(value, list):
                setattr(found, name, [self._parted(one) if isinstance(one, ast.expr) else one for one in value])
        return found

    def _are_objects(self, left: ast.expr, right: ast.expr) -> bool:
        """True if both sides need the program, and one of them makes an object of the program's own class."""
        is_any = self._is_object(left) or self._is_object(right)
        return is_any and self.is_remote(left) and self.is_remote(right)

    def _is_object(self, node: ast.expr) -> bool:
        """True for an object that answers for itself: one that a class of the program has just made, or a name of one."""
        if isinstance(node, ast.Name):
            return node.id in self.objects
        is_known = isinstance(node, ast.Call) and (dotted(node.func) or "") in {*TYPES, *FUNCTIONS}
        return _makes_object(node) and not is_known and self.is_remote(node)

    def _parted_call(self, node: ast.Call) -> ast.expr:
        name = dotted(node.func) or ""
        root = root_name(node.func)
        if root is None and (not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS):
            raise Unsupported(f"{ast.unparse(node)[:60]} would compare beside the program")
        is_ours = (name in FUNCTIONS or name in TYPES) and root not in self.remote and name not in self.remote_functions
        if name == "isinstance" and len(node.args) == 2 and self.is_remote(node.args[1]):
            return self._ask(node)  # a class of the program's own
        is_plain = len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Name)
        if is_ours and is_plain and self._is_object(node.args[0]):
            return self._ask(node)  # len(stack), str(point), list(tree)
        if is_ours:
            return self._with_arguments(node, node.func)
        if isinstance(node.func, ast.Attribute) and root not in self.helpers:
            owner = node.func.value
            reads = METHODS if not isinstance(owner, ast.Name) and not _makes_object(owner) else READING
            if not self.is_remote(owner) or node.func.attr in reads:
                return self._with_arguments(node, ast.Attribute(self._parted(owner), node.func.attr, ast.Load()))
            return self._ask(node)
        if name in _ASKED_WHOLE and all(isinstance(one, ast.Constant) for one in node.args[1:]):
            return self._ask(node)
        if root in self.helpers or (
            _is_builtin(root or "") and root not in self.renamed and root not in self.remote_functions
        ):
            raise Unsupported(f"{ast.unparse(node.func)[:60]}() would have to judge beside the program")
        return self._ask(node)

    def _with_arguments(self, node: ast.Call, function: ast.expr) -> ast.Call:
        return ast.Call(
            function,
            [self._parted(argument) for argument in node.args],
            [ast.keyword(keyword.arg, self._parted(keyword.value)) for keyword in node.keywords],
        )

    def _parted_loop(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> ast.expr:
        first = node.generators[0]
        is_single = len(node.generators) == 1
        bound = {name.id for name in ast.walk(first.target) if isinstance(name, ast.Name)}
        inner = [node.elt, *first.ifs]
        if is_single and (self.is_remote(first.iter) or not any(self._is_remote_but(one, bound) for one in inner)):
            found = copy.copy(node)
            found.elt = self._hoisted(node.elt, bound)
            ifs = [self._hoisted(one, bound) for one in first.ifs]
            found.generators = [ast.comprehension(first.target, self._parted(first.iter), ifs, 0)]
            return found
        if not is_single or self.is_remote(first.iter):
            raise Unsupported(f"{ast.unparse(node)[:60]} runs the program in a loop")
        turns = items_of(value_of(self.inlined(first.iter)))
        if len(turns) > MAX_LOOPS:
            raise Unsupported(f"a loop of {len(turns)} turns")
        parts: list[ast.expr] = []
        saved = dict(self.local)
        for turn in turns:
            self.local.update({name: literal(value) for name, value in bind(first.target, turn).items()})
            if all(_is_so(self.inlined(condition)) for condition in first.ifs):
                parts.append(self._parted(node.elt))
        self.local = saved
        return ast.Set(parts) if isinstance(node, ast.SetComp) else ast.List(parts, ast.Load())

    def _hoisted(self, node: ast.expr, bound: set[str]) -> ast.expr:
        """The body of a loop, with a place for each part that only the sandbox can give and that the loop does not change."""
        names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        if not names & bound:
            return self._parted(node)
        if not self._is_remote_but(node, bound):
            kept = {name: value for name, value in self.local.items() if name not in bound}
            return Inlined(kept, self.renamed).visit(copy.deepcopy(node))  # type: ignore[no-any-return]
        if isinstance(node, ast.Call):
            is_ours = (dotted(node.func) or "") in {*FUNCTIONS, *TYPES} - self.remote_functions
            if not is_ours and not (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                raise Unsupported(f"{ast.unparse(node)[:60]} runs the program in a loop")
            function = node.func
            if not is_ours and isinstance(function, ast.Attribute):
                function = ast.Attribute(self._hoisted(function.value, bound), function.attr, ast.Load())
            return ast.Call(function, [self._hoisted(one, bound) for one in node.args], node.keywords)
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp | ast.Lambda):
            raise Unsupported(f"{ast.unparse(node)[:60]} runs the program in a loop")
        found = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(found, name, self._hoisted(value, bound))
            elif isinstance(value, list):
                setattr(found, name, [self._hoisted(v, bound) if isinstance(v, ast.expr) else v for v in value])
        return found

    def _is_remote_but(self, node: ast.expr, bound: set[str]) -> bool:
        return any(
            isinstance(inner, ast.Name) and inner.id not in bound and self._is_foreign(inner.id)
            for inner in ast.walk(node)
        )


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


def _bound(node: ast.AST) -> set[str]:
    """The names that lambdas and comprehensions inside `node` bind."""
    found = {name.arg for inner in ast.walk(node) if isinstance(inner, ast.Lambda) for name in inner.args.args}
    for inner in ast.walk(node):
        if isinstance(inner, ast.comprehension):
            found |= {name.id for name in ast.walk(inner.target) if isinstance(name, ast.Name)}
    return found


def root_name(node: ast.expr) -> str | None:
    """The name that a chain of attributes, calls and items begins with."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _makes_object(node: ast.expr) -> bool:
    """True for a call of a name that looks like a class."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id[:1].isupper()


def _is_builtin(name: str) -> bool:
    import builtins

    return hasattr(builtins, name)


def _is_so(test: ast.expr) -> bool:
    return bool(value_of(ast.Call(ast.Name("bool", ast.Load()), [test], [])))


def _always_fails(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    if isinstance(node, ast.Raise):
        return True
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith(("pytest.fail(", "self.fail("))


def _is_trivial(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and bool(node.test.value)


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


def _unittest(name: str, call: ast.Call) -> ast.expr:
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
