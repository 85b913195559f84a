"""Methods distill and dpo: the rules before a model is loaded, what is learnt, what is kept, and runs that go on."""

import json
import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

import r1sdk
from r1_models import tiny_blank
from r1sdk import R1Error
from r1sdk.planning.resolve import plan_run, resolve
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe, load_recipe
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.dpo.preference_rows import preference_rows
from r1sdk.training.dpo.preference_trainer import preference_trainer
from r1sdk.training.models import load_model, load_tokenizer
from r1sdk.training.trl.distillation import distillation_trainer

ENV = {"name": "countdown", "options": {"level": "easy", "train_size": 64}}
SMALL = {"per_device_train_batch_size": 4, "learning_rate": 1e-3, "lr_scheduler_type": "constant", "save_steps": 2}


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank")
    tiny_blank(folder, 0)
    return folder


@pytest.fixture(scope="module")
def pairs_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rows = [
        {"prompt": f"{n} + 3?", "chosen": f"<answer>{n + 3}</answer>", "rejected": f"<answer>{n}3</answer>"}
        for n in range(1, 33)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def distill_run(blank, **keys):
    layers = {
        "method": "distill",
        "model": str(blank),
        "env": ENV,
        "rewards": "accuracy,format",
        "distill": "tiny",
        "generation": {"max_tokens": 24},
        "trainer": SMALL,
    }
    return plan_run(load_recipe(None, layers, keys), load_plugins())


def dpo_run(pairs_file, **keys):
    layers = {"method": "dpo", "model": "tiny", "data": str(pairs_file), "trainer": SMALL}
    return plan_run(load_recipe(None, layers, keys), load_plugins())


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


# Distillation


def test_a_student_comes_closer_to_its_teacher_and_its_answers_are_judged_and_kept(blank, tmp_path):
    run = distill_run(blank, trainer={**SMALL, "max_steps": 8})
    folder = RunFolder(tmp_path)
    folder.path.mkdir(exist_ok=True)
    model = load_model(str(blank))
    trainer = distillation_trainer(run, model, load_tokenizer(str(blank)), folder, [])
    before = weights(trainer.teacher_model)
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert losses[-1] < 0.95 * losses[0]
    assert all(torch.equal(one, other) for one, other in zip(before, weights(trainer.teacher_model), strict=True))
    rows = [json.loads(line) for line in (tmp_path / "rollouts.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [step for step in range(1, 9) for _ in range(4)]
    assert all(row["verdict"]["status"] == "ok" for row in rows)
    assert {"accuracy", "format"} <= set(rows[0]["rewards"])
    assert any(key.startswith("verdict/") for key in trainer.state.log_history[0])


@pytest.mark.parametrize(("divergence", "beta"), [("reverse", 1.0), ("forward", 0.0), ("jsd", 0.5), (0.25, 0.25)])
def test_the_loss_is_the_divergence_that_was_asked_for(divergence, beta, blank, tmp_path):
    """Against the definition (arXiv 2306.13649, Eq. 1 and 2), summed over the vocabulary of each completion token."""
    run = distill_run(blank, distill={"teacher": "tiny", "divergence": divergence})
    model = load_model(str(blank))
    trainer = distillation_trainer(run, model, load_tokenizer(str(blank)), RunFolder(tmp_path), [])
    assert trainer.args.beta == beta
    torch.manual_seed(0)
    prompt, completion = torch.randint(5, 200, (2, 6)), torch.randint(5, 200, (2, 5))
    mask = torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    inputs = {
        "prompt_ids": prompt,
        "prompt_mask": torch.ones_like(prompt),
        "completion_ids": completion,
        "completion_mask": mask,
    }
    model.eval()
    loss, _, counted = trainer._compute_loss(model, inputs, None)
    whole = torch.cat([prompt, completion], dim=1)
    with torch.no_grad():
        p, q = (
            one(whole, attention_mask=torch.cat([torch.ones_like(prompt), mask], 1)).logits[:, 5:-1].log_softmax(-1)
            for one in (trainer.teacher_model, model)
        )
    if beta in (0.0, 1.0):
        target, other = (p, q) if beta == 0.0 else (q, p)
        each = (target.exp() * (target - other)).sum(-1)
    else:
        mixed = torch.logsumexp(torch.stack([p + math.log(beta), q + math.log(1 - beta)]), 0)
        each = beta * (p.exp() * (p - mixed)).sum(-1) + (1 - beta) * (q.exp() * (q - mixed)).sum(-1)
    assert counted == 8
    assert loss.item() == pytest.approx((each * mask).sum().item() / 8, rel=1e-4)


def test_a_resumed_distillation_ends_where_an_unbroken_one_does(blank, tmp_path):
    run = distill_run(blank, trainer={**SMALL, "max_steps": 4})

    def trained(path, resume=None):
        model = load_model(str(blank))
        trainer = distillation_trainer(run, model, load_tokenizer(str(blank)), RunFolder(path), [])
        trainer.train(resume_from_checkpoint=resume)
        return weights(model)

    for path in (tmp_path / "one", tmp_path / "two"):
        path.mkdir()
    unbroken = trained(tmp_path / "one")
    resumed = trained(tmp_path / "two", str(tmp_path / "one" / "checkpoints" / "checkpoint-2"))
    assert all(torch.equal(one, other) for one, other in zip(unbroken, resumed, strict=True))


MIXED = {
    "name": "mixture",
    "options": {
        "parts": [
            {"name": "countdown", "options": {"level": "easy", "train_size": 64}},
            {"name": "maths", "options": {"level": 1, "kinds": ["arithmetic"], "train_size": 64}},
        ]
    },
}


def test_each_part_of_a_mixture_has_its_own_teacher(blank, tmp_path):
    """The loss is that of each teacher on the rows of its part, over the tokens of all rows."""
    other = tmp_path / "other"
    tiny_blank(other, 1)
    run = distill_run(blank, env=MIXED, distill={"teacher": {"maths": str(other), "countdown": "tiny"}})
    assert run.memory.training["teachers"] == pytest.approx(2 * run.memory.training["weights"], rel=0.01)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    model = load_model(str(blank))
    trainer = distillation_trainer(run, model, load_tokenizer(str(blank)), folder, [])
    rows = [dict(trainer.train_dataset[at]) for at in range(4)]
    parts = [json.loads(row["task"])["info"]["env"] for row in rows]
    assert parts == ["countdown", "maths"] * 2
    output = trainer._generate_and_score_completions(rows)
    assert list(trainer.teachers) == ["maths", "countdown"] and output["teacher"].tolist() == [1, 0, 1, 0]
    model.eval()
    whole, _, counted = trainer._compute_loss(model, output, None)
    of_parts = []
    for name, of in (("countdown", [0, 2]), ("maths", [1, 3])):
        trainer.teacher_model = trainer.teachers[name]
        rows_of = {key: value[of] for key, value in output.items() if torch.is_tensor(value) and value.ndim}
        del rows_of["teacher"]
        loss, _, tokens = trainer._compute_loss(model, rows_of, None)
        assert trainer._metrics["train"][f"divergence/{name}"] == [pytest.approx(loss.item(), rel=1e-5)]
        of_parts.append(loss.item() * tokens.item())
    assert whole.item() == pytest.approx(sum(of_parts) / counted.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ({"countdown": "tiny"}, "has no teacher for maths"),
        (
            {"countdown": "tiny", "maths": "tiny", "math": "tiny"},
            "'distill.teacher.math': no part.*did you mean 'maths'",
        ),
        ({"countdown": "tiny", "maths": "http://x"}, "'distill.teacher.maths' is the server"),
        ({}, "there is no teacher"),
    ],
)
def test_teachers_that_fit_no_part_are_refused(teacher, said, blank):
    with pytest.raises(R1Error, match=said):
        distill_run(blank, env=MIXED, distill={"teacher": teacher})


def test_teachers_of_parts_need_parts(blank):
    with pytest.raises(R1Error, match="the environment has no parts"):
        distill_run(blank, distill={"teacher": {"countdown": "tiny"}})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"distill": None}, "needs a teacher"),
        ({"distill": "http://localhost:8000"}, "give the model itself"),
        ({"distill": "tinny"}, "did you mean 'tiny'"),
        ({"generation": {"temperature": 0.0}}, "the loss divides by it"),
        ({"env": {"name": "guess"}}, "in one turn"),
        ({"rewards": "accuracy,length"}, "compares completions of one prompt"),
        ({"trainer": {"beta": 0.5}}, r"use distill\.divergence"),
        ({"optimizer": "muon"}, "method sft only"),
        ({"dynamic_sampling": True}, "is for method grpo"),
        ({"distill": {"teacher": "tiny", "divergence": 1.5}}, "from 0"),
        ({"distill": {"teacher": "tiny", "divergence": "revers"}}, "reverse"),
    ],
)
def test_what_cannot_be_distilled_is_refused_before_a_model_is_loaded(keys, said, blank):
    with pytest.raises(R1Error, match=said):
        distill_run(blank, **keys)


