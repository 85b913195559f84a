"""Models as they are published: how their turns end, who samples, and what GRPO, SFT, evaluation and generation make of them.

The whole matrix: `pytest -m models` (5 minutes on two cores); `python docs/_generate_models.py` writes its table.
"""

import json
import shutil
from itertools import islice
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from small_models import KINDS, build
from try_models import try_kind

import r1sdk
from r1sdk import R1Error
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Chat, load_recipe
from r1sdk.rollout.chat_template import render
from r1sdk.rollout.hf_model import HFModel, end_tokens
from r1sdk.rollout.loaded_weights import check_finite
from r1sdk.rollout.sampling import Sampling
from r1sdk.training.chat_tokenizer import settle_ending
from r1sdk.training.generation_source import load_local
from r1sdk.training.models import check_weights, load_model, load_tokenizer, locate, training_options

TABLE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
FAST = ("qwen25_base", "r1_distill", "gemma2", "gpt_oss", "llama3_base")
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return lambda name: str(build(name, root / name))


@pytest.mark.parametrize("name", FAST)
def test_a_model_trains_and_answers_as_it_is_published(name, made, tmp_path):
    found = try_kind(name, made(name), tmp_path)
    assert found.grpo == found.sft == found.eval == found.generate == "works", found
    assert found.line in TABLE, "python docs/_generate_models.py"


@pytest.mark.models
@pytest.mark.parametrize("name", [name for name in KINDS if name not in FAST])
def test_the_other_models_train_and_answer_as_they_are_published(name, made, tmp_path):
    found = try_kind(name, made(name), tmp_path)
    assert found.grpo == found.sft == found.eval == found.generate == "works", found
    assert found.line in TABLE, "python docs/_generate_models.py"


ENDS = {
    "qwen25_base": "<|im_end|>",
    "gemma2": "<end_of_turn>",
    "phi3": "<|end|>",
    "llama3": "<|eot_id|>",
    "gpt_oss": "<|return|>",
}


@pytest.mark.parametrize("name", ENDS)
def test_replies_end_where_the_template_ends_them_also_when_nothing_is_trained(name, made, capsys):
    source = plan(made(name)).model
    generator = load_local(source, 0, [], chat=Chat())
    end = generator.tokenizer.convert_tokens_to_ids(ENDS[name])
    assert end in generator.ends and end in end_tokens(generator.model, generator.tokenizer)
    assert (f"replies end with {ENDS[name]}" in capsys.readouterr().err) is (name in ("qwen25_base", "gemma2", "phi3"))


def plan(model, **keys):
    return plan_run(
        load_recipe(None, {"model": model, "env": {"name": "countdown", "options": {"level": "easy"}}, **keys}),
        load_plugins(),
    )


def test_the_end_is_settled_for_grpo_and_saved_with_the_model(made, tmp_path):
    tokenizer, model = load_tokenizer(made("qwen25_base")), load_model(made("qwen25_base"))
    settle_ending(tokenizer, model)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = json.loads((tmp_path / "generation_config.json").read_text())
    ids = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert again["eos_token_id"] == ids and load_tokenizer(str(tmp_path)).eos_token == "<|im_end|>"


def test_the_models_own_sampling_never_changes_ours_and_is_said(made, capsys, monkeypatch):
    from transformers.generation.utils import GenerationMixin

    used, prepare = [], GenerationMixin._prepare_generation_config

    def look(self, *args, **more):
        config, rest = prepare(self, *args, **more)
        used.append(
            {
                key: getattr(config, key)
                for key in ("repetition_penalty", "temperature", "top_p", "top_k", "no_repeat_ngram_size")
            }
        )
        return config, rest

    monkeypatch.setattr(GenerationMixin, "_prepare_generation_config", look)
    model, tokenizer = load_model(made("qwen25")), load_tokenizer(made("qwen25"))
    assert "suggests repetition_penalty 1.1" in (said := capsys.readouterr().err) or "repetition_penalty 1.1" in said
    model.generation_config.no_repeat_ngram_size = 2
    sampling = Sampling(samples=1, max_tokens=4)
    quick = HFModel(model, tokenizer).generate([ASKED], sampling)  # r1sdk's own loop, which knows no such settings
    assert not used
    monkeypatch.setattr("r1sdk.rollout.compacting.refusal", lambda model, config: "to test")
    assert HFModel(model, tokenizer).generate([ASKED], sampling) == quick
    assert used and all(one["repetition_penalty"] in (None, 1.0) and not one["no_repeat_ngram_size"] for one in used)
    assert all((one["temperature"], one["top_p"], one["top_k"]) == (1.0, 1.0, 0) for one in used)
    assert model.generation_config.repetition_penalty == 1.1  # of the saved model, it stays


