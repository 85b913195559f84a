"""Values that the trainer would refuse after the model is loaded are errors of the recipe, and none that it takes is."""

import pytest

from r1sdk import R1Error
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.layers import overlay, read_yaml
from r1sdk.recipe.schema import load_recipe
from r1sdk.recipe.trl_values import allowed_values, missing_packages, value_errors

REFUSED = {
    ("grpo", "lr_scheduler_type=cosin"): "did you mean 'cosine'",
    ("grpo", "optim=adamww"): "one of adamw_torch",
    ("grpo", "optim=adamw"): "write adamw_torch",
    ("grpo", "loss_type=drgrpo"): "write dr_grpo",
    ("grpo", "loss_type=gspo"): "importance_sampling_level: sequence",
    ("sft", "loss_type=dapo"): "one of ",
    ("grpo", "save_strategy=epochs"): "did you mean 'epoch'",
    ("grpo", "scale_rewards=groups"): "did you mean 'group'",
    ("grpo", "importance_sampling_level=seq"): "one of sequence, ",
    ("grpo", "per_device_train_batch_size=4.0"): "a whole number, got 4.0; write 4",
    ("grpo", "per_device_train_batch_size=0"): "from 1",
    ("grpo", "max_steps=1.5"): "a whole number",
    ("grpo", "max_steps=0"): "from 1, or -1",
    ("grpo", "max_steps=-2"): "from 1, or -1",
    ("grpo", "learning_rate=-1e-6"): "a number from 0",
    ("sft", "weight_decay=-0.1"): "a number from 0",
    ("sft", "warmup_steps=-1"): "a number from 0",
    ("grpo", "adam_beta1=1"): "up to, but not, 1",
    ("grpo", "adam_beta2=-0.1"): "up to, but not, 1",
    ("grpo", "num_train_epochs=0"): "above 0",
    ("grpo", "logging_steps=0"): "from 1, or a share",
    ("grpo", "save_steps=1.5"): "from 1, or a share",
    ("grpo", "min_p=1.5"): "from 0 to 1",
    ("sft", "max_length=0"): "from 1",
    ("grpo", "learning_rate=true"): "a number, got true",
    ("grpo", "learning_rate="): "is empty",
    ("grpo", "learning_rate=.nan"): "a finite number",
    ("grpo", "learning_rate='1e-6x'"): "a number",
    ("grpo", "gradient_checkpointing=1"): "true or false, got 1",
    ("grpo", "beta=[1]"): "a number",
    ("grpo", "lr_scheduler_type=warmup_stable_decay"): "must give num_decay_steps",
    ("grpo", "lr_scheduler_type=cosine_with_min_lr"): "min_lr or min_lr_rate",
    ("grpo", "lr_scheduler_type=reduce_lr_on_plateau"): "follows an evaluation",
    ("grpo", "save_strategy=best"): "follows an evaluation",
    ("grpo", "bf16=true fp16=true"): "choose one",
    ("grpo", "lr_scheduler_type=cosine lr_scheduler_kwargs={num_decay_steps: 4}"): "has no num_decay_steps",
}


def arguments(text):
    """`a=1 b={c: d}` as a mapping."""
    found = {}
    for part in text.replace(": ", ":\0").split():
        key, _, value = part.replace("\0", " ").partition("=")
        found[key] = read_yaml(value)
    return found


@pytest.mark.parametrize(("method", "text"), REFUSED)
def test_a_value_that_the_trainer_refuses_is_an_error_with_what_it_takes(method, text):
    (error,) = value_errors(method, arguments(text))
    assert REFUSED[method, text] in str(error)


TAKEN = [
    "learning_rate=0 weight_decay=0 warmup_steps=0 max_steps=-1 adam_beta1=0 max_grad_norm=0",
    "warmup_steps=0.1 logging_steps=0.5 save_steps=20 num_train_epochs=0.5 adam_beta2=0.999",
    "lr_scheduler_type=cosine",
    "lr_scheduler_type=constant",
    "lr_scheduler_type=cosine_with_min_lr lr_scheduler_kwargs={min_lr: 1e-7}",
    "lr_scheduler_type=warmup_stable_decay lr_scheduler_kwargs={num_decay_steps: 4}",
    "optim=adamw_torch_fused",
    "optim=adafactor",
    "loss_type=dr_grpo",
    "loss_type=grpo importance_sampling_level=sequence",
    "scale_rewards=false",
    "scale_rewards=batch",
    "learning_rate=1",
    "warmup_steps=0.1",
    "logging_steps=5",
    "delta=",
    "save_strategy=steps",
    "gradient_checkpointing_kwargs={use_reentrant: false}",
    "mask_truncated_completions=true",
]


@pytest.mark.parametrize("text", TAKEN)
def test_a_value_that_the_trainer_takes_is_none(text):
    assert value_errors("grpo", arguments(text)) == []


