"""Build registered plugins: its options checked, and those that name verifiers, sandboxes or environments built first."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, get_type_hints

from ..contracts import (
    ENVIRONMENTS,
    SANDBOX,
    SANDBOX_NEEDED,
    VERIFIER,
    VERIFIER_SHARES,
    Environment,
    Part,
    Sandbox,
    Verifier,
)
from ..errors import PluginError, R1Error, nearest, raise_all
from ..value_words import refusal
from .called_with import check_called
from .entry import Entry
from .guard import call
from .trl_functions import build_imported

Find = Callable[[str, str], Entry]
"""Returns the entry of a kind and a name; see `Registry.get`."""


def build(find: Find, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """The named target; a class is built with `options`. Raises: UnknownName, PluginError (every option at fault)."""
    entry = find(kind, name)
    options = options or {}
    if kind == "reward" and ":" in name:
        return build_imported(name, entry.target, options)
    if not inspect.isclass(entry.target):
        if options:
            raise PluginError(f"{kind} {name!r} takes no options, got {', '.join(options)}")
        check_called(kind, name, entry.target)
        return entry.target
    built = _built_options(find, entry, options)
    try:
        made = call(f"{kind} {name!r}", partial(entry.target, **built), loads=True)
    except R1Error as error:
        raise PluginError(f"{kind} {name!r}: {error}") from None
    except (TypeError, ValueError) as error:
        raise PluginError(f"{kind} {name!r} refuses its options: {error}") from error
    check_called(kind, name, made)
    return made


def used(find: Find, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Iterator[Entry]:
    """Yield the entry of a plugin, and those of the verifiers and environments that its options name. Raises: R1Error."""
    entry = find(kind, name)
    yield entry
    for option in options_with(entry, (VERIFIER, ENVIRONMENTS)):
        given = (options or {}).get(option.name)
        if VERIFIER in option.metadata and not isinstance(given, Verifier):
            named = option.metadata[VERIFIER] if given is None else given
            yield from used(find, "verifier", *named_plugin("verifier", entry, option.name, named))
        elif ENVIRONMENTS in option.metadata:
            for part in given if isinstance(given, list | tuple) else ():
                if not isinstance(part, Part):
                    known: Mapping[str, Any] = {"name": part} if isinstance(part, str) else part
                    yield from used(find, "environment", str(known["name"]), known.get("options"))


def _built_options(find: Find, entry: Entry, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `entry`, those that are plugins themselves built. Raises: R1Error with every one at fault."""
    errors: list[R1Error] = []
    named = {option.name for option in options_with(entry, (ENVIRONMENTS, SANDBOX, VERIFIER))}
    built: dict[str, Any] = {}
    for step in (_parts, _sandboxes):
        try:
            built |= step(find, entry, options)
        except R1Error as error:
            errors.append(error)
    try:
        built |= checked_options(entry, {name: value for name, value in options.items() if name not in named})
    except R1Error as error:
        errors.append(error)
    try:
        built |= _verifiers(find, entry, options, built)
    except R1Error as error:
        errors.append(error)
        if len(errors) == 1:  # all the rest is sound, so the plugin's own checks can run
            errors += _refusals(entry, {**built, **_unbuilt_verifiers(entry)})
    raise_all(errors, PluginError)
    return built


def _verifiers(find: Find, entry: Entry, options: Mapping[str, Any], built: Mapping[str, Any]) -> dict[str, Verifier]:
    """The options of `entry` that are verifiers, built with the values that they share. Raises: R1Error with all faults."""
    errors: list[R1Error] = []
    found: dict[str, Verifier] = {}
    for option in options_with(entry, (VERIFIER,)):
        given = options.get(option.name)
        if isinstance(given, Verifier):
            found[option.name] = given
            continue
        try:
            name, own = named_plugin(
                "verifier", entry, option.name, option.metadata[VERIFIER] if given is None else given
            )
            known = {field.name for field in fields_of(find("verifier", name).target)}
            values = {**_defaults(entry.target), **built}
            shared = {
                share: values[share]
                for share in option.metadata[VERIFIER_SHARES]
                if share in known and values.get(share) is not None
            }
            verifier = build(find, "verifier", name, {**shared, **own})
            if not isinstance(verifier, Verifier):
                raise PluginError(f"verifier {name!r} must have read_gold(task) and verify(gold, reply)")
            found[option.name] = verifier
        except R1Error as error:
            errors.append(error)
    raise_all(errors, PluginError)
    return found


def _sandboxes(find: Find, entry: Entry, options: Mapping[str, Any]) -> dict[str, Sandbox]:
    """The options of `entry` that are sandboxes, built and checked. Raises: R1Error."""
    built: dict[str, Sandbox] = {}
    for option in options_with(entry, (SANDBOX,)):
        given = options.get(option.name)
        if isinstance(given, Sandbox):
            built[option.name] = given
            continue
        needed = option.metadata[SANDBOX_NEEDED]
        if given is None and needed is not None and not needed({**_defaults(entry.target), **options}):
            continue
        name, own = named_plugin("sandbox", entry, option.name, option.metadata[SANDBOX] if given is None else given)
        sandbox = build(find, "sandbox", name, own)
        if not isinstance(sandbox, Sandbox):
            raise PluginError(f"sandbox {name!r} must have run(code, stdins) and check()")
        call(f"sandbox {name!r}", sandbox.check, loads=True)
        built[option.name] = sandbox
    return built


