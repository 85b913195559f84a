"""What a plugin says of itself, checked without building it: its name, its docstring, its options."""

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

GENERIC = {  # import names that somebody else will want as well
    *("cli", "common", "core", "environment", "environments", "envs", "helpers", "lib", "main", "model", "models"),
    *("plugin", "plugins", "recipes", "reward", "rewards", "sandbox", "sandboxes", "src", "test", "tests", "utils"),
    *("verifier", "verifiers"),
}
_NUMBER = re.compile(r"(?<![\w.`])[-\u2212]?\d+(?:\.\d+)?(?![\w`])")
_UNBOUNDED = re.compile(r"\bany number\b", re.IGNORECASE)


def check_declared(registry: Registry, subject: Subject) -> Iterator[ContractFinding]:
    """The findings on `subject` that take no call of its code."""
    found = registry.entries[subject.kind, subject.name]
    yield _name(subject, found)
    yield _docstring(found[0])
    if subject.kind in ("reward", "environment", "verifier", "sandbox"):
        yield _options(found[0])


def _name(subject: Subject, found: tuple[Entry, ...]) -> ContractFinding:
    if len(found) > 1:
        return failed("name", f"registered by {' and by '.join(entry.source for entry in found)}: choose another name")
    point = installed().get(found[0].source)
    module = point.module if point else ""
    if module.partition(".")[0] in GENERIC:
        return failed("name", f"the module {module!r} has a name that others want too: call it r1_{subject.name}")
    return passed("name", f"registered once, by the module {module}" if module else "registered once")


def stated_range(text: str) -> tuple[float, float] | None:
    """The least and the greatest number in `text`, infinite for "any number"; None where it names none."""
    if _UNBOUNDED.search(text):
        return float("-inf"), float("inf")
    numbers = [float(number.replace("\u2212", "-")) for number in _NUMBER.findall(text)]
    return (min(numbers), max(numbers)) if numbers else None


def summary(target: Any) -> str:
    """The first paragraph of its own docstring; not that of a base class, nor the one that `dataclass` makes."""
    target = target.function if isinstance(target, TrlReward) else target
    text = inspect.cleandoc(target.__doc__ or "")
    if inspect.isclass(target) and text.startswith(f"{target.__name__}("):
        return ""
    return text.partition("\n\n")[0]


def _docstring(entry: Entry) -> ContractFinding:
    if entry.kind not in ("reward", "environment", "verifier", "sandbox"):
        said = entry.summary
        return passed("docstring", said) if said else failed("docstring", "nothing says what it is")
    said = summary(entry.target)
    if not said:
        return failed("docstring", "it has none; its first line is what `r1 plugins` shows")
    if entry.kind in ("reward", "verifier") and stated_range(said) is None:
        return failed(
            "docstring",
            f'no range in "{_short(said)}"\nsay what it may earn: "1.0 if ..., else 0.0", "Any number: ..."',
        )
    return passed("docstring", f'"{_short(said)}"')


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= 90 else line[:87] + "..."


def _options(entry: Entry) -> ContractFinding:
    """Each option has a type that a recipe can be checked against, and a default that a recipe can say."""
    target = entry.target
    if not inspect.isclass(target):
        return passed("options", "none: it is a function")
    if not dataclasses.is_dataclass(target):
        return passed("options", "none: it is no dataclass")
    params = getattr(target, "__dataclass_params__", None)
    if params is None or not params.frozen:
        return failed("options", "mark the class with @dataclass(frozen=True): one object serves every call of a run")
    fields = [field for field in dataclasses.fields(target) if field.init]
    try:
        types = get_type_hints(target)
    except (NameError, TypeError) as error:
        return failed("options", f"their types cannot be read: {error}")
    faults = [fault for field in fields if (fault := _fault(field, types[field.name]))]
    if faults:
        return failed("options", "\n".join(faults))
    said = ", ".join(f"{field.name} = {_default(field)}" for field in fields)
    return passed("options", said or "none")


def _default(field: "dataclasses.Field[Any]") -> str:
    if SANDBOX in field.metadata:
        return str(field.metadata[SANDBOX])
    if VERIFIER in field.metadata:
        return str(field.metadata[VERIFIER])
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return "..." if field.default_factory is dataclasses.MISSING else repr(field.default_factory())


def _fault(field: "dataclasses.Field[Any]", kind: Any) -> str | None:
    """What keeps a recipe from giving the option, or from writing down the one in use; None for nothing."""
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError

    if {SANDBOX, ENVIRONMENTS, VERIFIER} & set(field.metadata):
        return None  # a recipe names them, and the registry builds them
    if kind is Any:
        return f"{field.name}: Any: say its type, so that a mistyped value is found before a model is loaded"
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
