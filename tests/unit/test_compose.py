"""From a recipe to a run: everything that can be known before a model is loaded is checked, and said at once."""

import re
from dataclasses import dataclass

import isolated_functions as f
import pytest

from r1sdk import R1Error, RecipeError, Task, UnknownName, hookimpl, isolated
from r1sdk.planning.model_source import resolve_model
from r1sdk.planning.named_recipe import find_recipe
from r1sdk.planning.resolve import plan_run
from r1sdk.planning.trainer_rules import OWNED, _instead
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import load_recipe
from r1sdk.scoring.isolation import isolation_of


@dataclass(frozen=True)
class Sums:
    """Adding two numbers."""

    largest: int = 9
    empty: bool = False

    def tasks(self, split):
        if split not in ("train", "test"):
            raise KeyError(split)
        return [] if self.empty else [Task([{"role": "user", "content": "1+1"}], "2")] * 64

    def verify(self, rollout):
        return rollout.completion.text == rollout.task.answer


class Unable:
    """An environment without verify."""

    def tasks(self, split):
        return []


@dataclass(frozen=True)
class Pays:
    """Always `amount`."""

    amount: float = 1.0

    def __call__(self, rollout):
        return self.amount


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "default.yaml").write_text("model: made\n")
    (tmp_path / "tuned.yaml").write_text("model: made\nseed: 7\n")
    (tmp_path / "small").mkdir()

    class Mine:
        @hookimpl
        def r1_register_environments(self, register):
            register("sums", Sums)
            register("unable", Unable)

        @hookimpl
        def r1_register_rewards(self, register):
            register("pays", Pays)

        @hookimpl
        def r1_register_models(self, register):
            register("made", lambda folder, seed: None)
            register("small", tmp_path / "small")

        @hookimpl
        def r1_register_recipes(self, register):
            register("default", tmp_path / "default.yaml")
            register("sums/made", tmp_path / "tuned.yaml")

    return load_plugins({"mine": Mine})


def recipe(**keys):
    return load_recipe(None, {"model": "made", "env": "sums", "rewards": "pays"}, keys)


def problems(registry, **keys):
    with pytest.raises(R1Error) as caught:
        plan_run(recipe(**keys), registry)
    return str(caught.value)


def test_a_run_holds_what_the_recipe_names(registry):
    run = plan_run(
        recipe(env={"options": {"largest": 20}}, rewards=[{"name": "pays", "weight": 0.5, "options": {"amount": 2}}]),
        registry,
    )
    assert run.environment == Sums(largest=20)
    assert dict(run.rewards) == {"pays": (Pays(2.0), 0.5)}
    assert run.model.make is not None


class Isolated:
    """A plugin whose rewards and environment are called in workers, where they can be."""

    @hookimpl
    def r1_register_rewards(self, register):
        for target in (f.hangs_on_b, f.open_reward, f.HoldsAFunction, f.WorkerPid):
            register(re.sub(r"(?<!^)(?=[A-Z])", "_", target.__name__).lower(), target)
        register("made_here", isolated()(lambda rollout: 1.0))

    @hookimpl
    def r1_register_environments(self, register):
        register("isolated_judge", f.IsolatedJudge)
        register("open_judge", f.OpenJudge)
        register("sums", Sums)

    @hookimpl
    def r1_register_models(self, register):
        register("made", lambda folder, seed: None)


def test_a_time_limit_in_the_recipe_goes_before_the_mark_of_a_plugin():
    run = plan_run(
        recipe(
            env={"name": "open_judge", "timeout_s": 3},
            rewards=["hangs_on_b", {"name": "worker_pid", "timeout_s": 0.5}, {"name": "open_reward", "timeout_s": 2.5}],
        ),
        load_plugins({"mine": Isolated}),
    )
    limits = {name: isolation_of(reward).timeout_s for name, (reward, _) in run.rewards.items()}
    assert limits == {"hangs_on_b": 1.0, "worker_pid": 0.5, "open_reward": 2.5}
    assert isolation_of(run.environment).timeout_s == 3.0 and run.environment.tasks("train")[0].id == "train/0"


