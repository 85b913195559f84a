"""The kinds of plugins, their names, and `Entry`: one registered name with where it comes from."""

import inspect
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import PluginError

DISABLE = "R1_DISABLE_PLUGINS"  # comma-separated distributions whose plugins are not loaded
KINDS = {  # kind -> the hook that registers it
    "reward": "r1_register_rewards",
    "environment": "r1_register_environments",
    "verifier": "r1_register_verifiers",
    "sandbox": "r1_register_sandboxes",
    "advantage": "r1_register_advantages",
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


def checked_target(kind: str, name: str, target: Any) -> Any:
    """`target`, a path as a `Path`. Raises: PluginError if its kind needs something else."""
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


def kind_of(kind: str) -> str:
    """Return a kind with its article."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
