"""What a recipe asks of this machine: the checks that `r1 doctor RECIPE` makes, and every `r1 train` before it starts."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from ..backend import backend_of
from ..compose import Run
from ..errors import R1Error, raise_all
from ..hardware import bf16, gpus, memory_bytes
from ..layers import read_layer
from ..memory import GB, advice, estimate, read_shape
from ..model_source import ModelSource
from ..parallel import accelerate_file
from ..plugins import Registry
from . import Check, Finding, examine
from .machine import check_disk

COLOCATED = 0.3  # of a GPU's memory, TRL's default for a vLLM beside the trainer
FULL = 0.9  # of a device's memory: above it a run is likely to fail


def before_training(run: Run, registry: Registry, folder: Path) -> list[Finding]:
    """Quick checks, without torch. Raises: R1Error with every failure; returns the others."""
    found = list(examine(recipe_checks(run, registry, folder)))
    raise_all(
        [
            R1Error(f"{f.name}: {f.text}; {f.todo}" if f.todo else f"{f.name}: {f.text}")
            for f in found
            if f.status == "failure"
        ]
    )
    return found


def recipe_checks(run: Run, registry: Registry, folder: Path) -> Sequence[tuple[str, Check]]:
    return (
        ("disk", lambda: check_disk(folder)),
        ("packages", lambda: check_packages(run)),
        ("generation", lambda: check_generation(run)),
        ("gpus of the run", lambda: check_used(run)),
        ("precision", lambda: check_precision(run)),
        ("memory of the run", lambda: check_memory(run, registry)),
    )


def check_packages(run: Run) -> Iterator[Finding]:
    if run.recipe.lora is not None and find_spec("peft") is None:
        yield Finding("lora", "failure", "peft is not installed", "pip install 'r1sdk[lora]'")
    if "flash" in run.recipe.attention and find_spec("flash_attn") is None and "/" not in run.recipe.attention:
        yield Finding(
            "attention", "failure", f"{run.recipe.attention} needs flash-attn, which is not installed", "use sdpa"
        )


def check_generation(run: Run) -> Iterator[Finding]:
    backend, settings = backend_of(run.recipe), run.recipe.generation.vllm
    if run.recipe.launch.launcher != "local":
        return  # chosen where it trains
    if run.recipe.method == "grpo" and backend.name == "vllm":
        where = f"server at {settings.url}" if settings.url else f"mode {settings.mode}"
        yield Finding("generation", "ok", f"{backend}, {where}")
    elif run.recipe.method == "grpo":
        yield Finding("generation", "ok", str(backend))


def check_used(run: Run) -> Iterator[Finding]:
    launch, there = run.recipe.launch, len(gpus())
    used = (launch.processes or 1) + (run.recipe.generation.vllm.own_gpus if _on_vllm(run) else 0)
    if launch.launcher == "local" and used < there:
        yield Finding(
            "gpus of the run", "warning", f"{used} of {there} is used", "add --accelerate ddp to use all of them"
        )


def check_precision(run: Run) -> Iterator[Finding]:
    recipe = run.recipe
    if recipe.dtype == "bfloat16" and recipe.lora is None:
        text = "weights in bfloat16, trained as a whole: updates below 1/256 of a weight are lost"
        yield Finding(
            "precision", "warning", text, "use dtype float32 (on a GPU it computes in bfloat16 all the same), or --lora"
        )
    asked = recipe.dtype == "bfloat16" or recipe.trainer.get("bf16")
    if asked and recipe.launch.launcher == "local" and not gpus() and not bf16():
        yield Finding(
            "precision", "warning", "this CPU has no bf16 instructions, and emulates them slowly", "use float32"
        )


def check_memory(run: Run, registry: Registry) -> Iterator[Finding]:
    recipe = run.recipe
    if recipe.launch.launcher != "local":
        return  # trained elsewhere; the worker looks there
    folder = model_folder(run.model)
    shape = read_shape(folder) if folder else None
    if shape is None:
        yield Finding(
            "memory of the run", "ok", "not estimated: the model is not here, or its config does not say its size"
        )
        return
    there = gpus()
    file = accelerate_file(registry, recipe.launch)
    found = estimate(shape, recipe, read_layer(file) if file else {}, bool(there))
    memory = memory_bytes()
    each = min(gpu.memory_bytes for gpu in there) if there else (memory or 0) // (recipe.launch.processes or 1)
    where = " on each GPU" if there else " for each process"
    if there and _on_vllm(run) and recipe.generation.vllm.mode == "colocate":
        each = int(each * (1.0 - (recipe.generation.vllm.gpu_memory_utilization or COLOCATED)))
        where = " that vLLM leaves of each GPU"
    text = f"{found}; of {each / GB:.1f} GB{where}"
    if each and found.peak > FULL * each:
        yield Finding("memory of the run", "warning", text, advice(found, recipe))
    else:
        yield Finding("memory of the run", "ok", text)


def _on_vllm(run: Run) -> bool:
    return run.recipe.method == "grpo" and backend_of(run.recipe).name == "vllm"


def model_folder(source: ModelSource) -> Path | None:
    """The model's files, if they are on this machine: its folder, or the newest snapshot in the hub's cache."""
    if source.folder or not source.hub_id:
        return source.folder
    from .services import hub_cache

    stored = hub_cache() / f"models--{source.hub_id.replace('/', '--')}" / "snapshots"
    return max(stored.glob("*"), key=lambda path: path.stat().st_mtime, default=None)
