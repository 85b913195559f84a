"""SFT from files: shapes found by themselves, held-out loss, packing, and replies that end."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from r1_models import tiny_blank
from r1sdk import R1Error
from r1sdk.data.demonstrations import FromFile
from r1sdk.data.row_formats import demonstration
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe, load_recipe
from r1sdk.rollout.hf_model import HFModel
from r1sdk.rollout.sampling import Sampling
from r1sdk.rollout.template_text import PLAIN_TEMPLATE
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.chat_tokenizer import settle_ending
from r1sdk.training.models import load_model, load_tokenizer
from r1sdk.training.sft.held_out_loss import held_out_losses
from r1sdk.training.sft.sft_rows import IGNORED, demonstration_rows
from r1sdk.training.sft.sft_trainer import sft_trainer

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+3?"}]
TOLD = {"role": "assistant", "content": "<think>\nadd\n</think>\n<answer>5</answer>"}
SHAPES = {
    "messages": {"messages": [*ASKED, TOLD], "source": "x"},
    "prompt and completion as messages": {"prompt": ASKED, "completion": [TOLD]},
    "ShareGPT": {
        "system": "Be brief.",
        "conversations": [{"from": "human", "value": "2+3?"}, {"from": "gpt", "value": TOLD["content"]}],
    },
    "a saved rollout": {"task": {"prompt": ASKED, "answer": "5"}, "completion": {"messages": [TOLD], "tokens": 9}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_found_by_itself(shape):
    task, completion = demonstration(SHAPES[shape])
    assert task.prompt == ASKED and completion.messages == [TOLD]


def test_texts_are_what_a_user_asks_and_the_assistant_replies_and_the_last_turn_is_learnt():
    task, completion = demonstration({"prompt": "2+3?", "completion": "5", "answer": 5})
    assert task.prompt == [{"role": "user", "content": "2+3?"}] and completion.text == "5" and task.answer == "5"
    talk = [*ASKED, TOLD, {"role": "user", "content": "and 7?"}, {"role": "assistant", "content": "12"}]
    task, completion = demonstration({"messages": talk})
    assert task.prompt == talk[:-1] and completion.text == "12"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "?", "respnse": "!"}, "no prompt and reply found in the columns question, respnse"),
        ({"mesages": []}, "did you mean 'messages'"),
        ({"messages": ASKED}, "got system, user"),
        ({"messages": []}, "got nothing"),
        ({"prompt": "?", "completion": " "}, "the reply is empty"),
        ({"prompt": 5, "completion": "!"}, "a text or a list"),
        ({"conversations": [{"from": "tool", "value": "!"}]}, "got tool"),
        ({"conversations": [{"from": "alien", "value": "!"}]}, "human or gpt"),
    ],
)
def test_a_row_without_a_known_shape_says_what_it_has(row, said):
    with pytest.raises(R1Error, match=said):
        demonstration(row)


def test_rows_are_read_from_each_kind_of_file_and_held_out_rows_are_not_trained_on(tmp_path):
    rows = [{"prompt": f"{n}?", "completion": str(n)} for n in range(20)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for suffix in ("jsonl", "json", "parquet"):
        data = FromFile(tmp_path / f"a.{suffix}", held_out_rows=5)
        data.check()
        learnt, held_out = ([completion.text for _, completion in some] for some in (data.train(), data.held_out()))
        assert len(held_out) == 5 and sorted(learnt + held_out, key=int) == [str(n) for n in range(20)]
        assert list(data.held_out()) == list(data.held_out())
    with pytest.raises(R1Error, match="keeps 20 from training"):
        FromFile(tmp_path / "a.jsonl", held_out_rows=20).check()


def refused(**keys):
    with pytest.raises(R1Error) as error:
        plan_run(load_recipe(None, {"method": "sft", "model": "tiny_blank", **keys}), load_plugins())
    return str(error.value)


def test_what_is_wrong_with_the_data_is_said_before_a_model_is_loaded(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "?"}\n')
    assert "rows.jsonl, line 1: no prompt and reply found" in refused(data=str(file))
    assert "has no rows" in refused(data=str(_written(tmp_path / "empty.jsonl", [])))
    assert "did you mean 'countdown'" in refused(data="countdwn")
    assert "can be read" in refused(data=str(_written(tmp_path / "rows.txt", [])))
    assert "is for method sft" in refused(method="grpo", env="countdown", data="countdown")
    assert "no data given: method sft learns from --data FILE" in refused(data=None)


def _written(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank")
    tiny_blank(folder, 0)
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Short replies of several lengths."""
    replies = [f"<think>\n{'1+1=2 ' * (n % 4)}\n</think>\n<answer>{n % 3}</answer>" for n in range(64)]
    return _written(
        tmp_path_factory.mktemp("rows") / "rows.jsonl",
        [{"prompt": f"{n % 10}?", "completion": reply} for n, reply in enumerate(replies)],
    )


def composed(rows, **trainer):
    settings = {
        "per_device_train_batch_size": 16,
        "learning_rate": 3e-3,
        "lr_scheduler_type": "constant",
        "warmup_steps": 2,
        "save_steps": 1000,
        "max_length": 128,
        "max_steps": 30,
    }
    recipe = {"method": "sft", "model": "tiny_blank", "data": {"name": str(rows), "held_out": 8}, "optimizer": "muon"}
    return plan_run(load_recipe(None, {**recipe, "trainer": settings | trainer}), load_plugins())


