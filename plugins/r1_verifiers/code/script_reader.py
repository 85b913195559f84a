"""Reader of the statements of a test: separates the calls for the sandbox from the rest, which is decided outside of it."""

import ast
import copy
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .answer_checks import bind, check_supported, dotted, value_of
from .answer_functions import FUNCTIONS, METHODS, MODULES, READING, TYPES
from .answer_operations import Failed, Unsupported, items_of
from .script_names import (
    Inlined,
    Replaced,
    adds_nothing,
    always_fails,
    bound_in,
    class_name,
    containers_in,
    display,
    displayed,
    is_builtin,
    is_so,
    is_trivial,
    is_type_call,
    literal,
    makes_object,
    may_change,
    mutable_parts,
    names_in,
    names_read,
    picked,
    places_in,
    root_name,
)
from .unittest_methods import unittest_check
from .values import key_of

MAX_LOOPS = 5000  # turns of a loop in one test
_IN_A_LOOP = 2  # uses of a name that one loop goes over, and nothing else reads
PROGRAMS = ("solution", "main", "your_module", "candidate", "submission", "answer", "program", "code")
_ASKED_WHOLE = ("hasattr", "callable", "asyncio.run", "itertools.islice", "islice", "next")  # of the program's answers
_RAISES = ("pytest.raises", "raises", "self.assertRaises", "self.assertRaisesRegex")
_PREPARING = (  # statements that change nothing here
    *("sys.setrecursionlimit", "sys.path.append", "sys.path.insert", "sys.path.extend"),
    *("random.seed", "warnings.filterwarnings", "print"),
)
_NESTED = re.compile(r"\([^()]*[+*}][^()]*\)[+*{]")  # a repetition of repetitions
_INDICES = (ast.Constant, ast.Name, ast.Slice, ast.UnaryOp, ast.BinOp, ast.Tuple)
_COPIES = {*FUNCTIONS, *TYPES} - {"next", "iter", "map", "filter", "zip", "enumerate", "reversed", "type"}


@dataclass(frozen=True, slots=True)
class Script:
    """A test taken apart: the calls for the sandbox, and the conditions on their answers."""

    steps: tuple[tuple[str, str], ...]  # ("do", statements), ("ask", expression) or ("raises", statements)
    checks: tuple[str, ...]  # expressions over `_asked_0_`, `_asked_1_`, ...
    called: tuple[str, ...] = ()  # names that the program must define


