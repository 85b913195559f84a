"""Plugins in, `Registry` out: loads the `r1sdk` entry points once and remembers what came from where.

A plugin that fails to load never stops the others: its failure is kept, and shown where it matters, by `r1 plugins` and
beside an unknown name that it might have provided.
"""

import contextlib
import dataclasses
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, get_type_hints

import pluggy

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
from ..errors import PluginError, R1Error, UnknownName, nearest, raise_all
from . import hookspecs
from .trl_functions import build_imported, import_target

GROUP = "r1sdk"
DISABLE = "R1_DISABLE_PLUGINS"  # comma-separated distributions whose plugins are not loaded
KINDS = {  # kind -> the hook that registers it
    "reward": "r1_register_rewards",
    "environment": "r1_register_environments",
    "verifier": "r1_register_verifiers",
    "sandbox": "r1_register_sandboxes",
    "recipe": "r1_register_recipes",
    "model": "r1_register_models",
    "accelerate": "r1_register_accelerate",
}
FILES = ("recipe", "accelerate")  # kinds that are a YAML file each
NAME = re.compile(r"[a-z][a-z0-9_]*")
PATH_NAME = re.compile(r"[a-z0-9_.-]+(/[a-z0-9_.-]+)*")  # recipes: a path of names


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered name."""

    kind: str
    name: str
    target: Any
    source: str  # "r1-brevity 0.2.0 (brevity)"

    @property
    def summary(self) -> str:
        """The first line of its docstring, or of a file's opening comment; where it has none that can be read, why."""
        try:
            return self._description().partition("\n")[0]
        except Exception as error:  # noqa: BLE001 - someone else's: the list of all plugins must not break on one
            return f"(cannot be read: {type(error).__name__}: {error})"

    def _description(self) -> str:
        if self.kind in FILES:
            text = self.target.read_text(encoding="utf-8").lstrip("# ")
        elif self.kind == "model" and not callable(self.target):
            card = self.target / "README.md"
            text = card.read_text(encoding="utf-8").lstrip("# ") if card.is_file() else str(self.target)
        else:
            text = inspect.getdoc(self.target) or ""
        return str(text)


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that the loaded plugins provide, and the plugins that failed with the reason."""

    entries: Mapping[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)  # by kind and name
    failures: tuple[str, ...] = ()  # one line per plugin that failed to load

    def names(self, kind: str) -> list[str]:
        """The names of one kind, sorted."""
        return sorted(name for k, name in self.entries if k == kind)

    def with_objects(self, objects: Mapping[tuple[str, str], Any]) -> "Registry":
        """Return a registry that also has `objects`, by kind and name. Raises: PluginError for a bad or a taken name."""
        entries, errors = dict(self.entries), list[R1Error]()
        for (kind, name), target in objects.items():
            if not NAME.fullmatch(name):
                errors.append(PluginError(f"{kind} name {name!r} must be lower_snake_case"))
            elif taken := entries.get((kind, name)):
                errors.append(
                    PluginError(f"{kind} {name!r} is already provided by {taken[0].source}: choose another name")
                )
            else:
                entries[kind, name] = (Entry(kind, name, target, "an object of this program"),)
        raise_all(errors, PluginError)
        return replace(self, entries=entries)

    def get(self, kind: str, name: str) -> Entry:
        """The one entry of that name; a reward's name may also be an import path, `module:function`.

        Raises:
            UnknownName: none has it; says the nearest name, and which plugins failed to load.
            PluginError: more than one plugin provides it. No order decides: the user does.
        """
        if kind == "reward" and (":" in name or "." in name):  # registered names have neither
            return Entry(kind, name, *import_target(name))
        match self.entries.get((kind, name), ()):
            case ():
                raise UnknownName(kind, name, self.names(kind), self.failures)
            case (entry,):
                return entry
            case entries:
                sources = " and ".join(entry.source for entry in entries)
                raise PluginError(f"{kind} {name!r} is provided by {sources}; disable one with {DISABLE}=DISTRIBUTION")

    def build(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """The named target; a class is built with `options`. Raises: UnknownName, PluginError (every option at fault)."""
        entry = self.get(kind, name)
        options = options or {}
        if kind == "reward" and ":" in name:
            return build_imported(name, entry.target, options)
        if not inspect.isclass(entry.target):
            if options:
                raise PluginError(f"{kind} {name!r} takes no options, got {', '.join(options)}")
            return entry.target
        built = self._built_options(entry, options)
        try:
            return entry.target(**built)
        except R1Error as error:
            raise PluginError(f"{kind} {name!r}: {error}") from None
        except (TypeError, ValueError) as error:
            raise PluginError(f"{kind} {name!r} refuses its options: {error}") from error

    def used(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Iterator[Entry]:
        """Yield the entry of a plugin, and those of the verifiers and environments that its options name. Raises: R1Error."""
        entry = self.get(kind, name)
        yield entry
        for option in _options_with(entry, (VERIFIER, ENVIRONMENTS)):
            given = (options or {}).get(option.name)
            if VERIFIER in option.metadata and not isinstance(given, Verifier):
                named = option.metadata[VERIFIER] if given is None else given
                yield from self.used("verifier", *_named("verifier", entry, option.name, named))
            elif ENVIRONMENTS in option.metadata:
                for part in given if isinstance(given, list | tuple) else ():
                    if not isinstance(part, Part):
                        known: Mapping[str, Any] = {"name": part} if isinstance(part, str) else part
                        yield from self.used("environment", str(known["name"]), known.get("options"))

    def _built_options(self, entry: Entry, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of `entry`, those that are plugins themselves built. Raises: R1Error with every one at fault."""
        errors: list[R1Error] = []
        named = {option.name for option in _options_with(entry, (ENVIRONMENTS, SANDBOX, VERIFIER))}
        built: dict[str, Any] = {}
        for step in (self._parts, self._sandboxes):
            try:
                built |= step(entry, options)
            except R1Error as error:
                errors.append(error)
        try:
            built |= _checked_options(entry, {name: value for name, value in options.items() if name not in named})
        except R1Error as error:
            errors.append(error)
        try:
            built |= self._verifiers(entry, options, built)
        except R1Error as error:
            errors.append(error)
            if len(errors) == 1:  # all the rest is sound, so the plugin itself can say what it refuses
                errors += _refusals(entry, {**built, **_unbuilt_verifiers(entry)})
        raise_all(errors, PluginError)
        return built

    def _verifiers(self, entry: Entry, options: Mapping[str, Any], built: Mapping[str, Any]) -> dict[str, Verifier]:
        """The options of `entry` that are verifiers, built with the values that they share. Raises: R1Error with all faults."""
        errors: list[R1Error] = []
        found: dict[str, Verifier] = {}
        for option in _options_with(entry, (VERIFIER,)):
            given = options.get(option.name)
            if isinstance(given, Verifier):
                found[option.name] = given
                continue
            try:
                name, own = _named(
                    "verifier", entry, option.name, option.metadata[VERIFIER] if given is None else given
                )
                known = {field.name for field in _fields(self.get("verifier", name).target)}
                values = {**_defaults(entry.target), **built}
                shared = {
                    share: values[share]
                    for share in option.metadata[VERIFIER_SHARES]
                    if share in known and values.get(share) is not None
                }
                verifier = self.build("verifier", name, {**shared, **own})
                if not isinstance(verifier, Verifier):
                    raise PluginError(f"verifier {name!r} must have read_gold(task) and verify(gold, reply)")
                found[option.name] = verifier
            except R1Error as error:
                errors.append(error)
        raise_all(errors, PluginError)
        return found

    def _sandboxes(self, entry: Entry, options: Mapping[str, Any]) -> dict[str, Sandbox]:
        """The options of `entry` that are sandboxes, built and checked. Raises: R1Error."""
        built: dict[str, Sandbox] = {}
        for option in _options_with(entry, (SANDBOX,)):
            given = options.get(option.name)
            if isinstance(given, Sandbox):
                built[option.name] = given
                continue
            needed = option.metadata[SANDBOX_NEEDED]
            if given is None and needed is not None and not needed({**_defaults(entry.target), **options}):
                continue
            name, own = _named("sandbox", entry, option.name, option.metadata[SANDBOX] if given is None else given)
            sandbox = self.build("sandbox", name, own)
            if not isinstance(sandbox, Sandbox):
                raise PluginError(f"sandbox {name!r} must have run(code, stdins) and check()")
            sandbox.check()
            built[option.name] = sandbox
        return built

    def _parts(self, entry: Entry, options: Mapping[str, Any]) -> dict[str, tuple[Part, ...]]:
        """The options of `entry` that are environments, built. Raises: R1Error with every one at fault."""
        built: dict[str, tuple[Part, ...]] = {}
        for option in _options_with(entry, (ENVIRONMENTS,)):
            if option.name not in options:
                continue
            given = options[option.name]
            errors: list[R1Error] = []
            found: list[Part] = []
            for part in given if isinstance(given, list | tuple) else [given]:
                try:
                    found.append(self._part(entry, option.name, part))
                except R1Error as error:
                    errors.append(error)
            raise_all(errors, PluginError)
            built[option.name] = tuple(found)
        return built

    def _part(self, entry: Entry, option: str, given: Any) -> Part:
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
            raise PluginError(
                f"{entry.kind} {entry.name!r}: the weight of {given['name']!r} is above 0, got {weight!r}"
            )
        environment = self.build("environment", str(given["name"]), dict(given.get("options") or {}))
        if not isinstance(environment, Environment):
            raise PluginError(f"environment {given['name']!r} must have tasks(split) and verify(rollout)")
        return Part(str(given.get("as") or given["name"]), float(weight), environment)


