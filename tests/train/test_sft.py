"""SFT: where the loss lies, the Muon optimizer, and a run that stops and goes on."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

import r1sdk
from r1_models import tiny_blank
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.models import load_model, load_tokenizer
from r1sdk.training.optim import muon, orthogonal
from r1sdk.training.sft.sft_rows import IGNORED, demonstration_rows
from r1sdk.training.sft.sft_trainer import sft_trainer


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank")
    tiny_blank(folder, 0)
    return str(folder)


def sft_run(**trainer):
    settings = {
        "per_device_train_batch_size": 8,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "constant",
        "max_length": 300,
        "save_steps": 3,
    }
    env = {"name": "countdown", "options": {"level": "easy", "train_size": 128}}
    recipe = Recipe(method="sft", model="tiny_blank", env=env, optimizer="muon", trainer=settings | trainer)
    return plan_run(recipe, load_plugins())


def trained(run, blank, path, resume=None):
    model = load_model(blank)
    trainer = sft_trainer(run, model, load_tokenizer(blank), RunFolder(path), [])
    trainer.train(resume_from_checkpoint=resume)
    return model, [line["loss"] for line in trainer.state.log_history if "loss" in line]


def test_only_the_reply_carries_loss_and_it_ends(blank):
    tokenizer = load_tokenizer(blank)
    task = r1sdk.Task([{"role": "user", "content": "2 and 3 to make 5"}])
    row = next(iter(demonstration_rows([(task, _told("2+3"))], tokenizer, None)))
    learnt = [token for token in row["labels"] if token != IGNORED]
    assert tokenizer.decode(learnt) == _told("2+3").text + tokenizer.eos_token
    assert row["input_ids"][-len(learnt) :] == learnt and len(row["labels"]) == len(row["input_ids"]) == row["length"]
    asked = tokenizer.decode(row["input_ids"][: -len(learnt)])
    assert asked == tokenizer.apply_chat_template(task.prompt, tokenize=False, add_generation_prompt=True)


def test_demonstrations_over_the_length_limit_are_left_out(blank):
    task = r1sdk.Task([{"role": "user", "content": "?"}])
    short, long = _told("1"), _told("+".join(["1"] * 200))
    rows = list(demonstration_rows([(task, short), (task, long)], load_tokenizer(blank), 100))
    assert rows[0]["length"] <= 100 and rows[1] is None


@pytest.mark.parametrize("shape", [(3, 40, 16), (3, 16, 40), (2, 24, 24)])
def test_newton_schulz_brings_singular_values_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrices))
    assert values.quantile(0.1) > 0.6 and values.max() < 1.3


def test_muon_takes_the_hidden_matrices_and_nothing_else(blank):
    model = load_model(blank)
    hidden, rest = muon(model, 1e-3).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)] for p in rest["params"]} == {n for n in names.values() if "embed" in n or "norm" in n}
    assert all("proj" in names[id(p)] for p in hidden["params"])
    assert len(hidden["params"]) + len(rest["params"]) == len(names)


def test_adamw_half_agrees_with_torch():
    ours, theirs = (torch.nn.Embedding.from_pretrained(torch.ones(4, 3), freeze=False) for _ in range(2))
    optimizers = (
        muon(ours, 0.01, weight_decay=0.1),
        torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.1),
    )
    for step in range(5):
        for table, optimizer in zip((ours, theirs), optimizers, strict=True):
            table.weight.grad = torch.arange(12.0).view(4, 3) - step
            optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)


def test_the_loss_falls(blank, tmp_path):
    _, losses = trained(sft_run(max_steps=16), blank, tmp_path)
    assert losses[-1] < 0.7 * losses[0]


def test_a_resumed_run_ends_where_an_unbroken_one_does(blank, tmp_path):
    run = sft_run(max_steps=6)
    unbroken, _ = trained(run, blank, tmp_path / "unbroken")
    resumed, _ = trained(run, blank, tmp_path / "resumed", str(tmp_path / "unbroken" / "checkpoints" / "checkpoint-3"))
    for one, other in zip(unbroken.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def _told(answer):
    return r1sdk.Completion([{"role": "assistant", "content": f"<think>\nhm\n</think>\n<answer>{answer}</answer>"}])