def test_a_teacher_with_other_words_is_refused(blank, tmp_path):
    other = tmp_path / "other"
    tiny_blank(other, 0)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    first, second = list(tokenizer["model"]["vocab"])[40:42]
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(R1Error, match="same tokenizer"):
        distill_run(blank, distill=str(other))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "vocab_size": config["vocab_size"] + 1}))
    (other / "model.safetensors").rename(other / "pytorch_model.bin")  # so that no header contradicts the config
    with pytest.raises(R1Error, match="both need one vocabulary"):
        distill_run(blank, distill=str(other))


def test_the_teacher_counts_in_the_memory(blank):
    run = distill_run(blank)
    assert run.memory.training["teacher"] == pytest.approx(run.memory.training["weights"], rel=0.01)


# Preferences


def test_dpo_prefers_what_was_chosen(pairs_file, tmp_path):
    run = dpo_run(pairs_file, trainer={**SMALL, "max_steps": 8})
    where = str(run.model.folder)
    model = load_model(where)
    trainer = preference_trainer(run, where, model, load_tokenizer(where), RunFolder(tmp_path), [])
    reference = weights(trainer.ref_model)
    trainer.train()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    assert lines[0]["loss"] == pytest.approx(math.log(2), abs=1e-3)  # Eq. 7 where both models are one
    assert lines[-1]["loss"] < 0.6 and lines[-1]["rewards/margins"] > 0.1
    assert all(torch.equal(one, other) for one, other in zip(reference, weights(trainer.ref_model), strict=True))


