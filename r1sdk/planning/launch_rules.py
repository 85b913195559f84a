"""Rules about the processes of a run: accelerate, launchers, GPUs for each process."""

from importlib.util import find_spec

from ..errors import R1Error, RecipeError
from .parallel import world
from .run_plan import RunPlan


def launch_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem for each setting of `recipe.launch` that cannot be followed on the plan's machine."""
    launch, errors = plan.recipe.launch, list[R1Error]()
    if launch.accelerate is not None and plan.accelerate is None:
        return []  # its config could not be read, which is a problem of the plan
    file, kind = (plan.accelerate.file, plan.accelerate.settings) if plan.accelerate else (None, {})
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
    if parallel == "FSDP" and launch.launcher == "local" and not plan.machine.gpus:
        errors.append(
            RecipeError(
                f"--accelerate {launch.accelerate} needs a GPU: on a CPU accelerate leaves FSDP out without a word, and "
                "every process would hold the whole model; use ddp, zero2 or zero3"
            )
        )
    if parallel in ("DEEPSPEED", "FSDP") and plan.recipe.optimizer == "muon":
        errors.append(
            RecipeError(f"optimizer muon needs whole matrices: not with --accelerate {launch.accelerate}; use ddp")
        )
    if parallel in ("DEEPSPEED", "FSDP") and plan.recipe.quantize is not None:
        errors.append(
            RecipeError(
                f"quantized weights are not shared out: not with --accelerate {launch.accelerate}; use ddp, where each "
                "process holds them all, and the adapters are small"
            )
        )
    if launch.launcher == "local" and 0 < len(plan.machine.gpus) < (launch.processes or 1):
        errors.append(
            RecipeError(
                f"{launch.processes} processes, and this machine has {len(plan.machine.gpus)} GPUs: a process needs one of its own"
            )
        )
    return errors
