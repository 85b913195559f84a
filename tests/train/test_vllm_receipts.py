"""Weight receipts on the real vLLM, on a CPU: `pytest -m vllm -k receipts`; with two processes `-m "vllm and distributed"`.

Each fault of a weight sync ends the run before the next update, with the tensor's name, and clean syncs end none.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from perturbed_run import LIMIT_S, perturbed
from r1_command import QUIET

from r1sdk.recipe.schema import Recipe
from r1sdk.storage.run_folder import RunFolder

pytestmark = pytest.mark.vllm

PROGRAM = Path(__file__).parents[1] / "support" / "receipt_faults.py"
SYNCS = int(os.environ.get("R1_RECEIPT_SYNCS", "200"))
NAMED = {  # what the message has to name
    "one layer is stale": "model.layers.2.self_attn.q_proj.weight: it still holds the weights of the sync before",
    "one norm is stale": "1 part differs in the engine\n  model.norm.weight: it still holds",
    "gate and up are swapped": "model.layers.0.mlp.gate_proj.weight: it holds model.layers.0.mlp.up_proj.weight",
    "gate is loaded twice": "model.layers.0.mlp.up_proj.weight: it holds model.layers.0.mlp.gate_proj.weight",
    "query and key are swapped in one layer": "model.layers.2.self_attn.q_proj.weight: it holds model.layers.2.self_attn.k_proj",
    "the tied head is not repacked": "lm_head.weight: it still holds the weights of the",
    "another run's weights arrive": "model.layers.0.self_attn.q_proj.weight: norm",
    "half of a chunked reload": "19 parts differ in the engine\n  model.layers.2.self_attn.q_proj.weight: it still holds",
    "the prefix cache is not reset": "come from the prefix cache of older weights",
    "layers are exchanged, as after a bad wake-up": "down_proj.weight: it holds model.layers.1.mlp.down_proj.weight",
    "rounded to bfloat16 on the way": "model.layers.0.self_attn.q_proj.weight: norm",
    "one bit of one weight": "1 part differs in the engine\n  model.layers.3.mlp.down_proj.weight: norm",
    "the adapter is never applied": "q_proj.weight: ",
}


def campaign(path, out, *more, **keys):
    recipe = Recipe.model_validate(
        {
            "model": "tiny",
            "env": {"name": "countdown", "options": {"train_size": 64}},
            "rewards": ["accuracy", "format"],
            "generation": {
                "samples": 4,
                "max_tokens": 24,
                "backend": "vllm",
                "vllm": {"mode": "colocate", "max_model_len": 256},
            },
            "trainer": {"per_device_train_batch_size": 8, "max_steps": 2, "save_strategy": "no", "learning_rate": 1e-3},
            **keys,
        }
    )
    RunFolder.create(path, recipe, {})
    done = subprocess.run(
        [sys.executable, PROGRAM, path, "--out", out, *more],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    found = json.loads(out.read_text())
    clean = found["faults"].pop("clean")
    assert not clean["caught"] and clean["updates"] == 2
    for name, end in found["faults"].items():
        assert end["caught"], name
        assert end["updates"] == 1, f"{name}: learnt from before it was noticed"
        assert NAMED.get(name, "parts differ") in end["message"], end["message"]
    assert not found["skipped"]
    assert found["clean_syncs"]["false_alarms"] == []
    print(json.dumps(found["clean_syncs"]), f"{len(found['faults'])} faults", file=sys.__stderr__)
    return found


def test_receipts_catch_every_fault_before_an_update_and_find_none_in_clean_syncs(tmp_path):
    found = campaign(tmp_path / "run", tmp_path / "out.json", "--syncs", str(SYNCS))
    assert found["compared"] == 38 and len(found["faults"]) == 14


def test_receipts_cover_merged_adapters(tmp_path):
    found = campaign(tmp_path / "run", tmp_path / "out.json", "--lora", "--syncs", str(SYNCS // 4), lora={"rank": 4})
    assert len(found["faults"]) == 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (("--stale", "3"), "it still holds the weights of the sync before"),
        (("--intruded", "3"), "after weight sync 3, 39 parts differ in the server\n  model.embed_tokens.weight: norm"),
    ],
)
def test_receipts_of_a_server_stop_the_run_before_it_learns(tmp_path, fault, says):
    done, folder = perturbed(tmp_path / "run", "server", None, 1, *fault)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-4000:]
    assert says in done.stderr
    assert len(folder.metrics()) == 2


@pytest.mark.distributed
def test_receipts_of_every_rank_are_compared(tmp_path):
    done, folder = perturbed(tmp_path / "run", "colocate", "ddp", 2, "--stale", "3", "--rank", "1")
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-4000:]
    assert "in the engine of rank 1 of 2" in done.stderr
    assert len(folder.metrics()) == 2
