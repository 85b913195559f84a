"""Harness in the sandbox around a program that is called: its prints go to stderr, and stdout holds only the answers."""

import marshal
import sys
import textwrap
from functools import lru_cache

_AROUND = """
def main(source, before):
    import builtins, json, os, sys, types
    true_builtins = {{key: value for key, value in vars(builtins).items() if key[:1] != "_"}}
    def unmarked(value):
        return int(value["__int__"], 16) if list(value) == ["__int__"] else value
    given = sys.stdin.buffer.read()
    asked = json.loads(given, object_hook=unmarked if b"__int__" in given else None)
    out = os.dup(1)
    os.dup2(2, 1)
    getattr(sys, "set_int_max_str_digits", len)(0)
    module = types.ModuleType({name!r})
    module.__file__ = {name!r} + ".py"
    sys.modules[{name!r}] = module
    names = module.__dict__
    for text in before:
        exec(compile(text, "before.py", "exec", dont_inherit=True), names)
    needs = [asked["function"]] if "function" in asked else asked.get("needs") or []
    for need in needs:  # a star import may have the function that is asked for: operator.add
        if need in names and getattr(names[need], "__module__", "") != {name!r}:
            del names[need]
    try:
        exec(compile(source, {name!r} + ".py", "exec", dont_inherit=True), names)
    except EOFError:  # an example of use behind the function, which reads stdin
        if not needs or not all(name in names or hasattr(names.get("Solution"), name) for name in needs):
            raise
{then}
    said = said.encode()
    while said:
        said = said[os.write(out, said):]
"""

CALL = """
def find(name):
    method = getattr(names.get("Solution"), name, None)
    if method is not None and isinstance(names["Solution"], type):
        return getattr(names["Solution"](), name)
    if name not in names:
        raise NameError(f"name {name!r} is not defined")
    return names[name]
def takes(function, *arguments, **named):
    import inspect
    try:
        inspect.signature(function).bind(*arguments, **named)
    except (TypeError, ValueError):
        return False
    return True
def call(name, arguments, named):
    function = find(name)
    if named is not None and takes(function, **named):
        return function(**named)
    if asked.get("is_text") and not takes(function, *arguments) and takes(function, arguments):
        return function(arguments)  # a list that stood alone in its text was the one argument
    return function(*arguments)
def given(value):
    if isinstance(value, dict) and list(value) == ["__pairs__"]:
        return dict(value["__pairs__"])
    return value
def class_name(kind):
    name = type.__dict__["__name__"].__get__(kind)
    return name if true_builtins.get(name, kind) is kind else "own " + name
class Caught:
    def __init__(self, error):
        self.value = self.exception = error
        self.type, self.typename = type(error), type(error).__name__
    def __repr__(self):
        return f"<ExceptionInfo {self.value!r} tblen=2>"
if "function" in asked:
    asked["arguments"] = [given(value) for value in asked["arguments"]]
    said = [write_value(call(asked["function"], asked["arguments"], asked.get("named")))]
else:
    needed = asked.get("needs") or ()
    shadowed = {name: value for name, value in true_builtins.items() if name not in needed}
    space, said = {**names, **shadowed, "__file__": "test.py"}, []
    for name in needed:
        if name not in space and hasattr(names.get("Solution"), name):
            space[name] = find(name)
    for kind, text in asked["steps"]:
        code = compile(text, "test.py", "eval" if kind == "ask" else "exec", dont_inherit=True)
        if kind == "do":
            exec(code, space)
            continue
        if kind == "ask":
            value = eval(code, space)
        else:
            value, space["_caught_"] = [], Caught(None)
            try:
                exec(code, space)
            except BaseException as error:
                value = [str(error)[:500], *map(class_name, type.__dict__["__mro__"].__get__(type(error)))]
                space["_caught_"] = Caught(error)
        space[f"_asked_{len(said)}_"] = value
        said.append(write_value(value))
said = "[" + ", ".join(said) + "]"
"""


def harness(source: str, name: str, then: str, before: tuple[str, ...] = (), first: str = "") -> str:
    """Return a program that runs `source` as the module `name`, and then `then`.

    `then` finds what JSON on stdin asked in `asked`, what `source` defines in `names`, and sets `said`. `before` is run in the same
    names first: imports, or what a task needs in front of a program. `first` defines what `then` uses.

    Our own part is sent compiled, which saves most of the time of a short execution; another Python than this one compiles it anew.
    """
    text, code = _compiled(name, then, first)
    loaded = f"marshal.loads({code!r}) if sys.version == {sys.version!r} else {text!r}"
    return f"import marshal, sys\nexec({loaded})\nmain({source!r}, {before!r})\n"


@lru_cache(maxsize=8)
def _compiled(name: str, then: str, first: str) -> tuple[str, bytes]:
    inner = textwrap.indent(textwrap.dedent(then).strip(), "    ")
    text = first + _AROUND.format(name=name, then=inner)
    return text, marshal.dumps(compile(text, "harness.py", "exec", dont_inherit=True))


def with_imports(source: str, before: tuple[str, ...]) -> str:
    """Return a program that runs `before` in the names of `source`, a program that reads stdin, and then `source`."""
    if not before:
        return source
    lines = [f'exec(compile({text!r}, "before.py", "exec", dont_inherit=True))' for text in before]
    return "\n".join([*lines, f'exec(compile({source!r}, "main.py", "exec", dont_inherit=True))', ""])
