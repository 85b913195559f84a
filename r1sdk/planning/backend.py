"""Choose the engine that generates: transformers, or vLLM where it is installed and a GPU is available."""

from dataclasses import dataclass
from typing import Literal

from ..recipe.key_groups import Generation
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from .hardware import Hardware


@dataclass(frozen=True, slots=True)
class Backend:
    """The engine that generates, and the reason."""

    name: Literal["transformers", "vllm"]
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


def choose(generation: Generation, machine: Hardware) -> Backend:
    """Return the engine for one process: the one that `generation` names, or for `auto` the one that suits `machine`."""
    if generation.backend != "auto":
        return Backend(generation.backend, "asked for")
    if not machine.has_vllm:
        return Backend("transformers", "auto: vllm is not installed")
    if not machine.gpus:
        return Backend("transformers", "auto: no GPU is here, and on a CPU vllm gains little")
    return Backend("vllm", "auto: it is installed, and a GPU is here")


def backend_of(recipe: Recipe, machine: Hardware) -> Backend:
    """Return the engine that generates in a run of `recipe`. `resolve` calls this once; everything else reads the plan."""
    method = METHODS[recipe.method]
    if method.trains and not method.plays:
        return Backend("transformers", f"method {recipe.method} generates for its evaluation only")
    if recipe.experimental_async is not None:
        return Backend("vllm", f"experimental_async: the server at {recipe.experimental_async.url}")
    has_server = recipe.generation.vllm.url is not None or recipe.launch.vllm_nodes
    if method.plays and recipe.generation.backend == "auto" and has_server:
        return Backend("vllm", "auto: the recipe has a server for it")
    if recipe.quantize is not None and recipe.generation.backend == "auto":
        return Backend("transformers", "auto: the weights are quantized, and vllm takes whole ones")
    return choose(recipe.generation, machine)
