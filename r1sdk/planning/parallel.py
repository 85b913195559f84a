"""The processes of a run, from its recipe: how many there are, and the config by which accelerate starts them."""

from importlib.util import find_spec
from pathlib import Path

from ..errors import R1Error, RecipeError
from ..plugins.registry import Registry
from ..recipe.key_groups import Launch
from ..recipe.layers import read_layer
from ..recipe.schema import Recipe
from .backend import backend_of
from .hardware import gpus


def settled(recipe: Recipe) -> Recipe:
    """`recipe` with the number of processes filled in: one for each GPU of this machine that no vLLM server takes, or 1."""
    if recipe.launch.processes is not None:
        return recipe
    served = (
        recipe.generation.vllm.own_gpus if backend_of(recipe).name == "vllm" and not recipe.launch.vllm_nodes else 0
    )
    here = max(1, len(gpus()) - served) if recipe.launch.accelerate else 1
    return recipe.model_copy(update={"launch": recipe.launch.model_copy(update={"processes": here})})


def world(launch: Launch) -> int:
    """How many processes train, on all machines together."""
    return (launch.processes or 1) * launch.nodes


def accelerate_file(registry: Registry, launch: Launch) -> Path | None:
    """The config that `launch.accelerate` names: registered, or a file. None: one process, without accelerate. Raises: R1Error."""
    if launch.accelerate is None:
        return None
    file = Path(launch.accelerate).expanduser()
    if file.suffix in (".yaml", ".yml"):
        if not file.is_file():
            raise RecipeError(f"recipe key 'launch.accelerate': no file {launch.accelerate!r}")
        return file
    return Path(registry.get("accelerate", launch.accelerate).target)


def parallel_errors(registry: Registry, recipe: Recipe) -> list[R1Error]:
    """What of `recipe.launch` cannot be done here."""
    launch, errors = recipe.launch, list[R1Error]()
    try:
        file = accelerate_file(registry, launch)
        kind = read_layer(file) if file else {}
    except R1Error as error:
        return [error]
    if file is None and world(launch) > 1:
        errors.append(RecipeError(f"{world(launch)} processes share out the work by accelerate: add --accelerate ddp"))
    if launch.launcher == "local" and launch.nodes > 1:
        errors.append(
            RecipeError(
                f"recipe key 'launch.nodes' is {launch.nodes}, and launcher local knows this machine only: use "
                "--launcher slurm, or --launcher none and start each machine yourself"
            )
        )
    if launch.launcher == "slurm" and file is None:
        errors.append(RecipeError("launcher slurm starts its processes by accelerate: add --accelerate ddp"))
    if kind.get("use_cpu") and world(launch) > 1:
        errors.append(RecipeError(f"{file}: with use_cpu accelerate starts one process only; leave it out"))
    parallel = kind.get("distributed_type")
    if parallel == "DEEPSPEED" and find_spec("deepspeed") is None:
        errors.append(RecipeError(f"--accelerate {launch.accelerate} needs: pip install 'r1sdk[deepspeed]'"))
    if parallel == "FSDP" and launch.launcher == "local" and not gpus():
        errors.append(
            RecipeError(
                f"--accelerate {launch.accelerate} needs a GPU: on a CPU accelerate leaves FSDP out without a word, and "
                "every process would hold the whole model; use ddp, zero2 or zero3"
            )
        )
    if parallel in ("DEEPSPEED", "FSDP") and recipe.optimizer == "muon":
        errors.append(
            RecipeError(f"optimizer muon needs whole matrices: not with --accelerate {launch.accelerate}; use ddp")
        )
    if parallel in ("DEEPSPEED", "FSDP") and recipe.quantize is not None:
        errors.append(
            RecipeError(
                f"quantized weights are not shared out: not with --accelerate {launch.accelerate}; use ddp, where each "
                "process holds them all, and the adapters are small"
            )
        )
    if recipe.launch.launcher == "local" and 0 < len(gpus()) < (launch.processes or 1):
        errors.append(
            RecipeError(
                f"{launch.processes} processes, and this machine has {len(gpus())} GPUs: a process needs one of its own"
            )
        )
    return errors