def test_a_system_message_is_folded_into_the_first_turn_where_the_template_has_none(made, capsys):
    tokenizer = load_tokenizer(made("gemma2"))
    assert "<start_of_turn>user\nBe brief.\n\n2+2?<end_of_turn>" in render(tokenizer, ASKED)
    assert "no system role" in capsys.readouterr().err
    assert render(tokenizer, ASKED[1:]).count("user\n") == 1
    for name in ("gemma3", "mistral", "r1_distill", "qwen3"):
        load_tokenizer(made(name))
        assert "no system role" not in capsys.readouterr().err


@pytest.mark.parametrize(("name", "off"), [("qwen3", "<think>\n\n</think>\n\n"), ("smollm3", "<think>\n\n</think>\n")])
def test_one_key_switches_thinking_off_in_the_tokenizer_that_training_and_generation_share(name, off, made, tmp_path):
    on, without = load_tokenizer(made(name)), load_tokenizer(made(name), Chat(arguments={"enable_thinking": False}))
    assert not render(on, ASKED).endswith(off) and render(without, ASKED).endswith(off)
    # What TRL renders itself, and what the saved model renders elsewhere, is the same; whoever asks still has their way.
    ids = without.apply_chat_template(ASKED, add_generation_prompt=True)["input_ids"]
    assert without.decode(ids) == render(without, ASKED)
    without.save_pretrained(tmp_path)
    assert render(load_tokenizer(str(tmp_path)), ASKED) == render(without, ASKED)
    asked = without.apply_chat_template(ASKED, tokenize=False, add_generation_prompt=True, enable_thinking=True)
    assert asked == render(on, ASKED)
    assert plan(made(name), template_args={"enable_thinking": False}).recipe.chat.arguments == {
        "enable_thinking": False
    }


def test_a_base_model_is_refused_early_and_takes_a_template_from_the_recipe(made, tmp_path):
    with pytest.raises(R1Error, match="chat_template=r1_zero"):
        plan(made("gpt2"))
    for name in ("r1_zero", "plain"):
        plan(made("gpt2"), chat_template=name)
    tokenizer = load_tokenizer(made("gpt2"), Chat("r1_zero"))
    prompt = render(tokenizer, ASKED)
    assert prompt.endswith("Be brief.\nUser: 2+2?\nAssistant: <think>\n")
    assert r1sdk.opened_think(prompt) == "<think>\n"
    mine = tmp_path / "mine.jinja"
    mine.write_text("{% for m in messages %}[{{ m.content }}]{% endfor %}")
    assert render(load_tokenizer(made("gpt2"), Chat(str(mine))), ASKED) == "[Be brief.][2+2?]"
    with pytest.raises(R1Error, match="did you mean 'r1_zero'"):
        plan(made("gpt2"), chat_template="r1zero")


def test_a_template_that_fails_on_the_tasks_is_one_message_before_anything_is_loaded(made, tmp_path):
    broken = tmp_path / "broken.jinja"
    broken.write_text("{{ raise_exception('not today') }}")
    with pytest.raises(R1Error, match="cannot write system, user: TemplateError: not today"):
        plan(made("qwen3"), chat_template=str(broken))
    tokenizer = load_tokenizer(made("qwen3"))
    tokenizer.chat_template = broken.read_text()
    with pytest.raises(R1Error, match="not today"):
        render(tokenizer, ASKED)


def test_attention_is_left_to_a_model_that_refuses_the_usual_kernel(made):
    asked = plan(made("gpt_oss"), attention="sdpa")
    with pytest.raises(R1Error, match="attention=auto, or eager"):
        load_model(made("gpt_oss"), **training_options(asked))
    model = load_model(made("gpt_oss"), **training_options(plan(made("gpt_oss"))))
    assert model.config._attn_implementation == "eager"
    assert load_model(made("llama3"), **training_options(plan(made("llama3")))).config._attn_implementation == "sdpa"


