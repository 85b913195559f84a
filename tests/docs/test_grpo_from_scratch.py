"""docs/grpo_from_scratch.py computes what `r1 train` computes: the same tasks, samples, rewards, losses and gradients.

The two runs of `r1 train` and those of the page start from one seed and take the same random numbers, so that every sampled
text is compared, not only a mean. Both compute in float32; they pad batches differently, so that sums are rounded differently.
"""

import json
import pkgutil
import re
import runpy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
LOSS = 1e-5  # tolerance, absolute: losses are around 0.1
GRADIENT = 1e-3  # tolerance of the gradient's norm, relative

# Smaller batches and shorter completions than the recipe's, for time. In the second run the policy moves far enough between
# two updates on one batch to be clipped.
CASES = {
    "recipe": (3, {"prompts": 4, "max_tokens": 128}),
    "clipped": (
        4,
        {"prompts": 4, "updates": 2, "learning_rate": 3e-3, "max_tokens": 64, "train_size": 64, "seed": 3},
    ),
}
KEYS = {  # in a recipe; a batch is P x G rows
    "prompts": "trainer.per_device_train_batch_size",
    "updates": "trainer.num_iterations",
    "learning_rate": "trainer.learning_rate",
    "max_tokens": "generation.max_tokens",
    "train_size": "env.options.train_size",
    "seed": "seed",
}


@dataclass(frozen=True)
class Case:
    """One run of `r1 train`, and the page's settings for the same run."""

    steps: int
    settings: Any
    metrics: list[dict[str, Any]]  # by step
    rollouts: dict[int, list[dict[str, Any]]]  # by the step that sampled them


@pytest.fixture(scope="module")
def page():
    """The names that the page defines."""
    return runpy.run_path(str(ROOT / "docs" / "grpo_from_scratch.py"))


@pytest.fixture(scope="module")
def cases(page, start_r1, tmp_path_factory):
    """The runs of `r1 train`, both at a time: each computes on one thread."""
    folder, running = tmp_path_factory.mktemp("runs"), {}
    for name, (steps, settings) in CASES.items():
        values = {**settings, "prompts": settings["prompts"] * page["Settings"].samples}
        keys = [argument for key, value in values.items() for argument in ("--set", f"{KEYS[key]}={value}")]
        command = ["train", "--env", "countdown", "--rewards", "accuracy,format", "--steps", steps]
        running[name] = start_r1(*command, *keys, "--set", "evaluation.tasks=0", "--out", folder / name)
    found = {}
    for name, process in running.items():
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0, out + err
        metrics = [row for row in rows_of(folder / name / "metrics.jsonl") if row["kind"] == "step"]
        rollouts: dict[int, list[dict[str, Any]]] = {}
        for row in rows_of(folder / name / "rollouts.jsonl"):
            rollouts.setdefault(row["step"], []).append(row)
        steps, settings = CASES[name]
        found[name] = Case(steps, replace(page["Settings"](), **settings), metrics, rollouts)
    return found


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread, as the runs of `r1 train` do: threads add in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", CASES)
def test_the_first_steps_are_those_of_r1_train(page, cases, name):
    case = cases[name]
    steps = list(page["train"](case.settings, case.steps))
    assert len(steps) == len(case.metrics) == case.steps
    for at, (mine, theirs) in enumerate(zip(steps, case.metrics, strict=True)):
        sampled = case.rollouts[at + 1 - at % case.settings.updates]
        assert [one.task.id for one in mine.rollouts] == [row["task"]["id"] for row in sampled]
        texts = [row["completion"]["messages"][-1]["content"] for row in sampled]
        assert [one.completion.text for one in mine.rollouts] == texts
        assert [one.verdict.value for one in mine.rollouts] == [row["verdict"]["value"] for row in sampled]
        if at % case.settings.updates == 0:  # rewards are logged where samples are drawn
            means = {"reward": "reward", **{name: f"rewards/{name}/mean" for name in ("accuracy", "format")}}
            assert mine.rewards == pytest.approx({name: theirs[metric] for name, metric in means.items()}, abs=1e-6)
        assert mine.loss == pytest.approx(theirs["loss"], abs=LOSS)
        assert mine.grad_norm == pytest.approx(theirs["grad_norm"], rel=GRADIENT)
        assert mine.clipped == pytest.approx(theirs["clip_ratio/region_mean"], abs=1e-3)
    if case.settings.updates > 1:
        assert max(step.clipped for step in steps) > 0.005, "this run is here because its policy is clipped"


def without_scale(totals, samples):
    groups = totals.view(-1, samples)
    return (groups - groups.mean(dim=1, keepdim=True)).flatten()


