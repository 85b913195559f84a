"""Write docs/api.md: the public names of `r1sdk` and `r1sdk.testing`, with what their source says of them.

    python docs/_generate_api.py

The source is read, not imported. With `--check` the page is only compared: exit status 1 where it is out of date, or where a
public name is not documented.
"""

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("api.md")

OPENING = """# API

All that a program or a plugin needs is named by `r1sdk`; nothing else of it is promised to stay. First the verbs of [From Python](python.md), then the rest. Fields are shown as they stand in the source, with
their units. [Write a reward](write-a-reward.md), [write an environment](write-an-environment.md) and
[write a verifier](write-a-verifier.md) show how the names are used.

This page is written by `python docs/_generate_api.py`; a test compares it with the source, and fails for a public name without a docstring.
"""

FIRST = (
    "r1sdk.api.training",
    "r1sdk.api.evaluating",
    "r1sdk.evaluation.attempts",
    "r1sdk.api.generating",
    "r1sdk.api.scoring",
    "r1sdk.api.naming",
    "r1sdk.records",
    "r1sdk.contracts",
    "r1sdk.reply_format",
    "r1sdk.plugins.hookspecs",
    "r1sdk.scoring.isolation",
)

Documented = griffe.Class | griffe.Function | griffe.Attribute


def load() -> griffe.Module:
    """The package as its source says it is: nothing is imported."""
    package = griffe.load("r1sdk", search_paths=[ROOT], try_relative_path=False, allow_inspection=False)
    assert isinstance(package, griffe.Module)
    return package


def page() -> str:
    """The whole page."""
    package = load()
    parts = [OPENING]
    for module, objects in groups(package):
        parts.append(f"## {title(module)}\n\n{text(module)}\n")
        for item in objects:
            parts.append(entry(item))
        if module.name == "hookspecs":
            parts.append("The hooks:\n")
            parts += [member(function, "") for function in module.functions.values() if not function.is_private]
        if module.name == "testing":
            parts.append("The fixtures:\n")
            parts += [member(function, "") for function in fixtures(module)]
    return "\n".join(parts).rstrip() + "\n"


def groups(package: griffe.Module) -> Iterator[tuple[griffe.Module, list[Documented]]]:
    """The public names by the module of `r1sdk` that they are from, in the order of its source; those of `testing` at the end."""
    found: dict[str, list[Documented]] = {name: [] for name in FIRST}
    for name, item in package.members.items():
        if name in public(package):
            target = resolved(item)
            found.setdefault(target.module.path, []).append(target)
    testing = package["testing"]
    found["r1sdk.testing"] = [resolved(testing[name]) for name in public(testing)]
    for name, objects in found.items():
        yield (
            package[name.removeprefix("r1sdk.")],
            sorted(objects, key=lambda item: (item.module.path, item.lineno or 0)),
        )


def public(module: griffe.Module) -> list[str]:
    """The names in the module's `__all__`."""
    return [str(name) for name in module.exports or []]


def resolved(item: griffe.Object | griffe.Alias) -> Documented:
    """What an imported name stands for."""
    target = item.final_target if isinstance(item, griffe.Alias) else item
    assert isinstance(target, Documented), f"{item.path} is neither class, function nor constant"
    return target


def title(module: griffe.Module) -> str:
    return "r1sdk.testing" if module.name == "testing" else module.name.replace("_", " ").capitalize()


def text(item: griffe.Object) -> str:
    """The docstring."""
    return item.docstring.value.strip() if item.docstring else ""


def entry(item: Documented) -> str:
    """One public name: what it is, its fields or signature, its docstring, its methods."""
    parts = [f"### `{item.name}`\n", block(declaration(item), text(item))]
    if isinstance(item, griffe.Class):
        parts += [member(each, f"{item.name}.") for each in methods(item)]
    return "\n".join(parts)


def block(code: str, said: str) -> str:
    return f"```py\n{code}\n```\n" + (f"\n{said}\n" if said else "")


def declaration(item: Documented) -> str:
    """The class with its fields, the function with its types, or the constant with its value."""
    if isinstance(item, griffe.Class):
        bases = ", ".join(str(base) for base in item.bases)
        lines = [str(decorator.value) for decorator in item.decorators]
        lines = [f"@{line}" for line in lines if line != "runtime_checkable"]
        head = f"class {item.name}({bases})" if bases else f"class {item.name}"
        body = [f"    {source(each)}" for each in fields(item)]
        return "\n".join([*lines, head + (":" if body else ""), *body])
    if isinstance(item, griffe.Function):
        return signature(item)
    return source(item)


