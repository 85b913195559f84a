"""Which engine generates, and why: transformers, or vLLM where it is installed and a GPU is there."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal
from urllib.parse import urlsplit

from ..errors import R1Error, RecipeError
from ..recipe.key_groups import Generation, Launch
from ..recipe.schema import Recipe
from .hardware import gpus

INSTALL = "pip install 'r1sdk[vllm]' on a machine with a GPU; on a CPU see docs/scaling.md"
CORRECTION = "vllm_importance_sampling_correction"


@dataclass(frozen=True, slots=True)
class Backend:
    """The engine that generates, and the reason."""

    name: Literal["transformers", "vllm"]
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


def choose(generation: Generation) -> Backend:
    """The engine for this process that `generation` names; for `auto` the one that suits this machine."""
    if generation.backend != "auto":
        return Backend(generation.backend, "asked for")
    if find_spec("vllm") is None:
        return Backend("transformers", "auto: vllm is not installed")
    if not gpus():
        return Backend("transformers", "auto: no GPU is here, and on a CPU vllm gains little")
    return Backend("vllm", "auto: it is installed, and a GPU is here")


def backend_of(recipe: Recipe) -> Backend:
    """What generates in a run of `recipe`."""
    if recipe.method == "sft":
        return Backend("transformers", "method sft generates for its evaluation only")
    if recipe.experimental_async is not None:
        return Backend("vllm", f"experimental_async: the server at {recipe.experimental_async.url}")
    has_server = recipe.generation.vllm.url is not None or recipe.launch.vllm_nodes
    if recipe.method == "grpo" and recipe.generation.backend == "auto" and has_server:
        return Backend("vllm", "auto: the recipe has a server for it")
    if recipe.quantize is not None and recipe.generation.backend == "auto":
        return Backend("transformers", "auto: the weights are quantized, and vllm takes whole ones")
    return choose(recipe.generation)


def required(backend: Backend) -> list[R1Error]:
    """A problem where vLLM is to generate and is not there."""
    if backend.name == "vllm" and find_spec("vllm") is None:
        return [RecipeError(f"generation.backend is vllm, which is not installed: {INSTALL}")]
    return []


def backend_errors(recipe: Recipe) -> list[R1Error]:
    """What of `recipe.generation` cannot be done."""
    if recipe.method == "generate":
        return [] if recipe.collect.server else required(backend_of(recipe))
    if recipe.method == "sft":
        return []
    errors = required(backend_of(recipe))
    if recipe.quantize is not None and backend_of(recipe).name == "vllm":
        errors.append(
            RecipeError("quantized weights are packed, and vllm takes whole ones: use generation.backend transformers")
        )
    vllm, launch = recipe.generation.vllm, recipe.launch
    if vllm.mode == "colocate":
        errors += _colocate_errors(recipe)
    if vllm.url is not None:
        errors += _url_errors(recipe)
    if backend_of(recipe).name == "vllm":
        if recipe.trainer.get(CORRECTION) is False:
            errors.append(
                RecipeError(
                    f"recipe key 'trainer.{CORRECTION}' is false: a sampler is watched by what it computes. For no "
                    "correction set trainer.vllm_importance_sampling_mode=token_truncate and "
                    "trainer.vllm_importance_sampling_clip_min and _clip_max to 1"
                )
            )
        errors += _gpu_errors(recipe)
    elif launch.vllm_nodes and recipe.generation.backend == "transformers":
        errors.append(RecipeError("recipe key 'launch.vllm_nodes' needs generation.backend vllm"))
    if launch.vllm_nodes:
        errors += _node_errors(recipe, launch)
    return errors


def _colocate_errors(recipe: Recipe) -> list[R1Error]:
    vllm, errors = recipe.generation.vllm, list[R1Error]()
    world = (recipe.launch.processes or 1) * recipe.launch.nodes
    if vllm.url is not None:
        errors.append(RecipeError("recipe key 'generation.vllm.url' is of a server: use generation.vllm.mode=server"))
    if vllm.data_parallel_size > 1:
        errors.append(
            RecipeError(
                "recipe key 'generation.vllm.data_parallel_size': in mode colocate each process that trains generates "
                "for itself; use --processes, or mode server"
            )
        )
    if vllm.serve:
        errors.append(RecipeError("recipe key 'generation.vllm.serve' is for mode server"))
    if recipe.launch.processes and world % vllm.tensor_parallel_size:
        errors.append(
            RecipeError(
                f"recipe key 'generation.vllm.tensor_parallel_size' is {vllm.tensor_parallel_size}: in mode colocate it "
                f"must divide the {world} processes that train"
            )
        )
    return errors


def _url_errors(recipe: Recipe) -> list[R1Error]:
    vllm, errors = recipe.generation.vllm, list[R1Error]()
    url = urlsplit(vllm.url or "")
    if url.scheme not in ("http", "https") or not url.hostname:
        errors.append(
            RecipeError(f"recipe key 'generation.vllm.url' must be as http://localhost:8000, got {vllm.url!r}")
        )
    settled = vllm.tensor_parallel_size > 1 or vllm.data_parallel_size > 1 or vllm.serve
    if settled or vllm.gpu_memory_utilization or vllm.max_model_len:
        errors.append(
            RecipeError(
                "recipe key 'generation.vllm': with `url` the server is there already: its sizes are given where it is started"
            )
        )
    if recipe.launch.vllm_nodes:
        errors.append(RecipeError("recipe key 'launch.vllm_nodes' starts a server, and generation.vllm.url names one"))
    return errors


def _gpu_errors(recipe: Recipe) -> list[R1Error]:
    own, processes = recipe.generation.vllm.own_gpus, recipe.launch.processes or 1
    if recipe.launch.launcher != "local" or not own or not gpus() or processes + own <= len(gpus()):
        return []
    return [
        RecipeError(
            f"a vLLM server on {own} GPUs beside {processes} processes that train needs {own + processes} GPUs, and this "
            f"machine has {len(gpus())}: lower --processes, or use generation.vllm.mode=colocate"
        )
    ]


def _node_errors(recipe: Recipe, launch: Launch) -> list[R1Error]:
    vllm, errors = recipe.generation.vllm, list[R1Error]()
    if launch.launcher != "slurm":
        errors.append(
            RecipeError("recipe key 'launch.vllm_nodes' is for launcher slurm; elsewhere start the server yourself")
        )
    if vllm.mode != "server":
        errors.append(RecipeError("recipe key 'launch.vllm_nodes' needs generation.vllm.mode=server"))
    if vllm.data_parallel_size % launch.vllm_nodes:
        errors.append(
            RecipeError(
                f"recipe key 'generation.vllm.data_parallel_size' is {vllm.data_parallel_size}: {launch.vllm_nodes} machines "
                "share out whole copies of the model, so it must be a multiple of launch.vllm_nodes"
            )
        )
    return errors