@pytest.fixture
def custom(made, tmp_path):
    """A model of a class that comes with it."""
    folder = tmp_path / "custom"
    shutil.copytree(made("llama3"), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own_kind",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own_kind'\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    return str(folder)


def test_code_of_a_model_runs_only_where_the_recipe_says_so(custom):
    with pytest.raises(R1Error, match="trust_remote_code=true"):
        plan(custom)
    with pytest.raises(R1Error, match="trust_remote_code=true"):
        load_model(custom)
    trusted = plan(custom, trust_remote_code=True)
    model = load_model(custom, **training_options(trusted))
    assert type(model).__name__ == "OwnModel"
    from r1sdk.doctor.recipe_checks import check_packages

    assert [finding.status for finding in check_packages(trusted)] == ["warning"]


def test_an_adapter_folder_is_a_model(made, tmp_path):
    peft = pytest.importorskip("peft")
    base = load_model(made("llama3"))
    adapted = peft.get_peft_model(
        base, peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    )
    adapted.save_pretrained(tmp_path / "adapter")
    source = plan(str(tmp_path / "adapter")).model
    where = locate(source, tmp_path / "merged", 0)
    assert where == locate(source, tmp_path / "merged", 0)  # once
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        assert torch.allclose(load_model(where)(ids).logits, adapted(ids).logits, atol=1e-4)
    assert load_tokenizer(where).eos_token == "<|eot_id|>"
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "/nowhere"}))
    with pytest.raises(R1Error, match="its base cannot be used"):
        plan(str(tmp_path / "adapter"))


def test_a_base_model_that_says_its_end_is_not_counted_as_truncated(tmp_path):
    """The embedded model, published as base models are: its turns end otherwise than its text."""
    from r1_models import TINY

    folder = tmp_path / "base"
    shutil.copytree(TINY, folder)
    for name, change in {
        "tokenizer_config.json": {"eos_token": "<|endoftext|>"},
        "generation_config.json": {"eos_token_id": 0},
        "config.json": {"eos_token_id": 0},
    }.items():
        (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **change}))
    run = plan(str(folder))
    generator = load_local(run.model, 0, [], chat=run.recipe.chat)
    prompts = [task.prompt for task in islice(run.environment.tasks("test"), 8)]
    replies = [reply for (reply,) in generator.generate(prompts, Sampling(samples=1, max_tokens=256))]
    assert [reply.finish for reply in replies].count("stop") >= 7
    assert sum(r1sdk.parse_reply(reply.text) is not None for reply in replies) >= 7


def test_a_server_is_asked_with_the_same_arguments_of_the_template():
    from r1sdk.generation.plan import server_of

    keys = {"method": "generate", "model": "served", "env": "countdown", "collect": {"server": "http://localhost:1/v1"}}
    recipe = load_recipe(None, keys, {"template_args": {"enable_thinking": False}})
    assert dict(server_of(recipe).body)["chat_template_kwargs"] == {"enable_thinking": False}
    assert "chat_template_kwargs" not in dict(server_of(load_recipe(None, keys)).body)
    with pytest.raises(R1Error, match="not for a server"):
        plan_run(load_recipe(None, keys, {"chat_template": "plain"}), load_plugins())


def test_a_trained_model_brings_the_template_of_its_training(made, tmp_path):
    """Its recipe may name a file that is gone, or arguments that you want to change."""
    from r1sdk.api.naming import run_recipe

    run = tmp_path / "run"
    run.mkdir()
    recipe = load_recipe(
        None,
        {
            "model": made("qwen3"),
            "env": "countdown",
            "chat_template": "gone.jinja",
            "template_args": {"enable_thinking": False},
        },
    )
    (run / "recipe.yaml").write_text(recipe.to_yaml())
    assert run_recipe(run)["chat_template"] is None and run_recipe(run)["template_args"] == {}
    off = load_tokenizer(made("qwen3"), Chat(arguments={"enable_thinking": False}))
    off.save_pretrained(run / "model")
    on = load_tokenizer(str(run / "model"), Chat(arguments={"enable_thinking": True}))
    assert render(on, ASKED) == render(load_tokenizer(made("qwen3")), ASKED)


