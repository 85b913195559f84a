"""Rules about the engine that generates: the settings of vLLM, its server and its GPUs."""

from urllib.parse import urlsplit

from ..errors import R1Error, RecipeError
from ..recipe.methods import METHODS
from .backend import Backend
from .hardware import Hardware
from .parallel import world
from .run_plan import RunPlan

INSTALL = "pip install 'r1sdk[vllm]' on a machine with a GPU; on a CPU see docs/vllm.md"
CORRECTION = "vllm_importance_sampling_correction"


def missing_backend(backend: Backend, machine: Hardware) -> list[R1Error]:
    """Return a problem where vLLM is to generate and is not installed."""
    if backend.name == "vllm" and not machine.has_vllm:
        return [RecipeError(f"generation.backend is vllm, which is not installed: {INSTALL}")]
    return []


def generation_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem for each setting of `recipe.generation` that the plan's engine cannot follow."""
    recipe = plan.recipe
    if recipe.method == "generate":
        return [] if recipe.collect.server else missing_backend(plan.backend, plan.machine)
    if not METHODS[recipe.method].plays:
        return []
    errors = missing_backend(plan.backend, plan.machine)
    if recipe.quantize is not None and plan.backend.name == "vllm":
        errors.append(
            RecipeError("quantized weights are packed, and vllm takes whole ones: use generation.backend transformers")
        )
    vllm, launch = recipe.generation.vllm, recipe.launch
    if vllm.mode == "colocate":
        errors += _colocate_rules(plan)
    if vllm.url is not None:
        errors += _url_rules(plan)
    if plan.backend.name == "vllm":
        if recipe.trainer.get(CORRECTION) is False:
            errors.append(
                RecipeError(
                    f"recipe key 'trainer.{CORRECTION}' is false: a sampler is watched by what it computes. For no "
                    "correction set trainer.vllm_importance_sampling_mode=token_truncate and "
                    "trainer.vllm_importance_sampling_clip_min and _clip_max to 1"
                )
            )
        errors += _gpu_rules(plan)
    elif vllm.mode == "server" and plan.trains_here:
        errors.append(
            RecipeError(
                f"recipe key 'generation.vllm.mode' is server, and {plan.backend.name} generates here ({plan.backend.why}): "
                f"set generation.backend=vllm ({INSTALL}), or leave the mode out"
            )
        )
    elif launch.vllm_nodes and recipe.generation.backend == "transformers":
        errors.append(RecipeError("recipe key 'launch.vllm_nodes' needs generation.backend vllm"))
    if launch.vllm_nodes:
        errors += _node_rules(plan)
    return errors


def _colocate_rules(plan: RunPlan) -> list[R1Error]:
    recipe, errors = plan.recipe, list[R1Error]()
    vllm, count = recipe.generation.vllm, world(recipe.launch)
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
    if count % vllm.tensor_parallel_size:
        errors.append(
            RecipeError(
                f"recipe key 'generation.vllm.tensor_parallel_size' is {vllm.tensor_parallel_size}: in mode colocate it "
                f"must divide the {count} processes that train"
            )
        )
    return errors


def _url_rules(plan: RunPlan) -> list[R1Error]:
    recipe, errors = plan.recipe, list[R1Error]()
    vllm = recipe.generation.vllm
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


def _gpu_rules(plan: RunPlan) -> list[R1Error]:
    launch, own = plan.recipe.launch, plan.recipe.generation.vllm.own_gpus
    processes, available = launch.processes or 1, len(plan.machine.gpus) + plan.machine.server_gpus
    if launch.launcher != "local" or not own or not plan.machine.gpus or processes + own <= available:
        return []
    return [
        RecipeError(
            f"a vLLM server on {own} GPUs beside {processes} processes that train needs {own + processes} GPUs, and this "
            f"machine has {available}: lower --processes, or use generation.vllm.mode=colocate"
        )
    ]


def _node_rules(plan: RunPlan) -> list[R1Error]:
    vllm, launch, errors = plan.recipe.generation.vllm, plan.recipe.launch, list[R1Error]()
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