def test_packages_that_an_option_needs_are_named(monkeypatch):
    monkeypatch.setattr(
        "r1sdk.recipe.trl_values.find_spec", lambda name: None if name in ("bitsandbytes", "liger_kernel") else True
    )
    assert [*missing_packages({"optim": "adamw_8bit"})] == [("trainer.optim adamw_8bit", "bitsandbytes")]
    assert [package for _, package in missing_packages({"optim": "paged_adamw_32bit"})] == ["bitsandbytes"]
    assert [package for _, package in missing_packages({"use_liger_kernel": True})] == ["liger-kernel"]
    for optim in ("adamw_torch", "adamw_torch_8bit", "sgd"):
        assert [*missing_packages({"optim": optim})] == []


@pytest.mark.heavy
def test_what_may_be_said_is_what_the_installed_libraries_know():
    training_args = pytest.importorskip("transformers.training_args")
    utils = pytest.importorskip("transformers.trainer_utils")
    kinds = {
        "optim": training_args.OptimizerNames,
        "lr_scheduler_type": utils.SchedulerType,
        "save_strategy": utils.SaveStrategy,
        "hub_strategy": utils.HubStrategy,
    }
    for key, kind in kinds.items():
        assert allowed_values("grpo", key) == [one.value for one in kind]
    assert {"grpo", "dapo", "dr_grpo", "bnpo"} <= {*allowed_values("grpo", "loss_type")}
    assert {"nll", "dft"} <= {*allowed_values("sft", "loss_type")}


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["grpo", "sft"])
def test_no_default_of_the_trainer_is_refused(method):
    trl = pytest.importorskip("trl")
    import dataclasses

    config = {"grpo": trl.GRPOConfig, "sft": trl.SFTConfig}[method]
    defaults = {
        f.name: f.default for f in dataclasses.fields(config) if f.init and f.default is not dataclasses.MISSING
    }
    plain = {key: value.value if hasattr(value, "value") else value for key, value in defaults.items()}
    assert [str(error) for error in value_errors(method, plain)] == []


def problems(**keys):
    with pytest.raises(R1Error) as error:
        plan_run(load_recipe(None, {"model": "tiny", "env": "countdown", **keys}), load_plugins())
    return str(error.value)


@pytest.mark.parametrize(
    ("method", "key", "said"),
    [
        ("grpo", "trust_remote_code", "use trust_remote_code"),
        ("grpo", "chat_template_kwargs", "use template_args"),
        ("grpo", "push_to_hub", "use --push-to-hub OWNER/NAME"),
        ("grpo", "load_best_model_at_end", "saves the last model"),
        ("sft", "completion_only_loss", "the reply alone carries loss"),
        ("sft", "assistant_only_loss", "use data.turns"),
        ("sft", "dataset_text_field", "use data.completion_column"),
        ("sft", "chat_template_path", "use chat_template"),
        ("sft", "eos_token", "ends it"),
    ],
)
def test_an_argument_that_is_passed_by_is_refused_with_what_to_use_instead(method, key, said):
    assert said in problems(method=method, trainer={key: True})


@pytest.mark.parametrize(
    ("key", "said"), [("lr", "learning_rate"), ("warmup_ratio", "warmup_steps"), ("max_prompt_length", "never cut")]
)
def test_keys_of_other_recipes_say_what_became_of_them(key, said):
    assert said in problems(trainer={key: 1})


def test_no_is_a_strategy_and_not_false():
    assert load_recipe(None, {"model": "m", "env": "e"}, {"trainer": read_yaml("{save_strategy: no}")}).trainer == {
        "save_strategy": "no"
    }


def test_the_arguments_of_a_schedule_go_with_it_and_an_empty_mapping_clears():
    base = {"trainer": {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"num_decay_steps": 4}}}
    cosine = {"trainer": {"lr_scheduler_type": "cosine"}}
    assert overlay(base, cosine) == cosine
    same = {"trainer": {"lr_scheduler_type": "warmup_stable_decay"}}
    assert overlay(base, same) == base
    both = {"trainer": {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": 2}}}
    assert overlay(base, both) == both
    assert overlay(base, {"trainer": {"lr_scheduler_kwargs": {}}})["trainer"]["lr_scheduler_kwargs"] == {}
    on = {"dynamic_sampling": {"max_rounds": 5}}
    assert overlay(on, {"dynamic_sampling": {}}) == on  # turns it on, as it is


def test_a_key_that_stands_twice_in_a_recipe_is_an_error(tmp_path):
    file = tmp_path / "twice.yaml"
    file.write_text("model: tiny\nenv: countdown\ntrainer: {learning_rate: 1}\ntrainer: {max_steps: 2}\n")
    with pytest.raises(R1Error, match="the key 'trainer' stands twice"):
        load_recipe(file)
    file.write_text("model: tiny\nenv: countdown\ntrainer: &t {max_steps: 2}\ngeneration: {samples: 4}\n")
    assert load_recipe(file).trainer == {"max_steps": 2}


def test_home_and_variables_are_filled_in_in_paths(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("R1_OUT", "here")
    start = {"model": "tiny", "env": "countdown"}
    assert load_recipe(None, start, {"output_dir": "~/$R1_OUT/run"}).output_dir == tmp_path / "here" / "run"
    monkeypatch.delenv("R1_OUT")
    with pytest.raises(R1Error, match=r"\$R1_OUT is not set"):
        load_recipe(None, start, {"output_dir": "$R1_OUT/run"})