def _parts(find: Find, entry: Entry, options: Mapping[str, Any]) -> dict[str, tuple[Part, ...]]:
    """The options of `entry` that are environments, built. Raises: R1Error with every one at fault."""
    built: dict[str, tuple[Part, ...]] = {}
    for option in options_with(entry, (ENVIRONMENTS,)):
        if option.name not in options:
            continue
        given = options[option.name]
        errors: list[R1Error] = []
        found: list[Part] = []
        for part in given if isinstance(given, list | tuple) else [given]:
            try:
                found.append(_part(find, entry, option.name, part))
            except R1Error as error:
                errors.append(error)
        raise_all(errors, PluginError)
        built[option.name] = tuple(found)
    return built


def _part(find: Find, entry: Entry, option: str, given: Any) -> Part:
    if isinstance(given, Part):
        return given
    given = {"name": given} if isinstance(given, str) else given
    keys = {"name", "as", "weight", "options"}
    if not isinstance(given, Mapping) or "name" not in given or set(given) - keys:
        raise PluginError(
            f"{entry.kind} {entry.name!r}, option {option!r}: a list of names of environments, or of "
            f"{{name: ..., as: ..., weight: ..., options: ...}}, got {given!r:.100}"
        )
    weight = given.get("weight", 1.0)
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight < float("inf"):
        raise PluginError(f"{entry.kind} {entry.name!r}: the weight of {given['name']!r} is above 0, got {weight!r}")
    environment = build(find, "environment", str(given["name"]), dict(given.get("options") or {}))
    if not isinstance(environment, Environment):
        raise PluginError(f"environment {given['name']!r} must have tasks(split) and verify(rollout)")
    return Part(str(given.get("as") or given["name"]), float(weight), environment)


def fields_of(target: Any) -> "tuple[dataclasses.Field[Any], ...]":
    return dataclasses.fields(target) if dataclasses.is_dataclass(target) else ()


def options_with(entry: Entry, marks: tuple[str, ...]) -> "list[dataclasses.Field[Any]]":
    """The options of `entry` that have one of these keys in their metadata."""
    return [option for option in fields_of(entry.target) if any(mark in option.metadata for mark in marks)]


def named_plugin(kind: str, entry: Entry, option: str, given: Any) -> tuple[str, dict[str, Any]]:
    """The name and the options in `mine` or `{name: mine, options: ...}`. Raises: PluginError."""
    named = {"name": given} if isinstance(given, str) else given
    options = named.get("options") if isinstance(named, Mapping) else None
    if (
        not isinstance(named, Mapping)
        or "name" not in named
        or set(named) - {"name", "options"}
        or not isinstance(options, Mapping | None)
    ):
        raise PluginError(
            f"{entry.kind} {entry.name!r}, option {option!r}: the name of a {kind}, or {{name: ..., options: ...}}, "
            f"got {given!r:.100}"
        )
    return str(named["name"]), dict(options or {})


class _UnbuiltVerifier:
    """A stand-in for a verifier that could not be built, so that its environment can report its other problems."""

    def read_gold(self, task: Any) -> None:
        return None

    def verify(self, gold: None, reply: Any) -> Any:
        raise NotImplementedError


def _unbuilt_verifiers(entry: Entry) -> dict[str, _UnbuiltVerifier]:
    return {option.name: _UnbuiltVerifier() for option in options_with(entry, (VERIFIER,))}


def _refusals(entry: Entry, options: Mapping[str, Any]) -> list[R1Error]:
    """The error that building `entry` with `options` raises, if it raises one that a user can act on."""
    try:
        call(f"{entry.kind} {entry.name!r}", partial(entry.target, **options), loads=True)
    except R1Error as error:
        return [PluginError(f"{entry.kind} {entry.name!r}: {error}")]
    except (TypeError, ValueError) as error:
        return [PluginError(f"{entry.kind} {entry.name!r} refuses its options: {error}")]
    return []


def _defaults(target: Any) -> dict[str, Any]:
    """The options of `target` that have defaults, with those."""
    defaults = {}
    for option in fields_of(target):
        if option.default is not dataclasses.MISSING:
            defaults[option.name] = option.default
        elif option.default_factory is not dataclasses.MISSING and option.init:
            defaults[option.name] = option.default_factory()
    return defaults


def checked_options(entry: Entry, options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` converted to the types of the target's fields. Raises: PluginError naming every one at fault."""
    from pydantic import TypeAdapter, ValidationError

    what = f"{entry.kind} {entry.name!r}"
    if not dataclasses.is_dataclass(entry.target):
        if options:
            raise PluginError(f"{what} takes no options, got {', '.join(options)}")
        return {}
    known = [f.name for f in dataclasses.fields(entry.target) if f.init]
    try:
        types = get_type_hints(entry.target)
    except (NameError, TypeError) as error:
        raise PluginError(f"{what}: the types of its options cannot be read: {error}") from error
    checked: dict[str, Any] = {}
    errors: list[R1Error] = []
    for option, value in options.items():
        if option not in known:
            hint = nearest(option, known) or f"; it takes {', '.join(known) or 'none'}"
            errors.append(PluginError(f"{what} has no option {option!r}{hint}"))
            continue
        try:
            checked[option] = TypeAdapter(types[option]).validate_python(value)
        except ValidationError as error:
            errors.append(PluginError(f"{what}, option {option!r}: {refusal(error.errors()[0])}"))
    raise_all(errors, PluginError)
    return checked
