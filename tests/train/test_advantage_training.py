"""A recipe's advantages in training: TRL's own stay untouched, and what replaces them arrives at the right tokens."""

from dataclasses import replace
from itertools import pairwise

import pytest

import r1sdk
from r1sdk.planning.resolve import plan_run, resolve
from r1sdk.planning.rules import rules
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import load_recipe
from r1sdk.scoring.estimate_advantages import AdvantageEstimator
from r1sdk.storage.run_folder import RunFolder

torch = pytest.importorskip("torch")


class ThirdParty:
    """Estimators of someone else's package."""

    @r1sdk.hookimpl
    def r1_register_advantages(self, register):
        register("place", place)
        register("by_turn", by_turn)
        register("wrong", lambda group: [1.0])
        register("not_a_number", lambda group: [float("nan")] * len(group.rollouts))
        register("breaks", lambda group: 1 / 0)


def place(group):
    """Return the place of a rollout in its group."""
    return [float(at) for at, _ in enumerate(group.rollouts)]


@r1sdk.advantage(per_token=True)
def by_turn(group):
    """Return the number of the turn for each token, from 1, negative where the turn has a reward."""
    return [
        rollout.spread([(at + 1.0) * (1 if turn.reward is None else -1) for at, turn in enumerate(rollout.turns)])
        for rollout in group.rollouts
    ]


def registry():
    from r1sdk.plugins.loading import installed

    return load_plugins({**{source: point.load for source, point in installed().items()}, "third": ThirdParty})


def recipe(env="countdown", advantage=None, **more):
    keys = {
        "model": "tiny",
        "env": env,
        "generation": {"samples": 4, "max_tokens": 32},
        "trainer": {"per_device_train_batch_size": 8, "max_steps": 1, "shuffle_dataset": False},
        **more,
    }
    return load_recipe(None, keys, {"advantage": advantage} if advantage else {})


def batch_of(tmp_path, given, rewards=None):
    """Return a trainer and the first batch that it learns from."""
    from r1sdk.training.models import load_model, load_tokenizer
    from r1sdk.training.trl.grpo import grpo_trainer

    run = plan_run(given, registry())
    run = replace(run, rewards=rewards or run.rewards)
    torch.manual_seed(0)
    where = str(run.model.folder)
    folder = RunFolder.create(tmp_path / "run", given, {})
    trainer = grpo_trainer(run, load_model(where), load_tokenizer(where), folder, [])
    trainer.model.train()
    torch.manual_seed(1)
    return trainer, trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))


def varied(rollout):
    """A reward that differs within a group, from the text alone."""
    return (sum(map(ord, rollout.completion.text)) % 97) / 97


REWARDS = {"varied": (varied, 1.0), "length": (lambda r: len(r.completion.token_ids) / 60, 0.3)}


def sorted_by_tokens(batch):
    """The advantages of a batch, which TRL shuffles, by the completions they belong to."""
    rows = zip(batch["completion_ids"].tolist(), batch["advantages"].tolist(), strict=True)
    return sorted((ids, advantage) for ids, advantage in rows)


def test_the_advantage_grpo_gives_trls_numbers_to_the_digit(tmp_path):
    plain, own = batch_of(tmp_path / "a", recipe(), REWARDS)
    trainer, named = batch_of(tmp_path / "b", recipe(advantage="grpo"), REWARDS)
    assert plain.estimator is None and trainer.estimator.name == "grpo"
    assert list(plain._logs["advantages"]) == list(trainer._logs["advantages"])
    assert sorted_by_tokens(own) == sorted_by_tokens(named)
    assert len({advantage for _, advantage in sorted_by_tokens(own)}) > 4


@pytest.mark.parametrize("size", [2, 3, 8, 16, 33])
def test_the_advantage_grpo_is_trls_formula_on_any_group(size):
    from trl.trainer.utils import nanstd

    from r1_advantages import Grpo

    torch.manual_seed(size)
    rewards = (torch.rand(200, size) * 3).round(decimals=1)
    mean = torch.nanmean(rewards, dim=1, keepdim=True)
    expected = (rewards - mean) / (nanstd(rewards, dim=1, keepdim=True) + 1e-4)
    for row, wanted in zip(rewards, expected, strict=True):
        turn = (r1sdk.ModelTurn(0, 1),)
        rollouts = tuple(r1sdk.RewardedRollout(total, {}, turn) for total in row.tolist())
        assert Grpo()(r1sdk.RewardGroup(rollouts, {})) == wanted.tolist()