def load_plugins(points: Mapping[str, Callable[[], Any]] | None = None) -> Registry:
    """Load every installed `r1sdk` entry point, less the distributions named in `R1_DISABLE_PLUGINS`.

    `points` replaces the installed ones, for tests and notebooks: source -> a function (or class) that returns the
    plugin, e.g. `load_plugins({"mine": MyPlugin})`.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
    failures: list[str] = []
    loaders = {source: point.load for source, point in installed().items()} if points is None else points
    for source, load in loaders.items():
        try:
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
                found = _entries_of(manager, load(), source)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - someone else's code: it may fail in any way
            failures.append(f"{source}: {type(error).__name__}: {error}")
            continue
        for entry in found:
            entries[entry.kind, entry.name] = (*entries.get((entry.kind, entry.name), ()), entry)
    return Registry(entries, tuple(failures))


@lru_cache(maxsize=1)
def _installed_plugins() -> Registry:
    return load_plugins()


def verifier_of(plugin: Any, option: str = "verifier") -> Verifier:
    """Return the verifier of a plugin that declares `option` with `verifier_option`.

    Where a registry built the plugin, that is the value of the option. Without a registry, as in a notebook, the option may
    hold a verifier, the name of an installed one (or `{name: ..., options: ...}`), or None for the default; a sandbox that
    the plugin does not share is then not built. Raises: R1Error with every fault.
    """
    given = getattr(plugin, option)
    if isinstance(given, Verifier):
        return given
    own = Entry("plugin", type(plugin).__name__, type(plugin), "")
    (declared,) = (field for field in _options_with(own, (VERIFIER,)) if field.name == option)
    name, options = _named("verifier", own, option, declared.metadata[VERIFIER] if given is None else given)
    entry = _installed_plugins().get("verifier", name)
    known = {field.name for field in _fields(entry.target)}
    shared = {
        share: value
        for share in declared.metadata[VERIFIER_SHARES]
        if share in known and share not in options and (value := getattr(plugin, share)) is not None
    }
    try:
        verifier = entry.target(**_checked_options(entry, options), **shared)
    except (TypeError, ValueError) as error:
        raise PluginError(f"verifier {name!r} refuses its options: {error}") from error
    if not isinstance(verifier, Verifier):
        raise PluginError(f"verifier {name!r} must have read_gold(task) and verify(gold, reply)")
    return verifier


def installed() -> dict[str, EntryPoint]:
    """The installed entry points by their source, "r1-shout 0.1.0 (shout)", less those of disabled distributions."""
    disabled = {_canonical(name) for name in os.environ.get(DISABLE, "").split(",") if name.strip()}
    found = [(p.dist.name, p.dist.version, p.name, p) for p in entry_points(group=GROUP) if p.dist]
    return {
        f"{dist} {version} ({name})": point
        for dist, version, name, point in sorted(found, key=lambda f: f[:3])
        if _canonical(dist) not in disabled
    }


def _canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def _entries_of(manager: pluggy.PluginManager, plugin: Any, source: str) -> list[Entry]:
    """What one plugin registers. Raises: whatever its hooks raise, PluginError, pluggy.PluginValidationError."""
    manager.register(plugin, name=source)
    try:
        manager.check_pending()  # a misspelt hook is an error, not a silence
        entries: list[Entry] = []
        for kind, hook in KINDS.items():

            def register(name: str, target: Any, kind: str = kind) -> None:
                if not (PATH_NAME if kind == "recipe" else NAME).fullmatch(name):
                    raise PluginError(f"{kind} name {name!r} must be lower_snake_case")
                if any(entry.kind == kind and entry.name == name for entry in entries):
                    raise PluginError(f"{kind} {name!r} is registered twice by this plugin")
                entries.append(Entry(kind, name, _checked_target(kind, name, target), source))

            getattr(manager.hook, hook)(register=register)
    finally:
        manager.unregister(plugin)
    if not entries:
        raise PluginError("registered nothing; are its hooks marked @r1sdk.hookimpl?")
    return entries


def _checked_target(kind: str, name: str, target: Any) -> Any:
    """`target`, a path as a `Path`. Raises: PluginError where it is not what its kind needs."""
    if kind not in FILES and callable(target):
        return target
    if kind in (*FILES, "model") and isinstance(target, str | os.PathLike):
        path = Path(target)
        if path.is_file() if kind in FILES else path.is_dir():
            return path
    needs = {
        **dict.fromkeys(FILES, "a file that is there"),
        "model": "a folder that is there, or a function that writes one",
    }
    raise PluginError(f"{kind} {name!r} must be {needs.get(kind, 'a function or a class')}, got {target!r:.100}")


def _fields(target: Any) -> "tuple[dataclasses.Field[Any], ...]":
    return dataclasses.fields(target) if dataclasses.is_dataclass(target) else ()


def _options_with(entry: Entry, marks: tuple[str, ...]) -> "list[dataclasses.Field[Any]]":
    """The options of `entry` that have one of these keys in their metadata."""
    return [option for option in _fields(entry.target) if any(mark in option.metadata for mark in marks)]


def _named(kind: str, entry: Entry, option: str, given: Any) -> tuple[str, dict[str, Any]]:
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
    """In place of a verifier that could not be built, so that its plugin can be asked what else is wrong."""

    def read_gold(self, task: Any) -> None:
        return None

    def verify(self, gold: None, reply: Any) -> Any:
        raise NotImplementedError


def _unbuilt_verifiers(entry: Entry) -> dict[str, _UnbuiltVerifier]:
    return {option.name: _UnbuiltVerifier() for option in _options_with(entry, (VERIFIER,))}


def _refusals(entry: Entry, options: Mapping[str, Any]) -> list[R1Error]:
    """The error that building `entry` with `options` raises, if it raises one that a user can act on."""
    try:
        entry.target(**options)
    except R1Error as error:
        return [PluginError(f"{entry.kind} {entry.name!r}: {error}")]
    except (TypeError, ValueError) as error:
        return [PluginError(f"{entry.kind} {entry.name!r} refuses its options: {error}")]
    return []


def _defaults(target: Any) -> dict[str, Any]:
    """The options of `target` that have defaults, with those."""
    defaults = {}
    for option in _fields(target):
        if option.default is not dataclasses.MISSING:
            defaults[option.name] = option.default
        elif option.default_factory is not dataclasses.MISSING and option.init:
            defaults[option.name] = option.default_factory()
    return defaults


def _checked_options(entry: Entry, options: Mapping[str, Any]) -> dict[str, Any]:
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
            reason = error.errors()[0]["msg"].lower()
            errors.append(PluginError(f"{what}, option {option!r}: {reason}, got {value!r}"))
    raise_all(errors, PluginError)
    return checked