def member(item: griffe.Function | griffe.Attribute, owner: str) -> str:
    """A method, a property, a hook or a fixture: its signature, and what it does."""
    shown = signature(item, owner) if isinstance(item, griffe.Function) else f"{owner}{item.name}: {item.annotation}"
    return block(shown, text(item))


def signature(function: griffe.Function, owner: str = "") -> str:
    """The head of the function as it stands in the source, without `self`."""
    lines = textwrap.dedent("\n".join(function.lines)).splitlines()
    (node,) = ast.parse("\n".join(lines)).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    end = node.body[0]
    head = [*lines[node.lineno - 1 : end.lineno - 1], lines[end.lineno - 1][: end.col_offset]]
    shown = "\n".join(head).rstrip().removesuffix(":")
    shown = shown.replace("(self, ", "(", 1).replace("(self)", "()", 1).replace("(\n    self,\n", "(\n", 1)
    shown = shown.replace("(\n    self, ", "(\n    ", 1)
    return shown.replace(f"def {function.name}", f"def {owner}{function.name}", 1)


def source(item: griffe.Attribute) -> str:
    """The lines of source that declare it, comment included."""
    return textwrap.dedent("\n".join(item.lines))


def fields(item: griffe.Class) -> list[griffe.Attribute]:
    """What the body of the class declares with a type, properties not among it."""
    return [each for each in own(item) if isinstance(each, griffe.Attribute) and "property" not in each.labels]


def methods(item: griffe.Class) -> list[griffe.Function | griffe.Attribute]:
    """Public methods and properties, and `__call__`; `__init__` where it is written out."""
    return [each for each in own(item) if isinstance(each, griffe.Function) or "property" in each.labels]


def own(item: griffe.Class) -> list[griffe.Function | griffe.Attribute]:
    """The members that the class itself shows, in the order of the source."""
    found: list[griffe.Function | griffe.Attribute] = []
    for name, each in item.members.items():
        hidden = name.startswith("_") and name not in ("__call__", "__init__")
        if hidden or not each.lineno or not isinstance(each, griffe.Function | griffe.Attribute):
            continue
        if isinstance(each, griffe.Function) or each.annotation is not None:
            found.append(each)
    return sorted(found, key=lambda each: each.lineno or 0)


def fixtures(module: griffe.Module) -> list[griffe.Function]:
    return [
        function
        for function in module.functions.values()
        if any(str(decorator.value).startswith("pytest.fixture") for decorator in function.decorators)
    ]


def gaps() -> list[str]:
    """The public names, methods, hooks and fields that nothing is said of."""
    package = load()
    names = {*public(package), *public(package["testing"])}
    missing = []
    for module, objects in groups(package):
        extra: list[griffe.Object] = list(fixtures(module)) if module.name == "testing" else []
        if module.name == "hookspecs":
            extra += [function for function in module.functions.values() if not function.is_private]
        missing += [item.path for item in (module, *objects, *extra) if not text(item)]
        for item in objects:
            if isinstance(item, griffe.Class):
                missing += [each.path for each in methods(item) if not each.name.startswith("__") and not text(each)]
                missing += [each.path for each in fields(item) if not explained(each, text(item), names)]
    return missing


def explained(field: griffe.Attribute, said: str, names: set[str]) -> bool:
    """Whether a comment, the class's docstring, or its own type says what the field is."""
    kind = str(field.annotation)
    values = re.findall(r"'(\w+)'", kind) if kind.startswith("Literal[") else []
    told = bool(values) and all(f"`{value}`" in said for value in values)
    return "#" in source(field) or f"`{field.name}`" in said or kind in names or told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    written = page()
    missing = gaps()
    for path in missing:
        print(f"{path} is not documented", file=sys.stderr)
    if not check:
        PAGE.write_text(written, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != written:
        print(f"{PAGE.name} is out of date: run python docs/_generate_api.py", file=sys.stderr)
        raise SystemExit(1)
    raise SystemExit(1 if missing else 0)


if __name__ == "__main__":
    main()
