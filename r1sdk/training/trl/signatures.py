"""The guard of TRL's private methods: every one that r1sdk overrides or calls, with the parameters that it is bound to.

A TRL upgrade that changes one stops a run at its start, with the name of each that changed.
"""

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from ...errors import R1Error

REST = "..."  # further parameters may follow

GRPO = {
    "trl:GRPOTrainer.__init__": ("self", "model", "reward_funcs", "args", "train_dataset", REST),
    "trl:GRPOTrainer._generate_and_score_completions": ("self", "inputs"),
    "trl:GRPOTrainer._generate": ("self", "prompts"),
    "trl:GRPOTrainer._calculate_rewards": ("self", "inputs", "prompts", "completions", "completion_ids_list"),
    "trl:GRPOTrainer._get_per_token_logps_and_entropies": (
        *("self", "model", "input_ids", "attention_mask", "logits_to_keep"),
        *("batch_size", "compute_entropy", "compute_aux_loss", REST),
    ),
    "trl:GRPOTrainer._generate_single_turn": (
        *("self", "prompt_ids", "images", "multimodal_fields", "num_generations"),
        REST,
    ),
    "trl:GRPOTrainer._log_metric": ("self", "name", "value"),
    "trl:GRPOTrainer._get_output_dir": ("self", "trial"),
    "trl:GRPOTrainer._save_checkpoint": ("self", "model", "trial"),
}
DISTILLATION = {
    "trl:DistillationTrainer._generate": ("self", "prompts"),
    "trl:DistillationTrainer._generate_and_score_completions": ("self", "inputs"),
    "trl:DistillationTrainer._compute_loss": ("self", "unwrapped_student", "inputs", "num_items_in_batch"),
}
DPO = {"trl:DPOTrainer._prepare_dataset": ("self", "dataset", "processing_class", "args", "dataset_name")}
SFT = {"trl:SFTTrainer._get_train_sampler": ("self", "train_dataset")}
_WORKER = "trl.experimental.async_grpo.async_rollout_worker"
ASYNC = {
    f"{_WORKER}:_AsyncRolloutLoop._generate_one": ("self", "prompt", "tool_dict", "tools", "group_id"),
    f"{_WORKER}:_AsyncRolloutLoop._generate_one_turn": ("self", "prompt_ids"),
    f"{_WORKER}:_AsyncRolloutLoop._score_group": ("self", "group"),
    f"{_WORKER}:_AsyncRolloutLoop._retry": ("self", "coro_factory", "label", "max_attempts"),
    f"{_WORKER}:_AsyncRolloutLoop._push_rollout_metrics": (
        *("self", "turns", "sequences", "completion_ids", "tally", "loop_exhausted", "duration_s"),
    ),
    f"{_WORKER}:AsyncRolloutWorker.check_health": ("self", "stale_after_s"),
    f"{_WORKER}:_chain_to_sequences": ("turns", "rollout_id", "fork_threshold"),
    f"{_WORKER}:RolloutSample": (
        *("prompt", "completion", "input_ids", "completion_mask", "old_log_probs", "advantage"),
        REST,
    ),
    f"{_WORKER}:TurnRecord": ("prompt_ids", "output_ids", "output_log_probs", REST),
}
VLLM_ON_CPU = {
    "trl.generation.vllm_generation:VLLMGeneration.sync_weights": ("self",),
    "trl.generation.vllm_generation:VLLMGeneration._iter_named_params": ("self",),
    "trl.generation.vllm_client:VLLMClient.init_communicator": ("self", "device"),
    "trl.generation.vllm_client:VLLMClient.update_named_params": ("self", "metadata", "named_params"),
    "trl.generation.vllm_client:VLLMClient._post": ("self", "url", "kwargs"),
}
ROLLOUT_FUNC = {"trl:GRPOTrainer.__init__": "rollout_func"}  # parameters that must be among the rest


def check_signatures(wanted: Mapping[str, Sequence[str]]) -> None:
    """Raises: R1Error that names each method of TRL that is missing or takes other parameters."""
    if faults := signature_faults(wanted):
        from importlib.metadata import version

        raise R1Error(
            f"trl {version('trl')} differs from the version that r1sdk is bound to:\n  "
            + "\n  ".join(faults)
            + "\n  install the tested version: pip install 'r1sdk[train]'"
        )


def signature_faults(wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one sentence for each method that is missing or takes other parameters."""
    faults = []
    for path, parameters in wanted.items():
        found = _parameters(path)
        name = path.partition(":")[2]
        if found is None:
            faults.append(f"{name} is missing")
            continue
        if parameters[-1:] == (REST,):
            matches = found[: len(parameters) - 1] == tuple(parameters[:-1])
        else:
            matches = found == tuple(parameters)
        if not matches:
            faults.append(f"{name} takes ({', '.join(found)}), not ({', '.join(parameters)})")
        elif (needed := ROLLOUT_FUNC.get(path)) and needed not in found:
            faults.append(f"{name} takes no {needed}")
    return faults


def _parameters(path: str) -> tuple[str, ...] | None:
    """Return the parameter names of `module:Class.method`; None if it does not exist."""
    module, _, name = path.partition(":")
    try:
        target: Any = import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError):
        return None
    return tuple(inspect.signature(target).parameters)
