"""Watch the vLLM sampler of a TRL trainer: before it generates with new weights, its receipts are compared with the trainer's."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from ..errors import R1Error
from .receipt_differences import Expected, Part, Receipt, StaleSampler, differences, explain, missing
from .served import receipt_of
from .tensor_digest import digest

PROBES, PROBE_TOKENS, NEW_TOKENS = 2, 140, 2  # a prompt fills a block of vLLM's prefix cache, on a CPU 128 tokens
EXACT_LIMIT, ROUNDED_LIMIT = 0.01, 0.5  # mean difference of log-probabilities: float32 on both sides, and otherwise
_RPC_S = 600


@dataclass
class SamplerWatch:
    """Compares the weights that vLLM serves with the trainer's. Made by `watch_sampler`."""

    trainer: Any
    probe: bool = True
    checks: int = 0  # passed
    seconds: float = 0.0  # spent on them
    compared: int = 0  # tensors of the trainer compared at the last one
    skipped: tuple[str, ...] = ()  # tensors of the trainer that no receipt covers
    probe_difference: float | None = None  # mean, of the last check
    _syncs: int = 0
    _checked_sync: int = -1
    _step: tuple[int, int] = (-1, -1)
    _stamp: dict[str, str] = field(default_factory=dict)
    _expected: Expected | None = None
    _before: Expected | None = None
    _first: Expected | None = None
    _dtypes: dict[str, str] = field(default_factory=dict)
    _wanted: dict[str, list[tuple[Part, str]]] = field(default_factory=dict)
    _answered: bool = False
    _said: bool = False

    def __post_init__(self) -> None:
        self._generation = self.trainer.vllm_generation
        self._server = self._generation.mode == "server"
        self._main = bool(self.trainer.accelerator.is_main_process)
        self._reads = self._main or not self._server  # this process asks for receipts
        model = self._generation.model
        # Gathering or merging for a second time would cost as much as the sync, and merging rounds: listen to the sync.
        self._listens = bool(
            getattr(model, "peft_config", None)
            or self._generation._dist.is_fsdp
            or any(hasattr(parameter, "ds_id") for parameter in model.parameters())
        )
        self._attach()

    def check(self, probe: bool | None = None) -> None:
        """Compare now. Every process must call it. Raises: StaleSampler in all processes if the sampler of one differs."""
        started = time.perf_counter()
        faults = [self._faults(self.probe if probe is None else probe)]  # by rank
        if self.trainer.accelerator.num_processes > 1:
            from accelerate.utils import gather_object

            faults = gather_object(faults)
        self.seconds += time.perf_counter() - started
        if found := [rank for rank, some in enumerate(faults) if some]:
            where = "the server" if self._server else "the engine"
            if len(faults) > 1 and not self._server:
                where += f" of rank {', '.join(map(str, found))} of {len(faults)}"
            raise StaleSampler(explain([fault for rank in found for fault in faults[rank]], where, self._syncs))
        self.checks += 1

    def _attach(self) -> None:
        generation = self._generation
        generation.sync_weights = self._around_sync(generation.sync_weights)
        if self._listens:
            generation._iter_named_params = self._listening(generation._iter_named_params)
        if self._server:
            generation.generate = self._around_generate(generation.generate, after=True)
        else:  # inside TRL's generate, when an engine that slept is awake with its weights
            self._ask = generation.llm.generate
            generation.llm.generate = self._around_generate(generation.llm.generate, after=False)

    def _around_sync(self, sync: Callable[[], None]) -> Callable[[], None]:
        def synced() -> None:
            if self._listens:
                self._expected, self._before = None, self._expected or self._before
                # Not while the weights are sent: the workers then wait for them, and would not answer.
                self._wanted = self._parts(self._receipts(self._syncs + 1, read=False)) if self._reads else {}
            sync()
            self._syncs += 1
            if self._listens:
                self._stamp = self._local_digests()

        return synced

    def _around_generate(self, generate: Callable[..., Any], after: bool) -> Callable[..., Any]:
        def checked(*arguments: Any, **more: Any) -> Any:
            step = (self.trainer.state.global_step, self._syncs)
            fresh = step != self._step
            if fresh:
                self.check()
                self._step = step
            made = generate(*arguments, **more)
            if after and fresh:  # another run may have sent its weights to the same server meanwhile
                self.check(probe=False)
            return made

        return checked

    def _listening(self, named: Callable[[], Iterator[tuple[str, torch.Tensor]]]) -> Callable[[], Iterator[Any]]:
        def listened() -> Iterator[tuple[str, torch.Tensor]]:
            found: dict[Part, tuple[str, float]] = {}
            whole: set[str] = set()
            for name, tensor in named():
                if self._reads:
                    found |= self._digests(name, tensor, self._wanted)
                    whole.add(name)
                yield name, tensor
            if self._reads:
                self._expected, self._names = Expected(found), whole

        return listened

    def _faults(self, probe: bool) -> list[str]:
        """Return what is wrong in this process's sampler."""
        faults = self._unsynced() if self._listens else []
        if self._reads:
            faults += self._differences()
            return faults + (self._probe_faults() if probe else [])
        if probe:
            self._probe_logps(None)
        return faults

    def _differences(self) -> list[str]:
        """Compare what this process's sampler serves with the trainer's tensors."""
        number = self._syncs if self._listens else self.checks
        receipts = self._receipts(number, read=True)
        if not self._listens:
            parts = self._parts(receipts)
            found: dict[Part, tuple[str, float]] = {}
            self._names = set()
            for name, parameter in self._generation.model.named_parameters():
                fixed = self._generation._fix_param_name_to_vllm(name)
                found |= self._digests(fixed, parameter, parts)
                self._names.add(fixed)
            self._expected, self._before = Expected(found), self._expected
        expected = self._expected
        if expected is None:
            return ["no weights were sent since this run began"]
        dtypes = {part: self._dtypes.setdefault(part[0], dtype) for part, dtype in self._served_dtypes(receipts)}
        expected = Expected(expected.digests, dtypes)
        self._first = self._first or expected
        faults = [fault for receipt in receipts for fault in differences(receipt, expected, self._before, self._first)]
        self.skipped = tuple(missing(receipts, self._names, {}))
        self.compared = len(self._names) - len(self.skipped)
        self._say(receipts)
        return faults

    def _say(self, receipts: Sequence[Receipt]) -> None:
        if not self._said and self._main:
            self._said = True
            line = f"weight receipts: {self.compared} of {len(self._names)} tensors are compared at each sync"
            if self.skipped:
                why = {reason for receipt in receipts for reason in receipt.unread.values()}
                line += f"; not {', '.join(self.skipped[:3])}{' and others' if len(self.skipped) > 3 else ''}"
                line += f" ({'; '.join(sorted(why)[:2])})" if why else ""
            print(line, flush=True)

    # What the sampler serves

    def _receipts(self, number: int, read: bool) -> list[Receipt]:
        if not self._server:
            runner = self._generation.llm.llm_engine.model_executor.driver_worker.model_runner
            return [Receipt.parse(receipt_of(runner, number, read))]
        client = self._generation.vllm_client
        request = {"method": "r1_receipt", "args": [str(number), str(read)], "timeout": _RPC_S}
        try:
            results = client._post(f"{client.base_url}/collective_rpc", json=request)["results"]
            receipts = [Receipt.parse(result) for result in results]
        except Exception as error:
            if self._answered:
                raise
            raise R1Error(
                f"the vLLM server at {client.base_url} returns no weight receipts ({type(error).__name__}: "
                f"{str(error)[:200]}): start it with --worker-extension-cls r1sdk.receipts.served.ReceiptWorker and "
                "VLLM_SERVER_DEV_MODE=1, or train without them (limits.receipts=off)"
            ) from error
        self._answered = True
        return receipts

    @staticmethod
    def _parts(receipts: Sequence[Receipt]) -> dict[str, list[tuple[Part, str]]]:
        """Return the served parts by the name of their tensor, with their dtype."""
        parts: dict[str, dict[Part, str]] = {}
        for receipt in receipts:
            for tensor in receipt.tensors:
                parts.setdefault(tensor.name, {})[tensor.part] = tensor.dtype
        return {name: list(some.items()) for name, some in parts.items()}

    @staticmethod
    def _served_dtypes(receipts: Sequence[Receipt]) -> Iterator[tuple[Part, str]]:
        for receipt in receipts:
            for tensor in receipt.tensors:
                yield tensor.part, tensor.dtype

    # What the trainer has

    def _digests(
        self, name: str, tensor: torch.Tensor, parts: dict[str, list[tuple[Part, str]]]
    ) -> dict[Part, tuple[str, float]]:
        found: dict[Part, tuple[str, float]] = {}
        for target in (name, *self._tied.get(name, ())):
            for part, dtype in parts.get(target, ()):
                value = tensor.detach()
                value = value[:, None] if value.ndim == 1 else value
                value = value.t() if name in self._transposed else value
                _, rows, columns = part
                cut = value[rows[0] : rows[1], columns[0] : columns[1]].to(getattr(torch, dtype))
                found[part] = digest(cut, rows[0], columns[0])
        return found

    @cached_property
    def _tied(self) -> dict[str, list[str]]:
        """The further names of shared tensors, e.g. lm_head.weight of the embeddings."""
        by_tensor: dict[int, list[str]] = {}
        for name, parameter in self._generation.model.named_parameters(remove_duplicate=False):
            plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
            by_tensor.setdefault(id(parameter), []).append(plain.replace("modules_to_save.default.", ""))
        return {names[0]: names[1:] for names in by_tensor.values() if len(names) > 1}

    @cached_property
    def _transposed(self) -> frozenset[str]:
        """The weights that GPT-2's Conv1D keeps as columns by rows."""
        modules = self._generation.model.named_modules()
        return frozenset(f"{name}.weight" for name, module in modules if type(module).__name__ == "Conv1D")

    def _local_digests(self) -> dict[str, str]:
        """Return the digests of what this process holds of the trained tensors, nothing gathered."""
        found = {}
        for name, parameter in self._generation.model.named_parameters():
            if parameter.requires_grad:
                local = getattr(parameter, "ds_tensor", parameter)
                local = local.to_local() if hasattr(local, "to_local") else local
                if local.numel():
                    found[name] = digest(local.data).value
        return found

    def _unsynced(self) -> list[str]:
        now = self._local_digests()
        return [
            f"{name}: it has changed since the last sync"
            for name, value in now.items()
            if self._stamp.get(name) != value
        ]

    # The probe batch

    def _probe_faults(self) -> list[str]:
        """Sample from fixed prompts, and compare the log-probabilities with the trainer's."""
        rows, sampled, cached = self._sample()
        fresh, self._checked_sync = self._syncs != self._checked_sync, self._syncs
        faults = []
        if fresh and cached:
            faults.append(f"{cached} tokens of the probe come from the prefix cache of older weights: it was not reset")
        own = self._probe_logps(rows)
        difference = (torch.tensor(sampled) - own).abs()
        self.probe_difference = float(difference.mean())
        exact = set(self._dtypes.values()) == {"float32"} and own.dtype == torch.float32 and self._precise
        limit = EXACT_LIMIT if exact else ROUNDED_LIMIT
        if not self.probe_difference <= limit:  # NaN included
            faults.append(
                f"the log-probabilities of {difference.numel()} tokens of a fixed prompt differ by "
                f"{self.probe_difference:.3g} on average, more than {limit:g}"
            )
        return faults

    @property
    def _precise(self) -> bool:
        return all(parameter.dtype == torch.float32 for parameter in self._generation.model.parameters()) and (
            self.trainer.accelerator.mixed_precision == "no"
        )

    @cached_property
    def _prompts(self) -> list[list[int]]:
        """The prompts of the probe batch, the same in every run."""
        config = self._generation.model.config.get_text_config()
        most = getattr(config, "max_position_embeddings", None) or PROBE_TOKENS + NEW_TOKENS
        most = min(most, self._generation.max_model_length or most) - NEW_TOKENS
        draw = random.Random(15)
        length = max(1, min(PROBE_TOKENS, most))
        return [[draw.randrange(config.vocab_size) for _ in range(length)] for _ in range(PROBES)]

    def _sample(self) -> tuple[list[list[int]], list[list[float]], int]:
        """Return the probes with their new tokens, the sampler's log-probabilities, and the tokens from its prefix cache."""
        prompts, temperature = self._prompts, self._generation.temperature
        if self._server:
            client = self._generation.vllm_client
            request = {
                "model": client.model,
                "prompt": prompts,
                "max_tokens": NEW_TOKENS,
                "temperature": temperature,
                "logprobs": 0,
                "seed": 1,
                "ignore_eos": True,
                "return_token_ids": True,
            }
            reply = client._post(f"{client.base_url}/v1/completions", json=request)
            made = [(choice["token_ids"], choice["logprobs"]["token_logprobs"]) for choice in reply["choices"]]
            cached = ((reply.get("usage") or {}).get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        else:
            from vllm import SamplingParams

            parameters = SamplingParams(
                temperature=temperature, max_tokens=NEW_TOKENS, logprobs=0, seed=1, ignore_eos=True, detokenize=False
            )
            outputs = self._ask(
                [{"prompt_token_ids": ids} for ids in prompts], sampling_params=parameters, use_tqdm=False
            )
            cached = sum(output.num_cached_tokens or 0 for output in outputs)
            made = [
                (
                    ids := list(output.outputs[0].token_ids),
                    [steps[one].logprob for one, steps in zip(ids, output.outputs[0].logprobs, strict=True)],
                )
                for output in outputs
            ]
        rows = [prompt + list(ids) for prompt, (ids, _) in zip(prompts, made, strict=True)]
        return rows, [list(logps) for _, logps in made], cached

    def _probe_logps(self, rows: list[list[int]] | None) -> torch.Tensor:
        """Return the trainer's log-probabilities of the new tokens: [P, N]. Every process takes part."""
        trainer = self.trainer
        if self._server and trainer.accelerator.num_processes > 1:
            from accelerate.utils import broadcast_object_list

            (rows,) = broadcast_object_list([rows], from_process=0)
        assert rows is not None
        ids = torch.tensor(rows, device=trainer.accelerator.device)
        model, training = trainer.model, trainer.model.training
        model.eval()
        try:
            with torch.no_grad(), trainer.compute_loss_context_manager():
                logps, *_ = trainer._get_per_token_logps_and_entropies(
                    model, ids, torch.ones_like(ids), NEW_TOKENS, batch_size=PROBES
                )
        finally:
            model.train(training)
        own: torch.Tensor = logps.float().cpu()
        return own


def watch_sampler(trainer: Any, probe: bool = True) -> SamplerWatch:
    """Check the weights of `trainer`'s vLLM sampler before each generation with new ones.

    `trainer`: TRL's GRPOTrainer, or one with the same `vllm_generation`, built with `use_vllm=True`, before `train()`. A server
    needs `VLLM_SERVER_DEV_MODE=1` and `--worker-extension-cls r1sdk.receipts.served.ReceiptWorker`. `probe`: also compare the
    log-probabilities of a fixed batch. Raises: StaleSampler during training; ValueError without vLLM.
    """
    if not getattr(trainer, "use_vllm", False):
        raise ValueError("the trainer does not generate with vLLM: there are no weights to compare")
    return SamplerWatch(trainer, probe)