def test_a_resumed_dpo_run_ends_where_an_unbroken_one_does_and_its_reference_is_the_first_model(pairs_file, tmp_path):
    run = dpo_run(pairs_file, trainer={**SMALL, "max_steps": 4})
    where = str(run.model.folder)

    def trained(path, resume=None):
        model = load_model(where)
        trainer = preference_trainer(run, where, model, load_tokenizer(where), RunFolder(path), [])
        trainer.train(resume_from_checkpoint=resume)
        return weights(model), [line["num_tokens"] for line in trainer.state.log_history if "num_tokens" in line]

    unbroken, counts = trained(tmp_path / "one")
    resumed, counts_resumed = trained(tmp_path / "two", str(tmp_path / "one" / "checkpoints" / "checkpoint-2"))
    assert all(torch.equal(one, other) for one, other in zip(unbroken, resumed, strict=True))
    assert counts == counts_resumed and len(counts) == 4 and 0 < counts[0] < counts[3]


def test_a_pair_is_written_as_the_chat_template_writes_it_and_long_ones_are_left_out():
    where = str(resolve(Recipe(model="tiny", env={"name": "countdown"}), load_plugins()).model.folder)
    tokenizer = load_tokenizer(where)
    task = r1sdk.Task([{"role": "user", "content": "2 and 3 to make 5"}])
    replies = [
        r1sdk.Completion([{"role": "assistant", "content": text}]) for text in ("2+3", "2*3", "+".join("9" * 90))
    ]
    from r1sdk.data.preference_formats import Preference

    row, long = preference_rows(
        [Preference(task, replies[0], replies[1]), Preference(task, replies[0], replies[2])], tokenizer, 60
    )
    assert long is None
    asked = tokenizer.apply_chat_template(task.prompt, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(row["prompt_ids"]) == asked
    assert tokenizer.decode(row["chosen_ids"]) == "2+3" + tokenizer.eos_token
    assert tokenizer.decode(row["rejected_ids"]) == "2*3" + tokenizer.eos_token


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"data": "countdown"}, "r1 generate --pairs"),
        ({"trainer": {"loss_type": "sigmod"}}, "did you mean 'sigmoid'"),
        ({"trainer": {"loss_type": ["sigmoid", "sff"]}}, "'sff'"),
        ({"trainer": {"sync_ref_model": True}}, "resumed"),
        ({"distill": "tiny"}, "is for method distill"),
    ],
)
def test_what_dpo_cannot_follow_is_refused_before_a_model_is_loaded(keys, said, pairs_file):
    with pytest.raises(R1Error, match=said):
        dpo_run(pairs_file, **keys)


def test_held_out_rows_and_turns_are_of_sft(pairs_file):
    with pytest.raises(R1Error, match=r"held_out.*\n.*data\.turns"):
        dpo_run(pairs_file, data={"name": str(pairs_file), "held_out": 2, "turns": "all"})


# From the command to the model


def test_pairs_are_generated_and_learnt_from(tmp_path):
    made = r1sdk.generate(
        "tiny",
        env="countdown",
        tasks=4,
        samples=6,
        max_tokens=80,
        pairs=True,
        out=tmp_path / "pairs.jsonl",
        progress=False,
    )
    rows = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert rows and made.kept == 2 * len(rows)
    assert "r1 train --method dpo" in made.card.read_text()
    environment = plan_run(Recipe(model="tiny", env={"name": "countdown"}), load_plugins()).environment
    tasks = {task.id: task for task, _ in zip(environment.tasks("train"), range(4), strict=False)}
    for row in rows:
        verdicts = [
            environment.verify(r1sdk.Rollout(tasks[row["id"]], r1sdk.Completion(row[side])))
            for side in ("chosen", "rejected")
        ]
        assert verdicts[0].value == 1.0 and verdicts[1].value != 1.0
    run = r1sdk.train(
        method="dpo",
        model="tiny",
        data=str(made.path),
        env="countdown",
        steps=1,
        settings={"evaluation.tasks": 2, "generation.max_tokens": 40, "trainer.per_device_train_batch_size": 2},
        out=tmp_path / "run",
        progress=False,
    )
    assert run.state == "finished" and run.before is not None and run.after is not None
    assert "dpo" in (run.model_path / "README.md").read_text()
    student = r1sdk.train(
        method="distill",
        model="tiny",
        teacher=str(run.folder),
        env="countdown",
        steps=1,
        settings={"evaluation.tasks": 2, "generation.max_tokens": 40, "trainer.per_device_train_batch_size": 2},
        out=tmp_path / "student",
        progress=False,
    )
    assert student.state == "finished" and len((student.folder / "rollouts.jsonl").read_text().splitlines()) == 2