def test_without_a_mark_or_a_time_limit_nothing_is_isolated():
    run = plan_run(recipe(env="open_judge", rewards="open_reward"), load_plugins({"mine": Isolated}))
    assert isolation_of(run.environment) is None and isolation_of(run.rewards["open_reward"][0]) is None


def test_what_cannot_be_sent_to_a_worker_is_found_before_a_model_is_loaded():
    message = problems(
        load_plugins({"mine": Isolated}),
        env={"name": "sums", "timeout_s": 1},
        rewards=["holds_a_function", "made_here", "open_reward"],
    )
    assert message.startswith("2 problems:")
    for name in ("holds_a_function", "made_here"):
        assert f"reward '{name}' is to be called in a worker process" in message
    assert "cannot be sent" in message and "a function or a frozen dataclass of a module" in message


@pytest.mark.parametrize("value", [0, -1, 1e9, "soon"])
def test_a_time_limit_is_a_number_of_seconds_above_zero(value):
    with pytest.raises(R1Error, match="rewards.0.timeout_s"):
        recipe(rewards=[{"name": "pays", "timeout_s": value}])


def test_every_problem_is_said_at_once(registry):
    message = problems(
        registry,
        model="maed",
        env={"name": "sum"},
        rewards=[{"name": "pay"}, {"name": "pays", "options": {"amonut": 1}}],
        trainer={"max_step": 3, "seed": 1},
    )
    assert message.startswith("6 problems:")
    for part in (
        "no model 'maed'; did you mean 'made'?",
        "unknown environment 'sum'; did you mean 'sums'?",
        "unknown reward 'pay'; did you mean 'pays'?",
        "no option 'amonut'; did you mean 'amount'?",
        "no key 'trainer.max_step'; did you mean 'max_steps'? (TRL's GRPOConfig)",
        "'trainer.seed' is set by r1sdk: use seed",
    ):
        assert part in message


@pytest.mark.parametrize("key", OWNED)
def test_a_trainer_argument_that_r1sdk_owns_is_refused_with_what_to_write_instead(registry, key):
    assert f"'trainer.{key}' is set by r1sdk: {_instead(OWNED[key])}" in problems(registry, trainer={key: 1})


@pytest.mark.parametrize(
    ("trainer", "batch"),
    [
        ({}, 8),
        ({"per_device_train_batch_size": 10}, 10),
        ({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}, 8),
        ({"per_device_train_batch_size": 4, "steps_per_generation": 5}, 20),
        ({"generation_batch_size": 16}, 16),
    ],
)
def test_a_generation_batch_that_splits_a_group_is_refused_with_the_sizes_that_fit(registry, trainer, batch):
    message = problems(registry, generation={"samples": 6}, trainer=trainer)
    assert f"a generation batch of {batch} completions does not divide by the group size 6" in message
    assert f"use {batch // 6 * 6} or {batch // 6 * 6 + 6}" in message
    plan_run(recipe(generation={"samples": 2}, trainer=trainer), registry)


def test_a_group_of_one_is_refused(registry):
    assert "'generation.samples' is 1" in problems(registry, generation={"samples": 1})


def test_greedy_sampling_is_refused_in_training(registry):
    assert "generation.temperature" in problems(registry, generation={"temperature": 0})


def test_grpo_needs_a_reward(registry):
    assert "at least one reward" in problems(registry, rewards=[])


def test_sft_needs_demonstrations_and_no_reward(registry):
    assert "environment 'sums' has no demonstrations, and method sft needs them" in problems(
        registry, method="sft", rewards=[]
    )


def test_what_is_no_environment_is_refused(registry):
    assert "'unable' must have tasks(split) and verify(rollout)" in problems(registry, env="unable")


