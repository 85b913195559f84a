"""What a recipe asks of this machine: the checks that `r1 doctor RECIPE` makes, and every `r1 train` before it starts."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import R1Error, raise_all
from ..planning.backend import backend_of
from ..planning.build import Run
from ..planning.disk import room_for
from ..planning.hardware import AMX, bf16, gpus, memory_bytes
from ..planning.memory import GB, Shape, advice, dtype_of, estimate, read_shape
from ..planning.model_source import ModelSource
from ..planning.parallel import accelerate_file
from ..plugins.registry import Registry
from ..recipe.asynchronous import KEY, missing
from ..recipe.layers import read_layer
from . import Check, Finding, examine
from .machine_checks import check_disk

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
        ("disk", lambda: check_room(run, registry, folder)),
        ("packages", lambda: check_packages(run)),
        ("generation", lambda: check_generation(run)),
        ("gpus of the run", lambda: check_used(run)),
        ("precision", lambda: check_precision(run)),
        ("memory of the run", lambda: check_memory(run, registry)),
    )


def check_packages(run: Run) -> Iterator[Finding]:
    if run.recipe.lora is not None and find_spec("peft") is None:
        yield Finding("lora", "failure", "peft is not installed", "pip install 'r1sdk[lora]'")
    if run.recipe.quantize is not None and find_spec("bitsandbytes") is None:
        yield Finding("quantize", "failure", "bitsandbytes is not installed", "pip install 'r1sdk[quantize]'")
    yield from check_attention(run)
    if run.recipe.experimental_async is not None:
        here = run.recipe.launch.launcher == "local"
        for lack, todo in missing(bool(gpus()) or not here):
            yield Finding(KEY, "failure", lack, todo)


def check_attention(run: Run) -> Iterator[Finding]:
    """Whether the kernel that the recipe asks for can run here."""
    kernel, here = run.recipe.attention, run.recipe.launch.launcher == "local"
    if kernel == "auto" or "flash" not in kernel:
        return
    package = "kernels" if "/" in kernel else {"flash_attention_3": "flash_attn_interface"}.get(kernel, "flash_attn")
    if find_spec(package) is None:
        yield Finding("attention", "failure", f"{kernel} needs {package}, which is not installed", "use sdpa")
    if here and not gpus():
        yield Finding("attention", "failure", f"{kernel} runs on a GPU, and there is none", "use sdpa")
    elif dtype_of(run.recipe, bool(gpus()) or not here) == "float32":
        text = (
            f"{kernel} computes in half precision only, and the weights are in float32, also when completions are made"
        )
        yield Finding("attention", "failure", text, "use sdpa, or dtype bfloat16 with --lora")


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
    if asked and recipe.launch.launcher == "local" and not gpus() and AMX not in bf16():
        has = f"has {' and '.join(bf16())} but no {AMX}" if bf16() else "has no bf16 instructions"
        text = f"this CPU {has}: training in bf16 takes half as long again, or twice as long (docs/scaling.md)"
        yield Finding("precision", "warning", text, "use float32")


def check_room(run: Run, registry: Registry, folder: Path) -> Iterator[Finding]:
    """The disk, for what this run will write; for a run that is resumed, less the checkpoints that are there."""
    shape = _shape(run)
    if shape is None or run.recipe.method == "generate":
        return check_disk(folder)
    room = room_for(shape, run.recipe, _sharing(run, registry), bool(gpus()))
    there = [path for path in (folder / "checkpoints").glob("checkpoint-*") if path.is_dir()]
    return check_disk(folder, room, len(there) * room.checkpoint)


def check_memory(run: Run, registry: Registry) -> Iterator[Finding]:
    recipe = run.recipe
    if recipe.launch.launcher != "local":
        return  # trained elsewhere; the worker looks there
    shape = _shape(run)
    if shape is None:
        yield Finding(
            "memory of the run", "ok", "not estimated: the model is not here, or its config does not say its size"
        )
        return
    there = gpus()
    found = estimate(shape, recipe, _sharing(run, registry), bool(there))
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


def _shape(run: Run) -> Shape | None:
    folder = model_folder(run.model)
    return read_shape(folder) if folder else None


def _sharing(run: Run, registry: Registry) -> Mapping[str, Any]:
    """The config by which several processes share out the work; empty for one."""
    file = accelerate_file(registry, run.recipe.launch)
    return read_layer(file) if file else {}


def _on_vllm(run: Run) -> bool:
    """Whether vLLM has memory or GPUs of this run; a server that was there before has its own."""
    overlapped = run.recipe.experimental_async is not None
    return run.recipe.method == "grpo" and backend_of(run.recipe).name == "vllm" and not overlapped


def model_folder(source: ModelSource) -> Path | None:
    """The model's files, if they are on this machine: its folder, or the newest snapshot in the hub's cache."""
    if source.folder or not source.hub_id:
        return source.folder
    from .service_checks import hub_cache

    stored = hub_cache() / f"models--{source.hub_id.replace('/', '--')}" / "snapshots"
    return max(stored.glob("*"), key=lambda path: path.stat().st_mtime, default=None)