@pytest.mark.parametrize(
    ("name", "options", "trainer"),
    [
        ("dr_grpo", {}, {"scale_rewards": "none"}),
        ("gdpo", {}, {"multi_objective_aggregation": "normalize_then_sum"}),
    ],
)
def test_estimators_that_trl_has_give_its_numbers(tmp_path, name, options, trainer):
    keys = {"per_device_train_batch_size": 8, "max_steps": 1, "shuffle_dataset": False}
    _, own = batch_of(tmp_path / "a", recipe(trainer={**keys, **trainer}), REWARDS)
    _, named = batch_of(tmp_path / "b", recipe(advantage={"name": name, "options": options}), REWARDS)
    for (ids, one), (other_ids, other) in zip(sorted_by_tokens(own), sorted_by_tokens(named), strict=True):
        assert ids == other_ids and one == pytest.approx(other, abs=2e-5)


def test_rloo_gives_the_numbers_of_trls_rloo_trainer():
    """TRL's lines in rloo_trainer.py: the sum of the group minus the rollout's own, divided by one less."""
    from r1_advantages import Rloo

    rewards = torch.tensor([[1.0, 0.0, 0.5, 0.25], [1.0, 1.0, 0.0, 1.0]])
    baselines = (rewards.nansum(dim=1, keepdim=True) - rewards) / (rewards.size(1) - 1)
    for row, wanted in zip(rewards, rewards - baselines, strict=True):
        turn = (r1sdk.ModelTurn(0, 1),)
        rollouts = tuple(r1sdk.RewardedRollout(total, {}, turn) for total in row.tolist())
        assert Rloo()(r1sdk.RewardGroup(rollouts, {})) == pytest.approx(wanted.tolist(), abs=1e-6)


def test_a_rollout_that_could_not_be_scored_has_no_advantage_and_no_part_in_the_group(tmp_path):
    calls = []

    def fails_first(rollout):
        calls.append(rollout)
        if len(calls) == 2:
            raise r1sdk.Unavailable("the judge is away")
        return 1.0

    given = recipe(advantage="place", limits={"error": 1.0})
    _, batch = batch_of(tmp_path, given, {"judge": (fails_first, 1.0)})
    # Groups of 4, one rollout out: three have the places 0, 1, 2 in their group, and the unscored one 0.
    assert sorted(batch["advantages"].tolist()) == [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0]


def test_the_advantages_of_turns_arrive_at_the_tokens_of_those_turns(tmp_path):
    env = {"name": "guess", "options": {"guesses": 3, "train_size": 4, "bits": True}}
    given = recipe(env, "by_turn", generation={"samples": 4, "max_tokens": 300})
    _, batch = batch_of(tmp_path, given)
    assert batch["advantages"].shape == batch["completion_ids"].shape
    lines = list(RunFolder(tmp_path / "run").rollouts())
    assert all(len(line["session"]["turn_tokens"]) == line["session"]["turns"] for line in lines)
    turns = set()
    for mask, own, row in zip(batch["completion_mask"], batch["tool_mask"], batch["advantages"], strict=True):
        learnt = (mask * own).bool()
        assert not row[~learnt].any() and (row[learnt] != 0).all()
        # Between two tokens of the model with other advantages stand tokens of the environment, and only there.
        places = learnt.nonzero()[:, 0].tolist()
        for here, there in pairwise(places):
            assert (abs(row[here]) != abs(row[there])) == (there > here + 1)
        turns.add(int(row[learnt].abs().max()))
    assert max(turns) > 1
    assert all(len(line["session"]["turn_rewards"]) == line["session"]["turns"] for line in lines)
    assert (batch["advantages"] < 0).any()  # turns with a reward


def test_a_loss_with_advantages_for_each_token_is_their_mean_on_the_policy(tmp_path):
    env = {"name": "guess", "options": {"guesses": 3, "train_size": 4, "bits": True}}
    given = recipe(env, "by_turn", loss="dapo", generation={"samples": 4, "max_tokens": 300})
    trainer, batch = batch_of(tmp_path, given)
    trainer.current_gradient_accumulation_steps = 1
    loss = float(trainer.compute_loss(trainer.model, batch).detach())
    own = batch["completion_mask"] * batch["tool_mask"]
    assert loss == pytest.approx(float(-(batch["advantages"] * own).sum() / own.sum()), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong", "'wrong' must return 4 values"),
        ("not_a_number", "'not_a_number' must return finite numbers"),
        ("breaks", "'breaks' failed: ZeroDivisionError"),
    ],
)
def test_an_estimator_that_breaks_the_contract_is_stopped_with_its_name(name, said):
    estimator = AdvantageEstimator(name, registry().build("advantage", name), {"a": 1.0}, 4)
    rollouts = [r1sdk.RewardedRollout(total, {"a": total}, (r1sdk.ModelTurn(0, 1),)) for total in (0.0, 1.0, 0.0, 1.0)]
    with pytest.raises(r1sdk.PluginError, match=said):
        estimator.of_batch(rollouts)


