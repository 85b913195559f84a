"""The guard of TRL's private methods names each one that changed."""

import ast
from pathlib import Path

import pytest

from r1sdk.errors import R1Error
from r1sdk.training.trl import signatures
from r1sdk.training.trl.signatures import (
    ASYNC,
    DISTILLATION,
    DPO,
    GRPO,
    SFT,
    VLLM_ON_CPU,
    check_signatures,
    signature_faults,
)


@pytest.mark.parametrize("wanted", [GRPO, SFT, ASYNC, VLLM_ON_CPU], ids=["grpo", "sft", "async", "vllm on a cpu"])
def test_the_installed_trl_has_the_methods_that_are_bound(wanted):
    assert signature_faults(wanted) == []


def test_another_trl_is_refused_with_each_method_that_changed(monkeypatch):
    from trl import GRPOTrainer

    monkeypatch.setattr(GRPOTrainer, "_generate", lambda self, prompts, images: None)
    monkeypatch.setattr(GRPOTrainer, "_get_per_token_logps_and_entropies", lambda self, model, ids: None)
    monkeypatch.delattr(GRPOTrainer, "_calculate_rewards")
    with pytest.raises(R1Error) as raised:
        check_signatures(GRPO)
    text = str(raised.value)
    assert "GRPOTrainer._generate takes (self, prompts, images), not (self, prompts)" in text
    assert "GRPOTrainer._calculate_rewards is missing" in text
    assert "GRPOTrainer._get_per_token_logps_and_entropies takes (self, model, ids), not" in text
    assert "pip install 'r1sdk[train]'" in text and "_log_metric" not in text


def test_a_trainer_without_rollout_func_is_named(monkeypatch):
    from trl import GRPOTrainer

    def init(self, model, reward_funcs, args, train_dataset): ...

    monkeypatch.setattr(GRPOTrainer, "__init__", init)
    assert signature_faults({"trl:GRPOTrainer.__init__": signatures.GRPO["trl:GRPOTrainer.__init__"]}) == [
        "GRPOTrainer.__init__ takes no rollout_func"
    ]


def test_every_private_method_of_trl_that_is_overridden_is_guarded():
    guarded = {
        path.rpartition(".")[2] for group in (GRPO, DISTILLATION, DPO, SFT, ASYNC, VLLM_ON_CPU) for path in group
    }
    of_trl: set[str] = set()  # names of TRL's classes, then of ours that inherit from them
    classes: dict[str, ast.ClassDef] = {}
    for file in sorted(Path(signatures.__file__).parent.glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "trl":
                of_trl |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ClassDef):
                classes[node.name] = node
    overriding: set[str] = set()
    while new := {
        name
        for name, node in classes.items()
        if name not in overriding and {base.id for base in node.bases if isinstance(base, ast.Name)} & of_trl
    }:
        overriding |= new
        of_trl |= new
    assert {"DynamicSamplingTrainer", "LengthChunkedTrainer", "SFTTrainerByLength", "JudgedLoop"} <= overriding
    methods = {
        f"{name}.{method.name}"
        for name in overriding
        for method in classes[name].body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.name.startswith("_")
    }
    own = {name for name in methods if name.rpartition(".")[2] in _defined_by_us}
    assert {name.rpartition(".")[2] for name in methods - own} - {"__init__"} <= guarded


_defined_by_us = {  # of our trainers: methods that TRL does not have
    *(
        "_log_advantages",
        "_log_one",
        "_first",
        "_fresh",
        "_own",
        "_rows",
        "_generate_round",
        "_with_all_processes",
        "_has_variance",
        "_record",
        "_hand_over",
    ),
}
