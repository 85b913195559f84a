"""Load the installed plugins, the `r1sdk` entry points, and remember which came from where.

A plugin that fails to load never stops the others: its failure is kept, and shown where it matters, by `r1 plugins` and
beside an unknown name that it might have provided.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from ..contracts import VERIFIER, VERIFIER_SHARES, Verifier
from ..errors import PluginError
from . import hookspecs
from .building import checked_options, fields_of, named_plugin, options_with
from .entry import DISABLE, KINDS, NAME, PATH_NAME, Entry, checked_target
from .guard import call
from .registry import Registry

GROUP = "r1sdk"


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
                found = call(
                    f"plugin {source}",
                    lambda load=load, source=source: _entries_of(manager, load(), source),
                    loads=True,
                )
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
    (declared,) = (field for field in options_with(own, (VERIFIER,)) if field.name == option)
    name, options = named_plugin("verifier", own, option, declared.metadata[VERIFIER] if given is None else given)
    entry = _installed_plugins().get("verifier", name)
    known = {field.name for field in fields_of(entry.target)}
    shared = {
        share: value
        for share in declared.metadata[VERIFIER_SHARES]
        if share in known and share not in options and (value := getattr(plugin, share)) is not None
    }
    try:
        verifier = call(
            f"verifier {name!r}", partial(entry.target, **checked_options(entry, options), **shared), loads=True
        )
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
    """Return the entries that one plugin registers. Raises: whatever its hooks raise, PluginError, pluggy.PluginValidationError."""
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
                entries.append(Entry(kind, name, checked_target(kind, name, target), source))

            getattr(manager.hook, hook)(register=register)
    finally:
        manager.unregister(plugin)
    if not entries:
        raise PluginError("registered nothing; are its hooks marked @r1sdk.hookimpl?")
    return entries
