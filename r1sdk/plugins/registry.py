"""`Registry`: everything that the loaded plugins provide, by kind and name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import PluginError, R1Error, UnknownName, raise_all
from . import building
from .entry import DISABLE, NAME, Entry
from .trl_functions import import_target


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
        return building.build(self.get, kind, name, options)

    def used(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Iterator[Entry]:
        """Yield the entry of a plugin, and those of the verifiers and environments that its options name. Raises: R1Error."""
        return building.used(self.get, kind, name, options)
