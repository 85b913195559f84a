"""Faults of weight syncs, put into a real run with vLLM: `receipt_faults.py RUN_DIR [--lora] [--syncs N] [--only NAME] --out FILE`.

Each fault begins at the second step. It counts as caught if the step ends in StaleSampler before its update. Then comes a clean
step, so that no fault lives on. `--syncs`: so many clean syncs, each with changed weights, in which nothing may be found.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from transformers import TrainerCallback

from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.receipts import StaleSampler
from r1sdk.rollout import vllm_cpu_engine
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.models import load_model, load_tokenizer, locate
from r1sdk.training.trl import vllm_on_cpu
from r1sdk.training.trl.grpo import grpo_trainer
from r1sdk.training.vllm.sampler_engine import announce, sampler

CHANGE = 1e-4  # of each weight a step: what a learning rate of 1e-4 does
Named = Iterator[tuple[str, torch.Tensor]]
Change = Callable[[list[tuple[str, torch.Tensor]], dict[str, torch.Tensor]], list[tuple[str, torch.Tensor]]]


def sent(change: Change) -> Callable[[Any, dict[str, torch.Tensor]], Any]:
    """A fault of what reaches the engine: `change(sent, before)` returns what arrives instead."""

    @contextmanager
    def fault(trainer: Any, before: dict[str, torch.Tensor]) -> Iterator[None]:
        real = vllm_cpu_engine.reload
        with mock.patch.object(vllm_on_cpu, "reload", lambda runner, named: real(runner, change(list(named), before))):
            yield

    return fault


def swapped(named: list[tuple[str, torch.Tensor]], one: str, other: str) -> list[tuple[str, torch.Tensor]]:
    found = dict(named)
    return [(name, found[name.replace(one, other) if one in name else name.replace(other, one)]) for name, _ in named]


@contextmanager
def never_sent(trainer: Any, before: dict[str, torch.Tensor]) -> Iterator[None]:
    with mock.patch.object(vllm_on_cpu, "reload", lambda runner, named: list(named)):
        yield


@contextmanager
def sync_forgotten(trainer: Any, before: dict[str, torch.Tensor]) -> Iterator[None]:
    trainer._last_loaded_step = trainer.state.global_step
    yield


@contextmanager
def tied_head_not_repacked(trainer: Any, before: dict[str, torch.Tensor]) -> Iterator[None]:
    with mock.patch.object(
        vllm_on_cpu, "reload", lambda runner, named: runner.reload_weights(weights_iterator=iter(list(named)))
    ):
        yield


@contextmanager
def cache_not_reset(trainer: Any, before: dict[str, torch.Tensor]) -> Iterator[None]:
    with mock.patch.object(trainer.vllm_generation.llm, "reset_prefix_cache", lambda: True):
        yield


def after_sync(change: Callable[[Any], None]) -> Callable[[Any, dict[str, torch.Tensor]], Any]:
    """A fault of the engine after it got the weights."""

    @contextmanager
    def fault(trainer: Any, before: dict[str, torch.Tensor]) -> Iterator[None]:
        real = vllm_cpu_engine.reload

        def reload(runner: Any, named: Named) -> None:
            real(runner, named)
            change(runner)

        with mock.patch.object(vllm_on_cpu, "reload", reload):
            yield

    return fault


def exchange_layers(runner: Any) -> None:
    layers = runner.get_model().model.layers
    one, other = layers[0].mlp.down_proj, layers[1].mlp.down_proj
    one.cpu_linear, other.cpu_linear = other.cpu_linear, one.cpu_linear


def load_another_run(runner: Any) -> None:
    random = torch.Generator().manual_seed(99)
    other = [(name, each + torch.randn(each.shape, generator=random) * 1e-3) for name, each in ANOTHER.items()]
    vllm_cpu_engine.reload(runner, other)


@contextmanager
def adapter_not_merged(trainer: Any, before: dict[str, torch.Tensor]) -> Iterator[None]:
    model = trainer.vllm_generation.model
    base = [(name, each) for name, each in before.items() if "lora_" not in name]
    plain = [(name.removeprefix("base_model.model.").replace(".base_layer", ""), each) for name, each in base]
    assert model.peft_config
    real = vllm_cpu_engine.reload
    with mock.patch.object(vllm_on_cpu, "reload", lambda runner, named: (list(named), real(runner, plain))):
        yield


ANOTHER: dict[str, torch.Tensor] = {}
STALE_LAYER, HALF = "layers.2.", "layers.0."
FAULTS: dict[str, Any] = {
    "frozen: the weights never arrive": never_sent,
    "frozen: the trainer forgets a sync": sync_forgotten,
    "one layer is stale": sent(lambda new, old: [(n, old[n] if STALE_LAYER in n else t) for n, t in new]),
    "one norm is stale": sent(lambda new, old: [(n, old[n] if n == "model.norm.weight" else t) for n, t in new]),
    "gate and up are swapped": sent(lambda new, old: swapped(new, "gate_proj", "up_proj")),
    "gate is loaded twice": sent(lambda new, old: [(n, dict(new)[n.replace("up_proj", "gate_proj")]) for n, _ in new]),
    "query and key are swapped in one layer": sent(
        lambda new, old: [(n, dict(swapped(new, "q_proj", "k_proj"))[n] if STALE_LAYER in n else t) for n, t in new]
    ),
    "the tied head is not repacked": tied_head_not_repacked,
    "another run's weights arrive": after_sync(load_another_run),
    "half of a chunked reload": sent(
        lambda new, old: [(n, t if at < len(new) // 2 else old[n]) for at, (n, t) in enumerate(new)]
    ),
    "the prefix cache is not reset": cache_not_reset,
    "layers are exchanged, as after a bad wake-up": after_sync(exchange_layers),
    "rounded to bfloat16 on the way": sent(lambda new, old: [(n, t.bfloat16().float()) for n, t in new]),
    "one bit of one weight": sent(
        lambda new, old: [(n, flip(t) if n.endswith("3.mlp.down_proj.weight") else t) for n, t in new]
    ),
}
LORA_FAULTS: dict[str, Any] = {
    "the adapter is never applied": adapter_not_merged,
    "frozen: the weights never arrive": never_sent,
    "frozen: the trainer forgets a sync": sync_forgotten,
}


def flip(tensor: torch.Tensor) -> torch.Tensor:
    changed = tensor.clone()
    changed.view(torch.int32)[5, 7] ^= 1
    return changed


class EachStep(TrainerCallback):  # type: ignore[misc]
    """Changes the trained weights before each step, and puts in the fault before the second."""

    def __init__(self) -> None:
        self.fault: Any = None
        self.trainer: Any = None
        self.updates = 0
        self.faulty = ExitStack()
        self.random = torch.Generator().manual_seed(0)

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        before = {name: each.detach().clone() for name, each in self.trainer.vllm_generation.model.named_parameters()}
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape, generator=self.random) * CHANGE)
        if state.global_step == 1 and self.fault is not None:
            self.faulty.enter_context(self.fault(self.trainer, before))

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        self.updates += 1


def try_fault(trainer: Any, change: EachStep, fault: Any) -> dict[str, Any]:
    """Train two steps, the second with the fault, and say how that ended."""
    change.fault, change.updates, trainer._last_loaded_step = fault, 0, -1
    message = None
    with change.faulty:
        try:
            trainer.train()
        except StaleSampler as error:
            message = str(error)
    return {"caught": message is not None, "updates": change.updates, "message": message}


def clean_syncs(trainer: Any, number: int) -> dict[str, Any]:
    """Change the weights and sync, `number` times: false alarms, and the seconds of a sync and of its check."""
    random, watch, alarms, syncing = torch.Generator().manual_seed(1), trainer.receipts, [], 0.0
    checking, processor, least = watch.seconds, 0.0, float("inf")
    for at in range(number):
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape, generator=random) * CHANGE * 0.01)
        started = time.perf_counter()
        trainer.vllm_generation.sync_weights()
        syncing += time.perf_counter() - started
        used, started = time.process_time(), time.perf_counter()
        try:
            watch.check()
        except StaleSampler as error:
            alarms.append(f"sync {at}: {error}")
        processor += time.process_time() - used
        least = min(least, time.perf_counter() - started)
    checking = (watch.seconds - checking) / max(1, number)
    found = {"syncs": number, "false_alarms": alarms, "check_s": checking, "sync_s": syncing / max(1, number)}
    return found | {"check_processor_s": processor / max(1, number), "least_check_s": least}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--syncs", type=int, default=0)
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--only")
    given = parser.parse_args()
    folder = RunFolder.open(given.path)
    run = plan_run(folder.recipe(), load_plugins())
    announce(run, folder)
    where = locate(run.model, given.path / "base_model", 0)
    tokenizer, model = load_tokenizer(where), load_model(where)
    change, results = EachStep(), {}
    with sampler(run, where, folder) as engine:
        trainer = change.trainer = grpo_trainer(run, model, tokenizer, folder, [change], sampler=engine)
        ANOTHER.update({name: each.detach().clone() for name, each in model.named_parameters()})
        faults = LORA_FAULTS if given.lora else FAULTS
        results["clean"] = try_fault(trainer, change, None)
        for name, fault in faults.items():
            if given.only is None or given.only in name:
                results[name] = try_fault(trainer, change, fault)
                trainer.vllm_generation.sync_weights()
                trainer.receipts.check()
                print(name, results[name], file=sys.stderr, flush=True)
        found: dict[str, Any] = {"faults": results}
        if given.syncs:
            found["clean_syncs"] = clean_syncs(trainer, given.syncs)
        found["compared"], found["skipped"] = trainer.receipts.compared, trainer.receipts.skipped
    given.out.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