@pytest.fixture
def tiny(tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(load_plugins().get("model", "tiny").target, folder)
    return folder


def change_weights(folder, change):
    """Save the folder's weights as `change` makes them."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder, **values):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def refused(folder):
    """The message with which both the loading and the look that loads nothing refuse a model."""
    with pytest.raises(R1Error) as loaded:
        load_model(str(folder))
    with pytest.raises(R1Error):
        check_weights(str(folder), folder)
    return str(loaded.value)


@pytest.mark.parametrize("name", ["layers.1.mlp.down_proj", "layers.3.self_attn", "model.norm", "embed_tokens"])
def test_weights_that_are_missing_are_named_and_never_made_up(name, tiny):
    change_weights(tiny, lambda tensors: [tensors.pop(key) for key in list(tensors) if name in key])
    assert "missing: " in (text := refused(tiny)) and name in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"num_hidden_layers": 6}, "missing: model.layers.4.input_layernorm.weight"),
        ({"num_hidden_layers": 2}, "unexpected: model.layers.2.input_layernorm.weight"),
        ({"tie_word_embeddings": False}, "missing: lm_head.weight"),
        ({"vocab_size": 1000}, "model.embed_tokens.weight is [640, 128], not [1000, 128]"),
        ({"hidden_size": 64}, "model.embed_tokens.weight is [640, 128], not [640, 64]"),
        ({"intermediate_size": 256}, "of another shape: model.layers.0.mlp.down_proj.weight is [128, 512]"),
        ({"attention_bias": True}, "missing: model.layers.0.self_attn.k_proj.bias"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "unexpected: model.embed_tokens.weight"),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, "missing: "),
    ],
)
def test_the_config_of_another_model_is_refused_with_the_tensors_that_tell(values, said, tiny, capfd):
    change_config(tiny, **values)
    assert said in refused(tiny)
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_a_tensor_inside_a_layer_is_unexpected_and_a_head_beside_the_model_is_not(tiny):
    change_weights(tiny, lambda tensors: tensors.update({"v_head.summary.weight": torch.zeros(1, 128)}))
    load_model(str(tiny))
    check_weights(str(tiny), tiny)
    change_weights(tiny, lambda tensors: tensors.update({"model.layers.0.self_attn.q_proj.bias": torch.zeros(128)}))
    assert "unexpected: model.layers.0.self_attn.q_proj.bias" in refused(tiny)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(value, tiny):
    change_weights(tiny, lambda tensors: tensors["model.layers.0.mlp.up_proj.weight"][3].fill_(value))
    assert "model.layers.0.mlp.up_proj.weight" in refused(tiny)


def test_weights_whose_sum_is_too_large_for_a_number_are_numbers():
    check_finite("mine", [("large", torch.full((4,), 3e38)), ("packed", torch.zeros(2, dtype=torch.uint8))])


def test_a_damaged_file_is_one_sentence_wherever_it_is_met(tiny):
    (tiny / "model.safetensors").write_bytes(b"\xff" * 99)
    assert "model.safetensors is damaged" in refused(tiny)
    (tiny / "tokenizer.json").write_text("{}")
    with pytest.raises(R1Error, match=r"tokenizer\.json holds no tokenizer"):
        load_tokenizer(str(tiny))


def test_an_adapter_that_lacks_weights_is_refused(made, tmp_path):
    peft = pytest.importorskip("peft")
    adapted = peft.get_peft_model(load_model(made("llama3")), peft.LoraConfig(r=4, target_modules="all-linear"))
    adapted.save_pretrained(tmp_path / "adapter")
    from safetensors.torch import load_file, save_file

    file = tmp_path / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    tensors.pop(min(tensors))
    save_file(tensors, file)
    with pytest.raises(R1Error, match="does not fit its base"):
        locate(plan(str(tmp_path / "adapter")).model, tmp_path / "merged", 0)


CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


@pytest.mark.parametrize("template", ["hello", "{% for m in messages %}{{ m.role }}\n{% endfor %}"])
def test_a_template_that_writes_no_question_is_refused_before_anything_is_loaded(template, tiny):
    (tiny / "chat_template.jinja").write_text(template)
    with pytest.raises(R1Error, match="does not write the text of the user"):
        plan(str(tiny))
    with pytest.raises(R1Error, match="does not write the text of the user"):
        load_tokenizer(str(tiny))


def test_a_template_without_a_generation_prompt_is_said(tiny, made, capsys):
    (tiny / "chat_template.jinja").write_text(CHATML)
    load_tokenizer(str(tiny))
    assert "no generation prompt: replies begin with '<|im_start|>assistant\\n'" in capsys.readouterr().err
    for name in ("mistral", "qwen3", "r1_distill"):  # they open the reply otherwise
        load_tokenizer(made(name))
    assert "no generation prompt" not in capsys.readouterr().err
