"""A model's name in, where it comes from out: a registered model, a folder, a run folder, a hub id."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import R1Error, nearest
from ..plugins.registry import Registry
from ..storage.run_folder import RunFolder
from ..storage.seed_folder import is_seed_folder, run_paths
from .model_files import check_adapter, check_files

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The source of a model: a folder, a hub id, a function `(folder, seed)` that writes a folder, or an adapter."""

    name: str
    folder: Path | None = None
    hub_id: str | None = None
    make: Callable[[Path, int], None] | None = None
    adapter: Path | None = None  # a folder of peft's, which is merged into `base`
    base: "ModelSource | None" = None


def resolve_model(registry: Registry, name: str, loads: bool = True) -> ModelSource:
    """Looked up among the registered models, then as a folder (a run folder: the model it trained), then as a hub id.

    `loads`: its weights are to be loaded, not only its tokenizer. Raises: R1Error that says what was tried, or what is
    wrong with which file of the folder.
    """
    if ("model", name) in registry.entries:
        target = registry.get("model", name).target
        return ModelSource(name, make=target) if callable(target) else _in_folder(name, Path(target), loads)
    path = Path(os.path.expandvars(name)).expanduser()
    if path.is_dir():
        for folder in (path / "model", path):
            if (folder / "config.json").is_file():
                if folder != path:
                    _check_trained(path)
                return _in_folder(name, folder.resolve(), loads)
        if (path / "adapter_config.json").is_file():
            return _adapter(registry, name, path, loads)
        if is_seed_folder(path):
            raise R1Error(
                f"model {name!r}: the folder holds several seeds: name one of its runs, e.g. {run_paths(path)[0]}"
            )
        raise R1Error(
            f"model {name!r}: the folder has no config.json, no adapter_config.json, nor a model/ of a finished run"
        )
    if not path.exists() and _holds_runs(path.parent):
        there = sorted(found.parent.name for found in path.parent.glob("*/recipe.yaml"))
        raise R1Error(f"no run folder {name!r}{nearest(path.name, there)}; r1 runs lists them")
    if HUB_ID.fullmatch(name) and not path.exists():
        return ModelSource(name, hub_id=name)
    known = registry.names("model")
    raise R1Error(
        f"no model {name!r}{nearest(name, known)}\n"
        f"  tried: registered models ({', '.join(known) or 'none'}), the folder {path}, a hub id (owner/name)"
    )


def _holds_runs(folder: Path) -> bool:
    """True if `folder` is one of run folders, so that what it lacks is no model on the hub."""
    return folder != Path() and (
        folder == Path("runs") or any(folder.glob("*/recipe.yaml")) or any(folder.glob("*/seeds.yaml"))
    )


def _in_folder(name: str, folder: Path, loads: bool) -> ModelSource:
    if loads:
        check_files(name, folder)
    return ModelSource(name, folder=folder)


def _adapter(registry: Registry, name: str, path: Path, loads: bool) -> ModelSource:
    """Raises: R1Error where its base is unknown."""
    file = path / "adapter_config.json"
    try:
        base = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise R1Error(f"model {name!r}: cannot read {file}: {error}") from None
    if not base:
        raise R1Error(f"model {name!r} is an adapter, and {file} does not name its base (base_model_name_or_path)")
    if loads:
        check_adapter(name, path)
    try:
        return ModelSource(name, adapter=path.resolve(), base=resolve_model(registry, str(base), loads))
    except R1Error as error:
        raise R1Error(f"model {name!r} is an adapter, and its base cannot be used: {error}") from None


def model_folder(source: ModelSource) -> Path | None:
    """Return the model's files, if they are on this machine: its folder, or the newest snapshot in the hub's cache."""
    if source.base is not None:
        return model_folder(source.base)
    if source.folder or not source.hub_id:
        return source.folder
    stored = hub_cache() / f"models--{source.hub_id.replace('/', '--')}" / "snapshots"
    return max(stored.glob("*"), key=lambda path: path.stat().st_mtime, default=None)


def hub_cache() -> Path:
    """Return the folder of the hub's models on this machine."""
    return Path(os.environ.get("HF_HUB_CACHE") or hub_home() / "hub").expanduser()


def hub_home() -> Path:
    """Return the folder in which the hub's library keeps its cache and its token."""
    return Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")


def _check_trained(run: Path) -> None:
    """Raises: R1Error where the model of a run folder is not as the run saved it."""
    try:
        RunFolder(run).check_folder(run / "model")
    except R1Error as error:
        raise R1Error(
            f"{error}\n  put them back from a copy, or name the folder to use it as it is: {run / 'model'}"
        ) from None