def test_an_environment_without_tasks_is_refused(registry):
    assert "'sums' has no tasks in split 'train'" in problems(registry, env={"options": {"empty": True}})
    assert "'sums' has no tasks in split 'validation'" in problems(registry, evaluation={"split": "validation"})
    plan_run(recipe(evaluation={"split": "validation", "tasks": 0}), registry)


def test_a_model_is_a_registered_name_then_a_folder_then_a_hub_id(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    assert resolve_model(registry, "made").make is not None
    with pytest.raises(R1Error, match="has no weights"):
        resolve_model(registry, "small")
    (tmp_path / "small" / "pytorch_model.bin").write_bytes(b"PK")
    assert resolve_model(registry, "small").folder == tmp_path / "small"
    assert resolve_model(registry, "owner/name-7B.v2").hub_id == "owner/name-7B.v2"
    for folder in ("mine", "run/model"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text("{}")
        (tmp_path / folder / "pytorch_model.bin").write_bytes(b"PK")
    assert resolve_model(registry, "mine").folder == tmp_path / "mine"
    assert resolve_model(registry, str(tmp_path / "mine")).folder == tmp_path / "mine"
    assert resolve_model(registry, "run").folder == tmp_path / "run" / "model"
    assert resolve_model(registry, "run/model").folder == tmp_path / "run" / "model"


def test_a_model_that_is_nowhere_is_an_error_that_says_what_was_tried(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        R1Error, match="(?s)no model 'smal'; did you mean 'small'.*registered models .made, small.*hub id"
    ):
        resolve_model(registry, "smal")
    with pytest.raises(R1Error, match="no model './none'"):
        resolve_model(registry, "./none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(R1Error, match="the folder has no config.json"):
        resolve_model(registry, "empty")


def test_without_a_name_the_recipe_is_the_one_for_the_environment_and_model_or_else_the_default(registry, tmp_path):
    assert find_recipe(registry, None, "sums", "made")[0] == tmp_path / "tuned.yaml"
    assert find_recipe(registry, None, "sums", None)[0] == tmp_path / "tuned.yaml"  # the default's model
    assert find_recipe(registry, None, "sums", "made", "sft")[1] == "default"  # that one is for GRPO
    assert find_recipe(registry, None, "sums", "owner/name") == (tmp_path / "default.yaml", "default")
    assert find_recipe(registry, None, None, None) == (tmp_path / "default.yaml", "default")


def test_a_given_recipe_is_a_file_or_a_registered_name(registry, tmp_path):
    assert find_recipe(registry, str(tmp_path / "tuned.yaml"), None, None)[0] == tmp_path / "tuned.yaml"
    assert find_recipe(registry, "sums/made", None, None)[0] == tmp_path / "tuned.yaml"
    with pytest.raises(UnknownName, match="did you mean 'sums/made'"):
        find_recipe(registry, "sums/maed", None, None)
    with pytest.raises(RecipeError, match="no recipe file 'none.yaml'; registered recipes: default, sums/made"):
        find_recipe(registry, "none.yaml", None, None)


def test_fewer_tasks_than_one_batch_takes_are_refused_with_the_numbers(registry):
    recipe = load_recipe(
        None,
        {"model": "made", "env": {"name": "countdown", "options": {"train_size": 15}}, "rewards": ["accuracy"]},
        {"trainer": {"per_device_train_batch_size": 128}},
    )
    full = load_plugins()
    with pytest.raises(
        RecipeError, match=r"has 15 training tasks, and one generation batch takes 16 different ones"
    ) as error:
        plan_run(recipe.model_copy(update={"model": "tiny"}), full)
    assert "at most 120 completions" in str(error.value)
    enough = recipe.env.model_copy(update={"options": {"train_size": 16}})
    plan_run(recipe.model_copy(update={"model": "tiny", "env": enough}), full)
