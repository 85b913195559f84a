"""Dynamic sampling and a curriculum in training: TRL takes over whole batches, and what they say of themselves is true."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest

torch = pytest.importorskip("torch")

import r1sdk
from r1sdk import RewardError, Task, Verdict
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import installed, load_plugins
from r1sdk.recipe.key_groups import CurriculumSettings, Limits
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.models import load_model, load_tokenizer
from r1sdk.training.monitor.callback import RunCallback, StopRequest
from r1sdk.training.trl.dynamic_sampling import DynamicSamplingTrainer, has_reward_variance
from r1sdk.training.trl.grpo import grpo_trainer
from r1sdk.training.trl.rounds import SURPLUS, ZERO_VARIANCE, Batch, Group, RoundTable
from r1sdk.training.trl.task_sampler import Curriculum, GroupOutcome

SIZE, SAMPLES, PROMPTS = 36, 4, 4


def parity(rollout):
    return float(sum(rollout.completion.token_ids) % 2)


class Rigged:
    """Tasks that are always right, never right, and right or wrong by the sum of the tokens, in turns."""

    def tasks(self, split):
        return [Task([{"role": "user", "content": f"Say {at}."}], None, {}, f"{split}/{at}") for at in range(SIZE)]

    def verify(self, rollout):
        at = int(rollout.task.id.rpartition("/")[2])
        return (1.0, 0.0, parity(rollout))[at % 3]


def spread(rollout):
    """From 0.0 to 1.0 by the sum of the token ids, in steps that no two completions share by chance."""
    return sum((at + 1) * token for at, token in enumerate(rollout.completion.token_ids)) % 9973 / 9973


class Plugin:
    @r1sdk.hookimpl
    def r1_register_environments(self, register):
        register("rigged", Rigged)

    @r1sdk.hookimpl
    def r1_register_rewards(self, register):
        register("spread", spread)


RECIPE = {
    "model": "tiny_blank",
    "env": "rigged",
    "rewards": ["accuracy"],
    "generation": {"samples": SAMPLES, "max_tokens": 10},
    "evaluation": {"tasks": 0},
    "trainer": {
        "per_device_train_batch_size": SAMPLES * PROMPTS,
        "max_steps": 4,
        "learning_rate": 1e-3,
        "save_steps": 1,
    },
}


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank")
    load_plugins().get("model", "tiny_blank").target(folder, 0)
    return str(folder)


@pytest.fixture(scope="module")
def train(blank, tmp_path_factory):
    """A short run of RECIPE with `keys` laid over it, in this process: its folder and its trainer."""
    from transformers import set_seed

    installed_plugins = {source: point.load for source, point in installed().items()}
    registry = load_plugins({**installed_plugins, "mine": Plugin})

    def run(folder=None, checkpoint=None, **keys):
        recipe = load_recipe(None, {**RECIPE, "trainer": {**RECIPE["trainer"], "save_total_limit": 9}}, keys)
        folder = folder or RunFolder.create(tmp_path_factory.mktemp("run") / "run", recipe, {})
        set_seed(0)
        trainer = grpo_trainer(
            plan_run(recipe, registry),
            load_model(blank),
            load_tokenizer(blank),
            folder,
            [RunCallback(folder, StopRequest())],
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        return folder, trainer

    return run


@pytest.fixture(scope="module")
def dynamic(train):
    return train(dynamic_sampling={"max_rounds": 2})[0]


def steps(folder):
    """Of each step its metrics, its groups in the order of the file, and which of them were dropped."""
    found = {step: list(lines) for step, lines in groupby(folder.rollouts(), key=lambda line: line["step"])}
    for line in folder.metrics():
        lines = found[line["step"]]
        groups = [lines[start : start + SAMPLES] for start in range(0, len(lines), SAMPLES)]
        yield line, [g for g in groups if "dropped" not in g[0]], [g for g in groups if "dropped" in g[0]]


def totals(group):
    return {line["total"] for line in group}


def test_a_batch_keeps_its_size_and_its_groups_are_whole(dynamic):
    for _, batch, dropped in steps(dynamic):
        assert len(batch) == PROMPTS
        for group in batch + dropped:
            assert len(group) == SAMPLES
            assert len({line["task"]["id"] for line in group}) == 1
            assert len({(line["round"], line.get("dropped")) for line in group}) == 1


def test_groups_without_spread_give_way_to_fresh_prompts_within_the_bound(dynamic):
    first = [line for _, batch, dropped in steps(dynamic) for line in batch + dropped if line[0]["round"] == 1]
    assert (
        sum(len(totals(group)) == 1 for group in first) > len(first) / 2
    )  # two of three tasks are rigged to have none
    for _, batch, dropped in steps(dynamic):
        tried = [group[0]["task"]["id"] for group in batch + dropped]
        assert len({*tried}) == len(tried)  # fresh: no task of this batch twice
        assert {group[0]["round"] for group in batch + dropped} <= {1, 2, 3}
        assert {group[0]["dropped"] for group in dropped} <= {ZERO_VARIANCE}
        assert all(len(totals(group)) == 1 for group in dropped)
        if any(len(totals(group)) == 1 for group in batch):
            assert {3} <= {group[0]["round"] for group in batch + dropped}  # kept only where the rounds were used up


def test_the_metrics_say_how_many_were_without_spread_replaced_and_left(dynamic):
    replaced = 0
    for line, batch, dropped in steps(dynamic):
        flat = [group for group in batch + dropped if len(totals(group)) == 1]
        assert line["drawn/groups"] == len(batch) + len(dropped)
        assert line["drawn/rounds"] == max(group[0]["round"] for group in batch + dropped)
        assert line["drawn/zero_variance"] == len(flat)
        assert line["drawn/replaced"] == sum(group[0]["round"] > 1 for group in batch)
        assert line["drawn/remained"] == sum(len(totals(group)) == 1 for group in batch)
        assert line["drawn/remained"] / PROMPTS == pytest.approx(line["frac_reward_zero_std"])  # TRL's own count
        verdicts = [one["verdict"]["value"] for group in batch + dropped for one in group]
        assert line["drawn/pass_rate"] == pytest.approx(sum(verdicts) / len(verdicts))
        replaced += line["drawn/replaced"]
    assert replaced >= 4


def test_what_the_trainer_logs_is_of_the_batch_and_the_tokens_are_of_all_that_was_generated(dynamic):
    seen = 0
    for line, batch, dropped in steps(dynamic):
        trained = [one for group in batch for one in group]
        assert line["reward"] == pytest.approx(sum(one["total"] for one in trained) / len(trained))
        assert line["rewards/accuracy/mean"] == line["verdict/mean"] == pytest.approx(line["reward"])
        lengths = [one["completion"]["tokens"] for one in trained]
        assert line["completions/mean_length"] == pytest.approx(sum(lengths) / len(lengths))
        assert line["completions/max_length"] == max(lengths)
        generated = sum(one["completion"]["tokens"] for group in batch + dropped for one in group)
        assert line["num_tokens"] - seen > generated  # and the prompts
        assert line["num_tokens"] - seen < generated + 120 * len(batch + dropped) * SAMPLES
        seen = line["num_tokens"]


def test_without_a_group_to_replace_a_run_has_the_numbers_of_one_without_the_option(train):
    """All that TRL and we log, loss and gradient among them."""
    (off, plain), (on, drawing) = (train(rewards=["spread"], **keys) for keys in ({}, {"dynamic_sampling": True}))
    assert type(plain).__name__ == "CheckedSamplerTrainer" and plain.train_dataset.column_names == ["prompt", "task"]
    assert isinstance(drawing, DynamicSamplingTrainer)
    for before, after in zip(off.metrics(), on.metrics(), strict=True):
        assert after["drawn/replaced"] == 0 and after["drawn/rounds"] == 1
        timed = ("time", "step_time", "step_seconds", "tokens_per_second")
        same = [key for key in before if key not in timed and not key.endswith(("/ms_median", "/ms_p99"))]
        assert {key: after[key] for key in same} == {key: before[key] for key in same}
        assert before["grad_norm"] > 0
    said = [[{**line, "round": None} for line in folder.rollouts()] for folder in (off, on)]
    assert [_untimed(line) for line in said[0]] == [_untimed(line) for line in said[1]]


def _untimed(line):
    return {**line, "verdict": {**line["verdict"], "seconds": 0.0}}


@pytest.mark.parametrize(
    "keys", [{"dynamic_sampling": True}, {"curriculum": {"discount": 0.7}, "dynamic_sampling": True}]
)
def test_a_resumed_run_draws_the_tasks_and_completions_of_one_that_was_never_stopped(train, tmp_path, keys):
    whole, _ = train(**keys)
    shutil.copytree(whole.path, tmp_path / "again")
    again = RunFolder(tmp_path / "again")
    for later in (3, 4):
        shutil.rmtree(again.checkpoints / f"checkpoint-{later}")
    assert again.rewind() == again.checkpoints / "checkpoint-2"
    train(folder=again, checkpoint=str(again.checkpoints / "checkpoint-2"), **keys)
    assert [*map(_untimed, again.rollouts())] == [*map(_untimed, whole.rollouts())]
    for key in ("loss", "drawn/groups", "num_tokens"):
        numbers = [[line[key] for line in folder.metrics()] for folder in (whole, again)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-5, abs=1e-7)


def test_a_checkpoint_that_lost_its_draws_is_not_gone_on_from_as_if_nothing_were_missing(train, dynamic, tmp_path):
    shutil.copytree(dynamic.path, tmp_path / "again")
    checkpoint = tmp_path / "again" / "checkpoints" / "checkpoint-4"
    (checkpoint / "draws.json").unlink()
    with pytest.raises(r1sdk.R1Error, match=r"cannot resume the task sampler from .*checkpoint-4/draws\.json"):
        train(folder=RunFolder(tmp_path / "again"), checkpoint=str(checkpoint), dynamic_sampling=True)


def test_a_curriculum_draws_what_its_own_record_of_the_run_says(train):
    """The groups of each step, told to another curriculum, make it draw those of the next."""
    folder, _ = train(curriculum={"discount": 0.7})
    told = Curriculum(SIZE, 0, CurriculumSettings(discount=0.7))
    for line, batch, dropped in steps(folder):
        tasks = [int(group[0]["task"]["id"].rpartition("/")[2]) for group in batch]
        assert (tasks, dropped) == (told.first(PROMPTS), [])
        right = [sum(one["verdict"]["value"] == 1.0 for one in group) for group in batch]
        found = told.learn([GroupOutcome(task, n, SAMPLES) for task, n in zip(tasks, right, strict=True)])
        assert found == {key: pytest.approx(line[key]) for key in found}
        assert line["drawn/pass_rate"] == pytest.approx(sum(right) / (PROMPTS * SAMPLES))


def test_by_accuracy_a_group_that_only_its_format_tells_apart_has_zero_variance(train):
    folder, _ = train(
        rewards=["accuracy", "spread"],
        dynamic_sampling={"metric": "accuracy", "max_rounds": 1},
        trainer={"max_steps": 2},
    )
    dropped = [group for _, _, groups in steps(folder) for group in groups]
    assert dropped and all(len(totals(group)) > 1 for group in dropped)
    assert all(len({one["verdict"]["value"] for one in group}) == 1 for group in dropped)


def test_attempts_of_several_turns_are_drawn_anew_and_learnt_from_as_they_were_made(tmp_path):
    keys = {"model": "tiny", "env": {"name": "guess", "options": {"guesses": 3, "train_size": 8}}}
    keys |= {"generation": {"samples": 2, "max_tokens": 120}, "dynamic_sampling": {"max_rounds": 9}}
    recipe = load_recipe(None, {**keys, "trainer": {"per_device_train_batch_size": 8, "max_steps": 1}})
    run, made = plan_run(recipe, load_plugins()), []

    def odd_games_are_alike(rollout):
        price = 0.0 if int(rollout.task.id.rpartition("/")[2]) % 2 else float(len(made))
        made.append((rollout, price))
        return price

    folder, where = RunFolder.create(tmp_path / "run", recipe, {}), str(run.model.folder)
    run = replace(run, rewards={"odd_games_are_alike": (odd_games_are_alike, 1.0)})
    trainer = grpo_trainer(run, load_model(where), load_tokenizer(where), folder, [])
    trainer.model.train()
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    used = {line["task"]["id"] for line in folder.rollouts() if "dropped" not in line}
    assert {int(task.rpartition("/")[2]) for task in used} == {0, 2, 4, 6}
    assert {line["task"]["id"] for line in folder.rollouts() if "dropped" in line}
    learnt = (batch["completion_mask"] * batch["tool_mask"]).bool()
    tokens = [ids[mask].tolist() for ids, mask in zip(batch["completion_ids"], learnt, strict=True)]
    found = [(ids, advantage > 0) for ids, advantage in zip(tokens, batch["advantages"].tolist(), strict=True)]
    best = {task: max(price for rollout, price in made if rollout.task.id == task) for task in used}
    expected = [(r.completion.token_ids, price == best[r.task.id]) for r, price in made if r.task.id in used]
    assert sorted(found) == sorted(expected)
    assert any(rollout.session.turns > 1 for rollout, _ in made)


@pytest.mark.parametrize("aggregation", ["sum_then_normalize", "normalize_then_sum"])
def test_spread_is_what_trl_would_learn_from(aggregation):
    nan = torch.nan
    rows = {
        "alike": [[1.0, 0.0], [1.0, 0.0]],
        "differ": [[1.0, 0.0], [0.0, 0.0]],
        "cancel": [[1.0, 0.0], [0.0, 1.0]],
        "one unpriced": [[1.0, 0.0], [nan, nan]],
        "all unpriced": [[nan, nan], [nan, nan]],
        "does not apply": [[1.0, nan], [1.0, nan]],
        "a reward without weight": [[1.0, 0.0], [1.0, 0.0]],
    }
    third = [[0.0], [0.0]] * (len(rows) - 1) + [[0.0], [5.0]]
    rewards = torch.cat([torch.tensor([row for pair in rows.values() for row in pair]), torch.tensor(third)], dim=1)
    rewards[[7, 8, 9], 2] = nan  # unpriced is unpriced by all
    found = dict(zip(rows, has_reward_variance(rewards, torch.tensor([1.0, 1.0, 0.0]), 2, aggregation), strict=True))
    differing = {"differ"} if aggregation == "sum_then_normalize" else {"differ", "cancel"}
    assert {name for name, has in found.items() if has} == differing


def test_fresh_groups_with_spread_fill_the_places_in_order_and_the_rest_is_told_apart():
    batch = Batch.of([True, False, True, False])
    batch.refill([False, True])
    assert batch.groups == [Group(0, 0), Group(1, 1), Group(0, 2), Group(0, 3)]
    batch.refill([True, True])
    assert batch.groups[3] == Group(2, 0) and not batch.lacking
    assert batch.dropped() == [
        *(
            (Group(0, 1), ZERO_VARIANCE),
            (Group(0, 3), ZERO_VARIANCE),
            (Group(1, 0), ZERO_VARIANCE),
            (Group(2, 1), SURPLUS),
        ),
    ]


class Failing:
    """A judge whose service is away for every task called `away`."""

    def tasks(self, split):
        return []

    def verify(self, rollout):
        return Verdict(None, "error", reason="no answer") if rollout.task.id == "away" else Verdict(1.0)


def given(table, *tasks):
    """A round of one completion for each task, as TRL hands it to the rewards."""
    texts = [json.dumps({"prompt": [], "answer": None, "info": {}, "id": task}) for task in tasks]
    table.tasks = [*range(len(tasks))]
    return table.scores([[{"role": "assistant", "content": "x"}] for _ in tasks], [[1]] * len(tasks), texts)


def test_what_could_not_be_judged_counts_over_all_rounds_so_far():
    kept = []
    rewards = {"accuracy": (lambda rollout: rollout.verdict.value, 1.0)}
    table = RoundTable(Failing(), rewards, 1, Limits(error=0.2), keep=lambda *row: kept.append(row))
    given(table, *"abcdefgh")
    given(table, "i", "away")  # half of the round, a tenth of what was generated
    with pytest.raises(RewardError, match="25% of this batch has the verdict 'error'"):
        given(table, "away", "away")
    ((_, rollouts, _, marks),) = kept  # what led to it can be read
    assert len(rollouts) == 12
    assert Counter(mark["round"] for mark in marks) == {1: 8, 2: 2, 3: 2}


def test_the_flag_turns_it_on_and_leaves_what_the_recipe_says_of_it(r1, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "model: tiny\nenv: countdown\ndynamic_sampling: {max_rounds: 7}\ntrainer: {per_device_train_batch_size: 8}\n"
    )
    assert "dynamic_sampling:\n  max_rounds: 7" in r1("train", str(recipe), "--dynamic-sampling", "--dry-run").out
    off = r1("train", str(recipe), "--set", "dynamic_sampling=false", "--dry-run").out
    assert "dynamic_sampling: null" in off
    found = r1("train", "--env", "countdown", "--dynamic-sampling", "--dry-run").out
    assert "dynamic_sampling:\n  max_rounds: 3\n  metric: reward\ncurriculum: null" in found


def test_what_cannot_be_meant_is_an_error_before_a_model_is_loaded(r1):
    asked = ["--set", "dynamic_sampling.metric=acc", "--set", "curriculum.target=1"]
    said = r1("train", "--env", "countdown", *asked, "--dry-run")
    assert said.code == 1
    assert "recipe key 'dynamic_sampling.metric'" in said.err and "recipe key 'curriculum.target'" in said.err
    asked = ["--method", "sft", "--dynamic-sampling", "--set", "curriculum.pass_rates=none.jsonl"]
    said = r1("train", "--env", "countdown", *asked, "--dry-run")
    assert "'dynamic_sampling' is for method grpo, and this is sft" in said.err
    assert "'curriculum' is for method grpo" in said.err
    assert "recipe key 'curriculum.pass_rates': no file none.jsonl" in said.err
