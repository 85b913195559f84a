"""The processes of a run, from its recipe: how many there are, and the config by which accelerate starts them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RecipeError
from ..plugins.registry import Registry
from ..recipe.key_groups import Launch
from ..recipe.layers import read_layer
from ..recipe.schema import Recipe
from .backend import Backend
from .hardware import Hardware


@dataclass(frozen=True, slots=True)
class AccelerateConfig:
    """The config file of accelerate, and its settings."""

    file: Path
    settings: Mapping[str, Any]


def with_processes(recipe: Recipe, backend: Backend, machine: Hardware) -> Recipe:
    """Fill in the number of processes: one for each GPU of the machine that no vLLM server takes, or 1."""
    if recipe.launch.processes is not None:
        return recipe
    served = recipe.generation.vllm.own_gpus if backend.name == "vllm" and not recipe.launch.vllm_nodes else 0
    here = max(1, len(machine.gpus) - served) if recipe.launch.accelerate else 1
    return recipe.model_copy(update={"launch": recipe.launch.model_copy(update={"processes": here})})


def world(launch: Launch) -> int:
    """Return how many processes train, on all machines together."""
    return (launch.processes or 1) * launch.nodes


def accelerate_file(registry: Registry, launch: Launch) -> Path | None:
    """Return the config that `launch.accelerate` names: registered, or a file. None: one process, without accelerate. Raises: R1Error."""
    if launch.accelerate is None:
        return None
    file = Path(launch.accelerate).expanduser()
    if file.suffix in (".yaml", ".yml"):
        if not file.is_file():
            raise RecipeError(f"recipe key 'launch.accelerate': no file {launch.accelerate!r}")
        return file
    return Path(registry.get("accelerate", launch.accelerate).target)


def accelerate_config(registry: Registry, launch: Launch) -> AccelerateConfig | None:
    """Read the config that `launch.accelerate` names; None for one process. Raises: R1Error."""
    file = accelerate_file(registry, launch)
    return None if file is None else AccelerateConfig(file, read_layer(file))