def base_model(blank, kind):
    """The blank model as a base model is published: no template, or one whose turns end with another token than the text."""
    tokenizer, model = load_tokenizer(str(blank)), load_model(str(blank))
    tokenizer.eos_token = "<|endoftext|>"
    model.generation_config.eos_token_id = model.config.eos_token_id = tokenizer.eos_token_id
    if kind == "no template":
        tokenizer.chat_template = PLAIN_TEMPLATE  # as `load_tokenizer` gives it
    return tokenizer, model


@pytest.mark.parametrize(
    ("kind", "end"), [("no template", "<|endoftext|>"), ("a template that ends otherwise", "<|im_end|>")]
)
def test_a_base_model_stops_after_sft(blank, rows, tmp_path, kind, end):
    tokenizer, model = base_model(blank, kind)
    trainer = sft_trainer(composed(rows), model, tokenizer, RunFolder(tmp_path), [])
    assert tokenizer.eos_token == end
    trainer.train()
    trainer.save_model(str(tmp_path / "model"))
    tokenizer.save_pretrained(str(tmp_path / "model"))
    model, tokenizer = load_model(str(tmp_path / "model")), load_tokenizer(str(tmp_path / "model"))
    prompts = [[{"role": "user", "content": f"{n}?"}] for n in range(10)]
    sampling = Sampling(samples=4, max_tokens=100)
    ends = [c.finish for group in HFModel(model, tokenizer).generate(prompts, sampling) for c in group]
    assert ends.count("stop") >= 36, ends
    assert tokenizer.convert_tokens_to_ids(end) in _listed(model.generation_config.eos_token_id)


def _listed(value):
    return value if isinstance(value, list) else [value]


def test_the_end_of_a_reply_is_found_and_a_model_that_has_it_right_is_left_alone(blank):
    tokenizer = load_tokenizer(str(blank))
    assert settle_ending(tokenizer) == tokenizer.eos_token == "<|im_end|>"
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    assert settle_ending(tokenizer) == "<|im_end|>"


def test_a_think_tag_that_the_template_has_opened_is_not_learnt_again(blank):
    tokenizer = load_tokenizer(str(blank))
    tokenizer.chat_template += "{% if add_generation_prompt %}<think>\n{% endif %}"
    task, completion = demonstration(SHAPES["messages"])
    (row,) = demonstration_rows([(task, completion)], tokenizer, None)
    assert tokenizer.decode([t for t in row["labels"] if t != IGNORED]).startswith("add\n</think>")


def test_held_out_losses_are_what_the_model_itself_computes_of_each_reply(blank, rows):
    tokenizer, model = load_tokenizer(str(blank)), load_model(str(blank))
    held_out = list(FromFile(rows, held_out_rows=8).held_out())
    found = held_out_losses(model, tokenizer, held_out, None)
    losses = []
    for row in demonstration_rows(held_out, tokenizer, None):
        batch = {key: torch.tensor([row[key]]) for key in ("input_ids", "labels")}
        with torch.no_grad():
            losses.append(model(**batch).loss.item())
    assert sorted(found) == pytest.approx(sorted(losses), rel=1e-4)


def test_packing_gives_the_gradient_of_rows_that_are_not_packed(blank, rows, tmp_path):
    losses = {}
    for packing in (False, True):
        tokenizer, model = load_tokenizer(str(blank)), load_model(str(blank))
        # One batch that holds every row, packed or not.
        run = composed(rows, packing=packing, max_steps=1, per_device_train_batch_size=64, max_length=256)
        trainer = sft_trainer(run, model, tokenizer, RunFolder(tmp_path / str(packing)), [])
        trainer.train()
        losses[packing] = trainer.state.log_history[0]["loss"]
        widths = {len(ids) for ids in trainer.train_dataset["input_ids"]}
        assert (max(widths) > 128) is packing
    assert losses[True] == pytest.approx(losses[False], rel=2e-3)


def test_the_command_trains_on_a_file_and_says_the_held_out_losses(run_r1, rows, tmp_path):
    sets = [
        "data.held_out=8",
        "trainer.per_device_train_batch_size=8",
        "trainer.learning_rate=1e-3",
        "trainer.max_length=30",
    ]
    said = run_r1(
        "train", "--method", "sft", "--model", "tiny_blank", "--data", rows, "--steps", 3, "--out", tmp_path / "run",
        *[argument for one in sets for argument in ("--set", one)],
    )  # fmt: skip
    assert said.code == 0, said.err
    folder = RunFolder.open(tmp_path / "run")
    before, after = folder.evaluation("before"), folder.evaluation("after")
    assert after["loss"]["mean"] < before["loss"]["mean"] and after["accuracy"]["n"] == 0
    assert "loss " in said.out and "accuracy" not in said.out
    assert "held-out loss before training: " in said.err
    assert [line for line in folder.metrics("warning") if line["name"] == "left_out"]
    assert Recipe.model_validate(folder.recipe().model_dump()).data.held_out == 8