def test_dynamic_sampling_trains_on_the_named_advantages(tmp_path):
    given = recipe(advantage="place", dynamic_sampling={"max_rounds": 1})
    _, batch = batch_of(tmp_path, given, {"same": (lambda rollout: 1.0, 1.0)})
    assert sorted(batch["advantages"].tolist()) == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


def test_dynamic_sampling_replaces_groups_without_any_advantage(tmp_path):
    given = recipe(advantage="rloo", dynamic_sampling={"max_rounds": 1})
    _, batch = batch_of(tmp_path, given, {"same": (lambda rollout: 1.0, 1.0)})
    rounds = {line["round"] for line in RunFolder(tmp_path / "run").rollouts()}
    assert rounds == {1, 2} and not batch["advantages"].any()


def problems(given):
    return "\n".join(map(str, rules(resolve(given, registry(), draw=False))))


def test_what_an_estimator_cannot_go_with_is_refused_before_a_model_is_loaded():
    assert "'trainer.scale_rewards' is for TRL's own" in problems(
        recipe(advantage="rloo", trainer={"scale_rewards": "none", "per_device_train_batch_size": 8})
    )
    asynchronous = {"experimental_async": {"url": "http://localhost:8000"}, "trainer": {}}
    assert "is over a whole batch" in problems(recipe(advantage="gdpo", **asynchronous))
    assert "is over single tokens" in problems(recipe(advantage="turn_loo", **asynchronous))
    assert "over" not in problems(recipe(advantage="rloo", **asynchronous)).replace("overlap", "")
    assert "reads the reward 'accuracy'" in problems(recipe(advantage="pass_at_k", rewards="format"))
    assert "k is from 1 to the 4" in problems(recipe(advantage={"name": "pass_at_k", "options": {"k": 5}}))
    assert "recipe key 'advantage' is for method grpo" in problems(recipe(advantage="rloo", method="sft", trainer={}))


def test_a_loss_that_turns_std_off_goes_with_an_advantage():
    assert problems(recipe(advantage="rloo", loss="dr_grpo")) == ""


def test_asynchronous_training_gives_a_group_the_numbers_of_the_estimator():
    from r1sdk.training.trl.async_trainer import group_advantages
    from r1sdk.training.trl.grpo import estimator_of
    from r1sdk.training.trl.reward_columns import RewardTable, task_row

    run = plan_run(recipe(advantage="rloo"), registry())
    run = replace(run, rewards={"letters": (lambda rollout: float(len(rollout.completion.text)), 0.5)})
    task = task_row(next(iter(run.environment.tasks("train"))))["task"]
    table = RewardTable(run.environment, run.rewards, 4)
    texts = ["a", "ab", "abc", "abcdef"]
    table.scores([[{"role": "assistant", "content": text}] for text in texts], [[1, 2]] * 4, [task] * 4)
    totals = [0.5, 1.0, 1.5, 3.0]
    expected = [total - (6.0 - total) / 3 for total in totals]
    assert group_advantages(table, estimator_of(run)) == pytest.approx(expected)


def test_an_estimator_over_a_batch_gives_each_process_its_own_rollouts():
    estimator = AdvantageEstimator("reinforce_pp", registry().build("advantage", "reinforce_pp"), {"a": 1.0}, 2)
    turn = (r1sdk.ModelTurn(0, 1),)
    rollouts = [r1sdk.RewardedRollout(total, {"a": total}, turn) for total in (1.0, 0.0, 0.5, float("nan"), 0.2, 0.9)]
    whole = estimator.of_batch(rollouts)
    shares = [[estimator._scored(rollouts[at : at + 2])] for at in (0, 2, 4)]
    for rank in range(3):
        own = estimator.of_batch(rollouts[2 * rank : 2 * rank + 2], lambda _: shares, rank)
        assert own == whole[2 * rank : 2 * rank + 2]
    assert whole[3] == 0.0