def mean_of_completions(logps, old, advantages, mask, clip):
    ratio, advantage = torch.exp(logps - old), advantages[:, None]
    gain = torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage) * mask
    return -(gain.sum(1) / mask.sum(1)).mean(), mask.mean()


@pytest.mark.parametrize(
    ("change", "settings"),
    [({"group_advantages": without_scale}, {}), ({"clipped_loss": mean_of_completions}, {}), ({}, {"clip": 0.1})],
    ids=["advantages not scaled", "mean of completions", "another clip"],
)
def test_another_algorithm_is_outside_the_tolerance(page, cases, monkeypatch, change, settings):
    case = cases["clipped"]
    for name, function in change.items():
        monkeypatch.setitem(page["train"].__globals__, name, function)
    steps = page["train"](replace(case.settings, **settings), 2)
    apart = [abs(mine.loss - theirs["loss"]) for mine, theirs in zip(steps, case.metrics[:2], strict=True)]
    assert max(apart) > 10 * LOSS


def test_the_settings_are_those_of_the_recipe_and_of_trl(page, tmp_path):
    from transformers import get_scheduler
    from trl import GRPOConfig

    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import load_recipe

    recipe, settings = load_recipe(load_plugins().get("recipe", "countdown/tiny").target), page["Settings"]()
    config = GRPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, **recipe.trainer)
    assert recipe.model == "tiny"
    assert recipe.env.options == {"train_size": settings.train_size}
    assert [(one.name, one.weight) for one in recipe.rewards] == [("accuracy", 1.0), ("format", 1.0)]
    assert recipe.seed == settings.seed
    generation = recipe.generation
    assert (generation.samples, generation.max_tokens) == (settings.samples, settings.max_tokens)
    assert (generation.temperature, generation.top_p, generation.top_k) == (1.0, 1.0, 0)
    assert config.per_device_train_batch_size == settings.prompts * settings.samples
    assert (config.max_steps, config.num_iterations) == (settings.total_steps, settings.updates)
    assert config.epsilon == settings.clip
    assert (config.loss_type, config.scale_rewards, config.epsilon_high, config.beta) == ("dapo", "group", None, 0.0)
    assert (config.adam_beta1, config.adam_beta2, config.adam_epsilon) == (*settings.betas, 1e-8)
    assert (config.weight_decay, config.max_grad_norm) == (0.0, settings.max_grad_norm)

    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    scheduler = get_scheduler(
        config.lr_scheduler_type,
        optimizer,
        num_warmup_steps=config.warmup_steps,
        num_training_steps=config.max_steps,
        scheduler_specific_kwargs=config.lr_scheduler_kwargs,
    )
    for step in range(config.max_steps):
        assert page["learning_rate"](step, settings) == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


def test_an_advantage_is_a_distance_from_the_mean_of_the_group(page):
    totals = torch.tensor([2.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    spread = (2 / 3) ** 0.5  # of the first group; n - 1 = 3
    wanted = [1 / (spread + 1e-4), 0.0, 0.0, -1 / (spread + 1e-4), 0.0, 0.0, 0.0, 0.0]
    assert page["group_advantages"](totals, 4).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "moves"),
    [
        (1.0, 2.0, 2.0, True),
        (1.5, 2.0, 2.4, False),  # paid for 1.2 of it
        (1.5, -2.0, -3.0, True),  # a cost is never cut off
        (0.5, 2.0, 1.0, True),
        (0.5, -2.0, -1.6, False),
    ],
)
def test_a_gain_is_clipped_and_a_cost_is_not(page, ratio, advantage, gain, moves):
    logps = torch.tensor([[0.0, 0.0, 7.0]]).requires_grad_()
    old = torch.tensor([[0.0, 0.0, 0.0]]) - torch.log(torch.tensor([[1.0, ratio, 1.0]]))
    mask = torch.tensor([[0.0, 1.0, 0.0]])  # a prompt and padding have no part in it
    loss, clipped = page["clipped_loss"](logps, old, torch.tensor([advantage]), mask, 0.2)
    loss.backward()
    assert loss.item() == pytest.approx(-gain)
    assert logps.grad.tolist()[0] == pytest.approx([0.0, -ratio * advantage if moves else 0.0, 0.0])
    assert clipped.item() == (0.0 if moves else 1.0)


def test_each_module_that_the_page_leads_to_is_there():
    text = (ROOT / "docs" / "grpo-from-scratch.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`((?:r1sdk|trl)(?:\.\w+)+)`", text))
    assert len(names) >= 10
    for name in names:
        pkgutil.resolve_name(name)
