"""Words for the completion of the shell: names of plugins and recipes, and run folders."""

from collections.abc import Callable, Iterable
from pathlib import Path


def plugin_names(kind: str, several: bool = False) -> Callable[[str], list[str]]:
    """Return the completion of names of one kind; with `several`, of the last one in a list with commas."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",") if several else ("", "", incomplete)
        return [f"{before}{comma}{name}" for name in _names(kind) if name.startswith(last)]

    return complete


def recipes_and_files(incomplete: str) -> list[str]:
    """Return the recipes and the YAML files that begin so."""
    return [name for name in _names("recipe") if name.startswith(incomplete)] + _paths(
        incomplete, lambda path: path.is_dir() or path.suffix in (".yaml", ".yml")
    )


def run_folders(incomplete: str) -> list[str]:
    """Return the run folders that begin so, those in runs/ too."""
    found = _paths(incomplete, lambda path: path.is_dir())
    if "/" not in incomplete:
        found += [
            str(path)
            for path in _sorted(Path("runs"))
            if any((path / name).is_file() for name in ("recipe.yaml", "seeds.yaml"))
            and str(path).startswith(incomplete)
        ]
    return list(dict.fromkeys(found))


def models(incomplete: str) -> list[str]:
    """Return the registered models and the run folders that begin so."""
    return [name for name in _names("model") if name.startswith(incomplete)] + run_folders(incomplete)


def _names(kind: str) -> list[str]:
    from r1sdk import load_plugins

    return list(load_plugins().names(kind))


def _paths(incomplete: str, wanted: Callable[[Path], bool]) -> list[str]:
    folder, slash, begin = incomplete.rpartition("/")
    base = Path(folder or "/") if slash else Path()
    found = (path for path in _sorted(base) if path.name.startswith(begin) and wanted(path))
    return [f"{folder}{slash}{path.name}" for path in found if begin or not path.name.startswith(".")]


def _sorted(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
