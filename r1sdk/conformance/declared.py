"""Check the declarations of a plugin without building it: its name, its docstring, its options."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

from ..contracts import ENVIRONMENTS, SANDBOX, VERIFIER
from ..plugins.entry import Entry
from ..plugins.loading import installed
from ..plugins.registry import Registry
from ..plugins.trl_functions import TrlReward
from .findings import ContractFinding, Subject, failed, passed

GENERIC = {  # import names that other packages are likely to use too
    *("cli", "common", "core", "environment", "environments", "envs", "helpers", "lib", "main", "model", "models"),
    *("plugin", "plugins", "recipes", "reward", "rewards", "sandbox", "sandboxes", "src", "test", "tests", "utils"),
    *("verifier", "verifiers", "advantage", "advantages"),
}
TAKES_OPTIONS = ("reward", "environment", "verifier", "sandbox", "advantage")  # kinds that are functions or classes
_NUMBER = re.compile(r"(?<![\w.`])[-\u2212]?\d+(?:\.\d+)?(?![\w`])")
_UNBOUNDED = re.compile(r"\bany number\b", re.IGNORECASE)


def check_declared(registry: Registry, subject: Subject) -> Iterator[ContractFinding]:
    """Return the findings on `subject` that need no call of its code."""
    found = registry.entries[subject.kind, subject.name]
    yield _name(subject, found)
    yield _docstring(found[0])
    if subject.kind in TAKES_OPTIONS:
        yield _options(found[0])


def _name(subject: Subject, found: tuple[Entry, ...]) -> ContractFinding:
    if len(found) > 1:
        return failed("name", f"registered by {' and by '.join(entry.source for entry in found)}: choose another name")
    point = installed().get(found[0].source)
    module = point.module if point else ""
    if module.partition(".")[0] in GENERIC:
        return failed("name", f"the module name {module!r} is too common: call it r1_{subject.name}")
    return passed("name", f"registered once, by the module {module}" if module else "registered once")


def stated_range(text: str) -> tuple[float, float] | None:
    """Return the smallest and the largest number in `text`, infinite for "any number"; None if it has no number."""
    if _UNBOUNDED.search(text):
        return float("-inf"), float("inf")
    numbers = [float(number.replace("\u2212", "-")) for number in _NUMBER.findall(text)]
    return (min(numbers), max(numbers)) if numbers else None


def summary(target: Any) -> str:
    """Return the first paragraph of its docstring, excluding inherited ones and the one that `dataclass` generates."""
    target = target.function if isinstance(target, TrlReward) else target
    text = inspect.cleandoc(target.__doc__ or "")
    if inspect.isclass(target) and text.startswith(f"{target.__name__}("):
        return ""
    return text.partition("\n\n")[0]


def _docstring(entry: Entry) -> ContractFinding:
    if entry.kind not in TAKES_OPTIONS:
        text = entry.summary
        return passed("docstring", text) if text else failed("docstring", "it has no description")
    text = summary(entry.target)
    if not text:
        return failed("docstring", "it has none; `r1 plugins` shows its first line")
    if entry.kind in ("reward", "verifier") and stated_range(text) is None:
        return failed(
            "docstring",
            f'no range in "{_short(text)}"\nstate the values it may return: "1.0 if ..., else 0.0", "Any number: ..."',
        )
    return passed("docstring", f'"{_short(text)}"')


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= 90 else line[:87] + "..."


def _options(entry: Entry) -> ContractFinding:
    """Check that each option has a type that recipes are checked against, and a default that a recipe can hold."""
    target = entry.target
    if not inspect.isclass(target):
        return passed("options", "none: it is a function")
    if not dataclasses.is_dataclass(target):
        return passed("options", "none: it is not a dataclass")
    params = getattr(target, "__dataclass_params__", None)
    if params is None or not params.frozen:
        return failed(
            "options", "mark the class with @dataclass(frozen=True), since one object serves every call of a run"
        )
    fields = [field for field in dataclasses.fields(target) if field.init]
    try:
        types = get_type_hints(target)
    except (NameError, TypeError) as error:
        return failed("options", f"their types cannot be read: {error}")
    faults = [fault for field in fields if (fault := _fault(field, types[field.name]))]
    if faults:
        return failed("options", "\n".join(faults))
    listed = ", ".join(f"{field.name} = {_default(field)}" for field in fields)
    return passed("options", listed or "none")


def _default(field: "dataclasses.Field[Any]") -> str:
    if SANDBOX in field.metadata:
        return str(field.metadata[SANDBOX])
    if VERIFIER in field.metadata:
        return str(field.metadata[VERIFIER])
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return "..." if field.default_factory is dataclasses.MISSING else repr(field.default_factory())


def _fault(field: "dataclasses.Field[Any]", kind: Any) -> str | None:
    """Return the reason why a recipe cannot set the option or store its value; None if it can."""
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError

    if {SANDBOX, ENVIRONMENTS, VERIFIER} & set(field.metadata):
        return None  # the recipe holds their names, and the registry builds them
    if kind is Any:
        return f"{field.name}: Any: annotate its type, so that a wrong value is found before a model is loaded"
    try:
        adapter = TypeAdapter(kind)
    except PydanticSchemaGenerationError:
        return f"{field.name}: a recipe cannot give a value of type {kind}: use numbers, texts, lists, mappings"
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return None
    try:
        adapter.validate_python(default)
    except ValidationError as error:
        return f"{field.name}: its default {default!r:.60} is not of its type: {error.errors()[0]['msg'].lower()}"
    try:
        read = adapter.validate_python(adapter.dump_python(default, mode="json", warnings="error"))
    except ValueError as error:
        return f"{field.name}: its default {default!r:.60} cannot be written to a recipe: {str(error).splitlines()[0]}"
    return None if read == default else f"{field.name}: its default {default!r:.60} reads back as {read!r:.60}"