@dataclass
class Reader:
    """Reads statements in their order, and remembers which names live in the sandbox.

    A name of the test is `local` until the program may change its value: a mutable value that is given to the program and read
    again moves into the sandbox, so what the program does to it is seen as in Python. All names that share it move with it if the
    program can reach their values; of a value that holds others, too, such as the expected ones, only the part that is given does.
    """

    renamed: dict[str, str]
    local: dict[str, ast.expr] = field(default_factory=dict)  # name -> an expression without a program
    linked: dict[str, ast.expr] = field(
        default_factory=dict
    )  # of `local`, those that share values: in the others' names
    uses: Counter[str] = field(default_factory=Counter)  # how often the test reads each name
    remote: set[str] = field(default_factory=set)  # names that the sandbox has
    given: set[str] = field(default_factory=set)  # of `remote`, values that the test itself has made
    given_names: set[str] = field(default_factory=set)  # names in what was sent to the sandbox
    parts: dict[str, tuple[ast.expr, str]] = field(
        default_factory=dict
    )  # by its dump, a place in `local` -> its name there
    lost: set[str] = field(default_factory=set)  # names whose value may have changed where this reader does not see it
    caught: dict[str, list[ast.expr]] = field(
        default_factory=dict
    )  # names of exceptions: the arguments of their checks
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
        return ast.unparse(self._checked(node))

    def foresee(self, nodes: Iterable[ast.stmt]) -> None:
        """Count the names that statements will read, before they are read."""
        for node in nodes:
            self.uses.update(names_read(node))

    def statements(self, nodes: Iterable[ast.stmt]) -> None:
        """Read them in order. Raises: Unsupported."""
        for node in nodes:
            try:
                self._statement(node)
            except Failed as error:
                raise Unsupported(f"{ast.unparse(node)[:80]}: {error}") from None

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assert | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Expr):
            node = self._with_parts(node)
        match node:
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.FunctionDef() | ast.ClassDef():
                self.helpers[node.name] = node
            case ast.Assert():
                self._assert(node.test)
            case ast.Assign(targets=[ast.Name() as target], value=ast.Call() as call) if self._is_raising(call):
                self._raising_call(call, target)
            case ast.Assign(targets=[target], value=value) if not isinstance(target, ast.Subscript | ast.Attribute):
                self._assignment(target, value)
            case (
                ast.Assign(targets=[ast.Subscript() | ast.Attribute() as target])
                | ast.AugAssign(target=ast.Subscript() | ast.Attribute() as target)
                | ast.Delete(targets=[ast.Subscript() as target])
            ) if root := root_name(target):
                self._share(root)
                if root not in self.remote:
                    raise Unsupported(f"{ast.unparse(node)[:80]!r} is more than an assert")
                self._do(self._sendable(node))
            case ast.Assign(targets=[*others, ast.Name(id=name) as last], value=value) if others:
                self._assignment(last, value)
                for target in others:
                    self._statement(ast.Assign([target], ast.Name(name, ast.Load())))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.assign(name, value)
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                if self._is_linked(name):
                    self._share(name)
                if name in self.remote:
                    self._do(self._sendable(node))
                    return
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
                self.statements(node.body if is_so(self.inlined(node.test)) else node.orelse)
            case ast.With(items=[ast.withitem(context_expr=ast.Call() as call, optional_vars=name)]):
                self._with(call, name, node)
            case ast.Try(handlers=[ast.ExceptHandler() as handler], finalbody=[]):
                self._try(node, handler)
            case _:
                raise Unsupported(f"{ast.unparse(node)[:80]!r} is more than an assert")

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PROGRAMS:
            for alias in node.names:
                if alias.asname:
                    self.renamed[alias.asname] = alias.name
                elif alias.name in FUNCTIONS or alias.name in TYPES:
                    self.remote_functions.add(alias.name)
            return
        for alias in node.names:
            name = (alias.asname or alias.name).partition(".")[0]
            if isinstance(node, ast.Import) and name in PROGRAMS:
                raise Unsupported(f"the program as the module {name}")
            one = copy.copy(node)
            one.names = [alias]
            self.helpers[name] = one

    def assign(self, name: str, value: ast.expr) -> None:
        """Read `name = value`."""
        self._assignment(ast.Name(name, ast.Store()), value)

    def _assignment(self, target: ast.expr, value: ast.expr) -> None:
        names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
        for name in names:
            self.caught.pop(name, None)
        if self.is_remote(value):
            if isinstance(target, ast.Name) and self._is_copy(value):
                self._bind(target.id, self._checked(value))
                return
            self._do(ast.Assign([target], self._sendable(value)))
            is_object = self._is_object(value)
            for name in names:
                self._release(name)
                self.local.pop(name, None)
            self.remote.update(names)
            self.given.difference_update(names)
            self.objects.difference_update(names)
            if is_object:
                self.objects.update(names)
            return
        if isinstance(target, ast.Name):
            self._bind(target.id, self.inlined(value), self._link(value))
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            parts = [(self.inlined(part), self._link(part)) for part in value.elts]
            for one, (part, link) in zip(target.elts, parts, strict=True):
                if isinstance(one, ast.Name):
                    self._bind(one.id, part, link)
                else:
                    self._assignment(one, part)
        else:
            for name, part in bind(target, value_of(self.inlined(value))).items():
                self._bind(name, literal(part))

    def _bind(self, name: str, value: ast.expr, link: ast.expr | None = None) -> None:
        """Give a name of the test a value that stays here for now."""
        kept = self._release(name)
        self.local[name] = value
        self.remote.discard(name)
        if link is not None:
            self.linked[name] = Inlined({}, {name: kept}).visit(link) if kept else link

    def _release(self, name: str) -> str | None:
        """Keep the old value of a name that is bound anew for those that share it; return the new name of that value."""
        if not self._is_linked(name):
            self.parts = {dump: part for dump, part in self.parts.items() if name not in names_in(part[0])}
            return None
        kept = f"_{name}_{len(self.local)}_"
        self.local[kept] = self.local.pop(name)
        if name in self.linked:
            self.linked[kept] = self.linked.pop(name)
        for other, value in self.linked.items():
            self.linked[other] = Inlined({}, {name: kept}).visit(copy.deepcopy(value))
        places = [(Inlined({}, {name: kept}).visit(copy.deepcopy(place)), own) for place, own in self.parts.values()]
        self.parts = {ast.dump(place): (place, own) for place, own in places}
        return kept

    def _is_linked(self, name: str) -> bool:
        """True for a local name that shares a mutable value with another."""
        return name in self.local and (
            name in self.linked or any(name in names_in(value) for value in self.linked.values())
        )

    def _link(self, value: ast.expr) -> ast.expr | None:
        """Return a local value in the names of those that it shares mutable parts with; None where it shares none."""
        mentioned = {name for name in names_in(value) & self.local.keys() if may_change(self.local[name])}
        if not mentioned:
            return None
        kept = {name: one for name, one in self.local.items() if name not in mentioned}
        link: ast.expr = Inlined(kept, self.renamed).visit(copy.deepcopy(value))
        try:
            around = {name: value_of(self.local[name]) for name in mentioned}
            found = value_of(link, around)
        except (Unsupported, Failed):
            return link
        parts = {id(part) for one in around.values() for part in mutable_parts(one)}
        return link if any(id(part) in parts for part in mutable_parts(found)) else None

    def _is_copy(self, value: ast.expr) -> bool:
        """True if a value is made of the test's own values in the sandbox, by what is decided here: `sorted(given)`."""
        is_made = isinstance(value, ast.ListComp | ast.SetComp | ast.DictComp) or (
            isinstance(value, ast.Call) and (dotted(value.func) or "") in _COPIES - self.remote_functions
        )
        foreign = {name for name in names_in(value) if self._is_foreign(name)}
        return is_made and foreign <= self.given

    def _checked(self, value: ast.expr) -> ast.expr:
        found = self._parted(value)
        check_supported(found)
        return ast.fix_missing_locations(found)

    def _call(self, call: ast.Call) -> None:
        name = dotted(call.func) or ""
        if name in _PREPARING:
            return
        if self._is_raising(call):
            self._raising_call(call, None)
            return
        if name.startswith(("self.assert", "np.testing.assert")):
            self._assert(unittest_check(name.rpartition(".")[2], call))
            return
        if name in ("assertion", "assertion_of_sets"):
            self._check(call)
            return
        owner = root_name(call.func) if isinstance(call.func, ast.Attribute) else None
        if owner in self.caught and name == f"{owner}.match":
            self._check(call)
            return
        if not self.is_remote(call) and (owner is None or owner not in self.local):
            raise Unsupported(f"{ast.unparse(call)[:80]!r} is more than an assert")
        self._do(ast.Expr(self._sendable(call)))

    def _is_shared(self, name: str) -> bool:
        """True for a local name whose value the sandbox is to hold: it can be changed, and the test reads it again."""
        is_read_again = self.uses[name] > 1 or self._is_linked(name)
        return name in self.local and is_read_again and may_change(self.local[name])

    def _share(self, name: str) -> None:
        """Let the sandbox hold a mutable value of the test, with all names that share parts of it."""
        if name not in self.local or not may_change(self.local[name]):
            return
        group = self._group(name)
        if any(names_in(place) & set(group) for place, _ in self.parts.values()):
            raise Unsupported(f"{name} is used after the program was given a part of it")
        mentioned = {one: names_in(self.linked[one]) for one in group if one in self.linked}
        values = {one: self.linked.pop(one) if one in mentioned else self.local[one] for one in group}
        for one in group:
            del self.local[one]
        while group:
            first = next(one for one in group if not mentioned.get(one, set()) & set(group))
            group.remove(first)
            self._do(ast.Assign([ast.Name(first, ast.Store())], self._sendable(values[first])))
            self.remote.add(first)
            self.given.add(first)

    def _group(self, name: str) -> list[str]:
        """Return a local name and all those that share values with it."""
        group = [name]
        for one in group:
            linked = {other for other, value in self.linked.items() if one in names_in(value)}
            linked |= names_in(self.linked[one]) & self.local.keys() if one in self.linked else set()
            group += sorted(linked - set(group))
        return group

    def _values(self, group: list[str], places: Iterable[ast.expr]) -> tuple[dict[str, Any], list[Any]]:
        """Return the values of the names in a group, which share parts as in the test, and those of places in them. Raises: Failed, Unsupported."""
        others = {name: value for name, value in self.local.items() if name not in group}
        values: dict[str, Any] = {}
        left = list(group)
        while left:
            first = next(one for one in left if one not in self.linked or not names_in(self.linked[one]) & set(left))
            left.remove(first)
            source = self.linked.get(first, self.local[first])
            values[first] = value_of(Inlined(others, self.renamed).visit(copy.deepcopy(source)), values)
        return values, [value_of(Inlined(others, self.renamed).visit(copy.deepcopy(one)), values) for one in places]

    def _give(self, node: Any) -> Any:
        """Let the sandbox hold the mutable values that `node` gives to the program and that the test reads again, and no others."""
        for name in sorted(names_in(node)):
            if not self._is_shared(name):
                continue
            group = self._group(name)
            places = list(self._local_parts(node, set(group)))
            try:
                values, given = self._values(group, places)
            except (Failed, Unsupported):
                self._share(name)
                continue
            reached = {id(part): key_of(part) for value in given for part in containers_in(value)}
            if all(adds_nothing(value, reached) for value in values.values()):
                self._share(name)
                continue
            for place, value in zip(places, given, strict=True):
                if any(mutable_parts(value)) and ast.dump(place) not in self.parts:
                    self._refuse_parts(place)
                    own = f"_part_{len(self.steps)}_"
                    self._do(ast.Assign([ast.Name(own, ast.Store())], self._written_out(place)))
                    self.remote.add(own)
                    self.given.add(own)
                    self.parts[ast.dump(place)] = place, own
            node = self._with_parts(node)
        self._refuse_parts(node)
        return node

    def _local_parts(self, node: ast.AST, names: set[str]) -> Iterator[ast.expr]:
        """The largest expressions in a node that are decided here and mention one of `names`."""
        is_display = isinstance(node, ast.Tuple | ast.List | ast.Dict | ast.Starred)
        if isinstance(node, ast.expr) and not is_display and names_in(node) & names and not self.is_remote(node):
            try:
                check_supported(node)
            except Unsupported:
                pass
            else:
                yield node
                return
        for inner in ast.iter_child_nodes(node):
            yield from self._local_parts(inner, names)

    def _with_parts(self, node: Any) -> Any:
        """The node with the names that parts of local values have in the sandbox."""
        bound = bound_in(node)
        known: dict[str, ast.expr] = {
            dump: ast.Name(own, ast.Load()) for dump, (place, own) in self.parts.items() if not names_in(place) & bound
        }
        return Replaced(known).visit(copy.deepcopy(node)) if known else node

    def _refuse_parts(self, node: ast.AST) -> None:
        """Raises: Unsupported if a local value is read whose part the program may have changed."""
        for place, _ in self._torn(node):
            raise Unsupported(f"{ast.unparse(place)} is read after the program was given a part of it")

    def _torn(self, node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
        """The places in a node whose parts the sandbox holds, each with an expression that has those parts. Raises: Unsupported."""
        bound = bound_in(node)
        for place in places_in(node) if self.parts else ():
            root = root_name(place)
            if root is None or root not in self.local or root in bound:
                continue
            group = self._group(root)
            held = [(part, own) for part, own in self.parts.values() if names_in(part) & set(group)]
            if not held:
                continue
            _, (value, *others) = self._values(group, [place, *(part for part, _ in held)])
            changed = {id(part) for other in others for part in mutable_parts(other)}
            if any(id(part) in changed for part in mutable_parts(value)):
                owns = {id(other): own for other, (_, own) in zip(others, held, strict=True)}
                yield place, display(value, owns, changed)

    def _whole(self, node: ast.expr) -> ast.expr:
        """A local expression with the parts that the sandbox holds in it."""
        torn = {ast.dump(place): value for place, value in self._torn(node)}
        return Replaced(torn).visit(copy.deepcopy(node)) if torn else node

    def _for(self, node: ast.For) -> None:
        if self.is_remote(node.iter) or self._is_answered(node.iter):
            self._for_all(node)
            return
        looped = value_of(self.inlined(node.iter))
        turns = items_of(looped)
        if len(turns) > MAX_LOOPS:
            raise Unsupported(f"a loop of {len(turns)} turns")
        name = node.iter.id if isinstance(node.iter, ast.Name) and isinstance(looped, list | tuple) else ""
        whole = name if self.uses[name] > _IN_A_LOOP else None
        for at, turn in enumerate(turns):
            if whole and isinstance(node.target, ast.Name):  # a part of a value that is read elsewhere, too
                item = ast.Subscript(ast.Name(whole, ast.Load()), ast.Constant(at), ast.Load())
                if whole in self.remote:
                    self._assignment(node.target, item)
                else:
                    self._bind(node.target.id, literal(turn), self._link(item))
            else:
                for name, value in bind(node.target, turn).items():
                    self._bind(name, literal(value))
            self.statements(node.body)
        if not isinstance(node.target, ast.Name) or not whole:
            self._lose(node.iter, node.target, turns)

    def _lose(self, loop: ast.expr, target: ast.expr, turns: Sequence[Any]) -> None:
        """Refuse later reads of the values whose mutable parts a loop has given to the program, as copies."""
        if not names_in(target) & self.given_names:
            return
        parts = [part for turn in turns for part in mutable_parts(turn)]
        for name in names_in(loop) & self.local.keys() if parts else ():
            if self.uses[name] > _IN_A_LOOP and may_change(self.local[name]):
                self.lost.add(name)

    def _for_all(self, node: ast.For) -> None:
        """`for x in f(3): assert x > 0` asserts `all(x > 0 for x in f(3))`."""
        for one in node.body:
            if not isinstance(one, ast.Assert):
                raise Unsupported(f"{ast.unparse(node)[:80]!r} loops over what the program gives")
        loop = ast.comprehension(node.target, node.iter, [], 0)
        tests = [one.test for one in node.body if isinstance(one, ast.Assert)]
        test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        self._check(ast.Call(ast.Name("all", ast.Load()), [ast.GeneratorExp(test, [loop])], []))

    def _is_raising(self, call: ast.Call) -> bool:
        """True for `pytest.raises(ValueError, f, -1)`."""
        return dotted(call.func) in _RAISES[:3] and len(call.args) > 1

    def _raising_call(self, call: ast.Call, name: ast.expr | None) -> None:
        called = ast.Call(call.args[1], call.args[2:], call.keywords)
        self._raises([ast.Expr(called)], call.args[0], None, name)

    def _with(self, call: ast.Call, name: ast.expr | None, node: ast.With) -> None:
        function = dotted(call.func)
        if function not in _RAISES or not call.args:
            raise Unsupported(f"with {ast.unparse(call)[:60]}")
        match = next((keyword.value for keyword in call.keywords if keyword.arg == "match"), None)
        if function == "self.assertRaisesRegex":
            match = call.args[1]
        self._raises(node.body, call.args[0], match, name)

    def _try(self, node: ast.Try, handler: ast.ExceptHandler) -> None:
        """`try: f(-1); assert False` and `except ValueError: pass`: the call must raise."""
        body, fails = node.body, [*node.body[-1:], *node.orelse]
        if handler.type is None or not any(always_fails(one) for one in fails):
            raise Unsupported("a try that may go both ways")
        self._raises([one for one in body if not always_fails(one)], handler.type, None, None)
        if handler.name:
            self._name_answer(handler.name, ast.parse("_caught_.value", mode="eval").body)
        self.statements(one for one in handler.body if not is_trivial(one))

    def _raises(self, body: Sequence[ast.stmt], kinds: ast.expr, match: ast.expr | None, name: ast.expr | None) -> None:
        """The statements `body` must raise; `name` is then the exception's, as `with pytest.raises(...) as name` has it."""
        sent = []
        for one in body:
            if isinstance(one, ast.Assert):
                one = ast.Expr(one.test)
            if isinstance(one, ast.For | ast.While | ast.If | ast.Try | ast.With):
                raise Unsupported(f"{ast.unparse(one)[:60]!r} in a block that must raise")
            sent.append(ast.unparse(ast.fix_missing_locations(self._sendable(one))))
        if not any(self.is_remote(one) for one in body):
            raise Unsupported("a block that must raise without the program")
        if isinstance(match, ast.Constant) and _NESTED.search(str(match.value)):
            raise Unsupported(f"the pattern {match.value!r:.60} may take any time on a message of the program's")
        names = [dotted(one) or "" for one in (kinds.elts if isinstance(kinds, ast.Tuple) else [kinds])]
        arguments: list[ast.expr] = [
            ast.Name(self._step("raises", "\n".join(sent)), ast.Load()),
            ast.Tuple([ast.Constant(class_name(name)) for name in names], ast.Load()),
        ]
        found = [*arguments, self.inlined(match)] if match is not None else arguments
        self._check(ast.Call(ast.Name("_raised_", ast.Load()), found, []))
        if isinstance(name, ast.Name):
            self._name_answer(name.id, ast.Name("_caught_", ast.Load()))
            self.caught[name.id] = arguments

    def _name_answer(self, name: str, value: ast.expr) -> None:
        """Let `name` be a value that the sandbox has."""
        self._release(name)
        self.local.pop(name, None)
        self._do(ast.Assign([ast.Name(name, ast.Store())], value))
        self.remote.add(name)

    def _assert(self, test: ast.expr) -> None:
        if isinstance(test, ast.Constant):
            return  # assert True, "a remark"
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for part in test.values:
                self._assert(part)
            return
        if not self.is_remote(test):
            test = self._whole(test)
        if not self.is_remote(test) and not self._is_answered(test):
            if not is_so(self.inlined(test)):
                raise Unsupported(f"{ast.unparse(test)[:80]!r} is false for every program")
            return  # nothing of the program is asserted
        self._check(test)

    def _is_answered(self, node: ast.expr) -> bool:
        """True if a local value was made of the sandbox's answers."""
        return any(
            name in self.local and any(one.startswith("_asked_") for one in names_in(self.local[name]))
            for name in names_in(node)
        )

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
        bound = bound_in(node)
        return any(
            isinstance(inner, ast.Name) and self._is_foreign(inner.id) and inner.id not in bound
            for inner in ast.walk(node)
        )

    def _is_foreign(self, name: str) -> bool:
        """True for a name of the program, of the sandbox, or of a helper."""
        if name in self.lost:
            raise Unsupported(f"{name} is read after parts of it were given to the program in a loop")
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
                *("numpy", "copy"),
            )
        return not (
            name in FUNCTIONS
            or name in TYPES
            or name in MODULES
            or name in ("numpy", "NotImplemented", "Ellipsis", "print")
        )

    def inlined(self, node: ast.expr) -> ast.expr:
        """Return the expression with its names replaced."""
        self._refuse_parts(node)
        return Inlined(self.local, self.renamed).visit(copy.deepcopy(node))  # type: ignore[no-any-return]

    def _sendable(self, node: Any) -> Any:
        """The node with everything it needs from here; its helpers are sent first, and what the program may change."""
        bound = bound_in(node)
        node = self._without_copies(node)
        self.given_names |= names_in(node)
        node = self._give(node)
        found = Inlined(self.local, self.renamed).visit(copy.deepcopy(node))
        for inner in ast.walk(found):
            if isinstance(inner, ast.Name):
                self._need(inner.id)
            is_read = isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load) and inner.id not in bound
            if isinstance(inner, ast.Name) and is_read and not inner.id.startswith("__"):
                is_own = inner.id not in self.remote and inner.id not in self.helpers and self._is_foreign(inner.id)
                if is_own and (inner.id in self.remote_functions or not is_builtin(inner.id)):
                    self.called[inner.id] = None
        return found

    def _without_copies(self, node: Any) -> Any:
        """The node with the values written out that share nothing with names of the test: `f(data[:])`, `cases[0]`, `*data`."""
        bound = bound_in(node)

        def shares_nothing(one: ast.expr) -> bool:
            names = names_in(one) & self.local.keys()
            if not any(may_change(self.local[name]) for name in names) or names_in(one) & bound or self.is_remote(one):
                return False
            return self._link(one) is None

        def visit(one: ast.AST) -> Any:
            opened = "tuple" if isinstance(one, ast.Starred) else "dict" if isinstance(one, ast.keyword) else ""
            if isinstance(one, ast.Starred) or (isinstance(one, ast.keyword) and one.arg is None):
                made = ast.Call(ast.Name(opened, ast.Load()), [one.value], [])
                if shares_nothing(made):
                    one.value = self._written_out(made)
                    return one
            elif (
                isinstance(one, ast.expr)
                and not isinstance(getattr(one, "ctx", None), ast.Store | ast.Del)
                and shares_nothing(one)
            ):
                return self._written_out(one)
            for name, value in ast.iter_fields(one):
                if isinstance(value, ast.AST):
                    setattr(one, name, visit(value))
                elif isinstance(value, list):
                    setattr(one, name, [visit(part) if isinstance(part, ast.AST) else part for part in value])
            return one

        return visit(copy.deepcopy(node)) if names_in(node) & self.local.keys() else node

    def _written_out(self, node: ast.expr) -> ast.expr:
        """Return the value of a local expression as a literal, where that is the same in the sandbox."""
        found = picked(self.inlined(node))
        views = any(isinstance(one, ast.Attribute) and one.attr == "keys" for one in ast.walk(found))
        if views or names_in(found) & {"np", "numpy"}:
            return found
        try:
            return literal(value_of(found))
        except (Unsupported, Failed):
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
            node = self._whole(node)
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
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot()], comparators=[right]) if self._is_held(
                left
            ) and self._is_held(right):
                return self._ask(node)  # nothing overrides `is`
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]) if (
                (is_type_call(left) or is_type_call(right)) and self._is_held(left) and self._is_held(right)
            ):
                return self._ask(node)
            case ast.Compare(left=left, comparators=[right]) if self._are_objects(left, right):
                raise Unsupported(f"{ast.unparse(node)[:60]} compares objects of the program's own class")
            case ast.Subscript(value=owner) if self._is_object(owner) or self._is_place(node):
                return self._ask(node)
            case ast.BinOp(left=left, right=right) if self._is_object(left) or self._is_object(right):
                return self._ask(node)
            case ast.UnaryOp(operand=operand) if self._is_object(operand) and not isinstance(node.op, ast.Not):
                return self._ask(node)
            case ast.DictComp() | ast.Lambda():
                raise Unsupported(f"{ast.unparse(node)[:60]} runs the program in a loop")
            case ast.Compare(left=left, ops=[ast.NotEq()], comparators=[right]) if self._is_place(
                left
            ) and self._is_place(right):
                differ = ast.Compare(self._ask(left), node.ops, [self._ask(right)])
                return ast.BoolOp(
                    ast.And(), [differ, self._ask(differ)]
                )  # objects that are equal by their own `__eq__`
            case ast.Compare(left=ast.Name()):  # compared as the calls on the right leave it
                others = [self._parted(one) for one in node.comparators]
                return ast.Compare(self._parted(node.left), node.ops, others)
        found = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(found, name, self._parted(value))
            elif isinstance(value, list):
                setattr(found, name, [self._parted(one) if isinstance(one, ast.expr) else one for one in value])
        return found

    def _is_place(self, node: ast.expr) -> bool:
        """True for a value of the sandbox that is no more than a name, its attributes and items, or a call of the program."""
        match node:
            case ast.Name(id=name):
                return self._is_foreign(name) and name not in self.helpers
            case ast.Attribute(value=owner):
                return self._is_place(owner)
            case ast.Subscript(value=owner, slice=index):
                return self._is_place(owner) and isinstance(index, _INDICES)
            case ast.Call(func=ast.Name(id=name)):
                is_own = not is_builtin(name) or name in self.remote_functions
                return is_own and name not in FUNCTIONS and self._is_place(node.func)
            case ast.Call(func=ast.Attribute(value=owner, attr=name)):
                return name not in METHODS and self._is_place(owner)
        return False

    def _is_held(self, node: ast.expr) -> bool:
        """True for an object of the sandbox, its type, an import, or a mutable value of the test that the sandbox can hold."""
        if isinstance(node, ast.Name):
            is_import = isinstance(self.helpers.get(node.id), ast.ImportFrom) and self._is_foreign(node.id)
            if is_import or self._is_shared(node.id):
                return True
        return self._is_place(node.args[0] if isinstance(node, ast.Call) and is_type_call(node) else node)

    def _are_objects(self, left: ast.expr, right: ast.expr) -> bool:
        """True if both sides need the program, and one of them makes an object of the program's own class."""
        is_any = any(self._is_object(one) for side in (left, right) for one in displayed(side))
        return is_any and self.is_remote(left) and self.is_remote(right)

    def _is_object(self, node: ast.expr) -> bool:
        """True for an object that answers for itself: one that a class of the program has just made, or a name of one."""
        if isinstance(node, ast.Name):
            return node.id in self.objects
        is_known = isinstance(node, ast.Call) and (dotted(node.func) or "") in {*TYPES, *FUNCTIONS}
        return makes_object(node) and not is_known and self.is_remote(node)

    def _parted_call(self, node: ast.Call) -> ast.expr:
        name = dotted(node.func) or ""
        root = root_name(node.func)
        if root is None and (not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS):
            raise Unsupported(f"{ast.unparse(node)[:60]} would compare beside the program")
        is_ours = (name in FUNCTIONS or name in TYPES) and root not in self.remote and name not in self.remote_functions
        if root in self.caught and name == f"{root}.match" and len(node.args) == 1:
            arguments = [*self.caught[root], self._parted(node.args[0])]
            return ast.Call(ast.Name("_raised_", ast.Load()), arguments, [])
        if name == "isinstance" and len(node.args) == 2 and self.is_remote(node.args[1]):
            return self._ask(node)  # a class of the program's own
        is_single = len(node.args) == 1 and not node.keywords
        is_plain = is_single and isinstance(node.args[0], ast.Name)
        if is_ours and is_plain and self._is_object(node.args[0]):
            return self._ask(node)  # len(stack), str(point), list(tree)
        if name in ("str", "repr") and is_ours and is_single and self._is_place(node.args[0]):
            return self._ask(node)
        is_plainly_called = all(isinstance(one, ast.Constant) for one in node.args[1:])
        if name in _ASKED_WHOLE and is_plainly_called and (name != "next" or self._is_place(node.args[0])):
            return self._ask(node)
        if is_ours:
            return self._with_arguments(node, node.func)
        if isinstance(node.func, ast.Attribute) and root not in self.helpers:
            owner = node.func.value
            reads = METHODS if not isinstance(owner, ast.Name) and not makes_object(owner) else READING
            if not self.is_remote(owner) or node.func.attr in reads:
                return self._with_arguments(node, ast.Attribute(self._parted(owner), node.func.attr, ast.Load()))
            return self._ask(node)
        if root in self.helpers or (
            is_builtin(root or "") and root not in self.renamed and root not in self.remote_functions
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
        own = {name: f"_{name}_{len(self.steps)}_" for name in bound & (self.local.keys() | self.remote)}
        self.uses.update({new: self.uses[name] for name, new in own.items()})
        elt, target, *ifs = (Inlined({}, own).visit(copy.deepcopy(one)) for one in (node.elt, first.target, *first.ifs))
        for turn in turns:
            for name, value in bind(target, turn).items():
                self._bind(name, literal(value))
            if all(is_so(self.inlined(condition)) for condition in ifs):
                parts.append(self._parted(elt))
        self._lose(first.iter, target, turns)
        for name in bound | set(own.values()):
            if name not in own:
                self.local.pop(name, None)
                self.remote.discard(name)
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
