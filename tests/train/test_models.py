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
from r1sdk.rollout.sampling import Sampling
from r1sdk.training.chat_tokenizer import settle_ending
from r1sdk.training.generation_source import load_local
from r1sdk.training.models import load_model, load_tokenizer, locate, training_options

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
    with pytest.raises(R1Error, match="its base is missing"):
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
