"""Checks of a recipe on this machine, made by `r1 doctor RECIPE` and by every `r1 train` before it starts."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from ..errors import R1Error, raise_all
from ..planning.hardware import AMX
from ..planning.memory import GB, advice
from ..planning.run_plan import RunPlan
from ..recipe.asynchronous import KEY, missing
from ..recipe.trl_values import missing_packages
from . import Check, Finding, examine
from .machine_checks import check_disk

COLOCATED = 0.3  # of a GPU's memory, TRL's default for a vLLM beside the trainer
FULL = 0.9  # of a device's memory: above it a run is likely to fail


def before_training(plan: RunPlan, folder: Path) -> list[Finding]:
    """Quick checks, without torch. Raises: R1Error with every failure; returns the others."""
    found = list(examine(recipe_checks(plan, folder)))
    raise_all(
        [
            R1Error(f"{f.name}: {f.text}; {f.todo}" if f.todo else f"{f.name}: {f.text}")
            for f in found
            if f.status == "failure"
        ]
    )
    return found


def recipe_checks(plan: RunPlan, folder: Path) -> Sequence[tuple[str, Check]]:
    return (
        ("disk", lambda: check_room(plan, folder)),
        ("packages", lambda: check_packages(plan)),
        ("generation", lambda: check_generation(plan)),
        ("gpus of the run", lambda: check_used(plan)),
        ("precision", lambda: check_precision(plan)),
        ("memory of the run", lambda: check_memory(plan)),
    )


def check_packages(plan: RunPlan) -> Iterator[Finding]:
    if plan.recipe.lora is not None and find_spec("peft") is None:
        yield Finding("lora", "failure", "peft is not installed", "pip install 'r1sdk[lora]'")
    if plan.recipe.quantize is not None and find_spec("bitsandbytes") is None:
        yield Finding("quantize", "failure", "bitsandbytes is not installed", "pip install 'r1sdk[quantize]'")
    yield from check_attention(plan)
    if plan.trains_here:
        for argument, package in missing_packages(plan.recipe.trainer):
            yield Finding(argument, "failure", f"{package} is not installed", f"pip install {package}")
    if plan.recipe.trust_remote_code:
        text = f"Python files of the model {plan.recipe.model} run on this machine, with all that you may do (trust_remote_code)"
        yield Finding("model code", "warning", text, "read them first, or leave trust_remote_code out")
    if plan.recipe.experimental_async is not None:
        for lack, todo in missing(plan.machine.cuda or not plan.trains_here):
            yield Finding(KEY, "failure", lack, todo)


def check_attention(plan: RunPlan) -> Iterator[Finding]:
    """Check that the attention kernel of the recipe can run here."""
    kernel = plan.recipe.attention
    if kernel == "auto" or "flash" not in kernel:
        return
    package = "kernels" if "/" in kernel else {"flash_attention_3": "flash_attn_interface"}.get(kernel, "flash_attn")
    if find_spec(package) is None:
        yield Finding("attention", "failure", f"{kernel} needs {package}, which is not installed", "use sdpa")
    if plan.trains_here and not plan.machine.gpus:
        yield Finding("attention", "failure", f"{kernel} runs on a GPU, and there is none", "use sdpa")
    elif plan.dtype == "float32":
        text = (
            f"{kernel} computes in half precision only, and the weights are in float32, also when completions are made"
        )
        yield Finding("attention", "failure", text, "use sdpa, or dtype bfloat16 with --lora")


def check_generation(plan: RunPlan) -> Iterator[Finding]:
    backend, settings = plan.backend, plan.recipe.generation.vllm
    if not plan.trains_here:
        return  # chosen where it trains
    if plan.recipe.method == "grpo" and backend.name == "vllm":
        where = f"server at {settings.url}" if settings.url else f"mode {settings.mode}"
        yield Finding("generation", "ok", f"{backend}, {where}")
    elif plan.recipe.method == "grpo":
        yield Finding("generation", "ok", str(backend))


def check_used(plan: RunPlan) -> Iterator[Finding]:
    launch, there = plan.recipe.launch, len(plan.machine.gpus)
    used = (launch.processes or 1) + (plan.recipe.generation.vllm.own_gpus if plan.trains_on_vllm else 0)
    if plan.trains_here and used < there:
        yield Finding(
            "gpus of the run", "warning", f"{used} of {there} is used", "add --accelerate ddp to use all of them"
        )


def check_precision(plan: RunPlan) -> Iterator[Finding]:
    recipe, bf16 = plan.recipe, plan.machine.bf16
    if recipe.dtype == "bfloat16" and recipe.lora is None:
        text = "weights in bfloat16, trained as a whole: updates below 1/256 of a weight are lost"
        yield Finding(
            "precision", "warning", text, "use dtype float32 (on a GPU it computes in bfloat16 all the same), or --lora"
        )
    asked = recipe.dtype == "bfloat16" or recipe.trainer.get("bf16")
    if asked and plan.trains_here and not plan.machine.gpus and AMX not in bf16:
        has = f"has {' and '.join(bf16)} but no {AMX}" if bf16 else "has no bf16 instructions"
        text = f"this CPU {has}: training in bf16 takes half as long again, or twice as long (docs/scaling.md)"
        yield Finding("precision", "warning", text, "use float32")


def check_room(plan: RunPlan, folder: Path) -> Iterator[Finding]:
    """Check the disk for this run; a resumed run needs less, since its checkpoints are already there."""
    room = plan.disk
    if room is None:
        return check_disk(folder)
    there = [path for path in (folder / "checkpoints").glob("checkpoint-*") if path.is_dir()]
    return check_disk(folder, room, len(there) * room.checkpoint)


def check_memory(plan: RunPlan) -> Iterator[Finding]:
    recipe, found = plan.recipe, plan.memory
    if not plan.trains_here:
        return  # trained elsewhere; the worker looks there
    if found is None:
        yield Finding(
            "memory of the run", "ok", "not estimated: the model is not here, or its config does not say its size"
        )
        return
    there = plan.machine.gpus
    each = (
        min(gpu.memory_bytes for gpu in there)
        if there
        else (plan.machine.memory_bytes or 0) // (recipe.launch.processes or 1)
    )
    where = " on each GPU" if there else " for each process"
    if there and plan.trains_on_vllm and recipe.generation.vllm.mode == "colocate":
        each = int(each * (1.0 - (recipe.generation.vllm.gpu_memory_utilization or COLOCATED)))
        where = " that vLLM leaves of each GPU"
    text = f"{found}; of {each / GB:.1f} GB{where}"
    if each and found.peak > FULL * each:
        yield Finding("memory of the run", "warning", text, advice(found, recipe))
    else:
        yield Finding("memory of the run", "ok", text)
