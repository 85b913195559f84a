"""An environment and rewards of ours in TRL's own GRPOTrainer, which nothing of ours configures."""

import json
from pathlib import Path

import pytest

import r1sdk

pytest.importorskip("trl")

REWARDS = "accuracy,format=0.5"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two steps of plain TRL on `tiny`: what it logged, and every batch that a reward function of nobody's was given."""
    from trl import GRPOConfig, GRPOTrainer

    import r1_models

    batches = []

    def seen(completions, completion_ids, task, **others):
        batches.append({"completions": completions, "ids": completion_ids, "task": task})
        return [0.0] * len(completions)

    folder = tmp_path_factory.mktemp("plain")
    dataset, reward_funcs, weights = r1sdk.for_trl("countdown", REWARDS, options={"level": "easy"}, tasks=16)
    config = GRPOConfig(
        output_dir=str(folder),
        reward_weights=[*weights, 0.0],
        max_steps=2,
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=64,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
    )
    model = str(Path(r1_models.__file__).parent / "tiny")
    trainer = GRPOTrainer(model=model, reward_funcs=[*reward_funcs, seen], args=config, train_dataset=dataset)
    trainer.train()
    return trainer, batches


def test_plain_trl_trains_on_an_environment_of_ours(trained):
    trainer, batches = trained
    steps = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert trainer.state.global_step == len(steps) == len(batches) == 2
    for entry in steps:
        parts = entry["rewards/accuracy/mean"] + 0.5 * entry["rewards/format/mean"]
        assert entry["reward"] == pytest.approx(parts, abs=1e-6)
        assert entry["verdict/ok"] == 1.0 and "verdict/mean" in entry


def test_the_rewards_are_those_that_r1_score_gives_the_same_completions(trained, r1, tmp_path):
    trainer, batches = trained
    steps = [entry for entry in trainer.state.log_history if "reward" in entry]
    for entry, batch in zip(steps, batches, strict=True):
        lines = [
            {"task": json.loads(task), "completion": {"messages": completion}}
            for task, completion in zip(batch["task"], batch["completions"], strict=True)
        ]
        file = tmp_path / "completions.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        said = r1("score", file, "--env", "countdown", "--rewards", REWARDS, "--json")
        assert said.code == 0, said.err
        means = json.loads(said.out)
        for name in ("accuracy", "format"):
            assert entry[f"rewards/{name}/mean"] == pytest.approx(means["rewards"][name]["mean"], abs=1e-6)


def batch(task, texts):
    return {
        "prompts": [task["prompt"]] * len(texts),
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "completion_ids": [[1] * len(text) for text in texts],
        "task": [task["task"]] * len(texts),
        "trainer_state": None,
    }


class Biggest:
    """Rewards that compare, and one that says whether a completion was cut."""

    @r1sdk.hookimpl
    def r1_register_rewards(self, register):
        register("longest", longest)
        register("whole", whole)


@r1sdk.group_reward
def longest(rollouts):
    """1.0 for the longest of its group, 0.0 for the others."""
    most = max(len(rollout.completion.text) for rollout in rollouts)
    return [float(len(rollout.completion.text) == most) for rollout in rollouts]


def whole(rollout):
    """1.0 for a completion that was not cut, 0.0 otherwise."""
    return float(rollout.completion.finish == "stop")


@pytest.fixture
def registered(monkeypatch):
    from r1sdk.plugins.loading import installed, load_plugins

    points = {source: point.load for source, point in installed().items()}
    registry = load_plugins({**points, "mine": Biggest})
    monkeypatch.setattr("r1sdk.training.trl.for_trl.load_plugins", lambda: registry)


def test_a_reward_that_compares_needs_the_size_of_a_group_and_notices_another(registered):
    with pytest.raises(r1sdk.R1Error, match="'longest' compares the completions of one prompt: .* num_generations"):
        r1sdk.for_trl("countdown", "longest", tasks=2)
    dataset, (column,), _ = r1sdk.for_trl("countdown", "longest", tasks=2, num_generations=2)
    assert column(**batch(dataset[0], ["a", "bb"])) == [0.0, 1.0]
    with pytest.raises(r1sdk.RewardError, match="num_generations=2, and the trainer has groups of 3"):
        column(**batch(dataset[0], ["a", "bb", "c"]))


def test_the_tokenizer_tells_what_was_cut_and_what_the_template_has_opened(registered):
    class Tokenizer:
        eos_token_id = 1

        def apply_chat_template(self, prompt, tokenize, add_generation_prompt):
            return "?<think>\n"

    without = r1sdk.for_trl("countdown", "whole,format", tasks=1)
    row = without.train_dataset[0]
    given = {**batch(row, ["so</think><answer>1</answer>", "so"]), "completion_ids": [[5, 1], [5, 5]]}
    assert [column(**given) for column in without.reward_funcs] == [[1.0, 1.0], [0.0, 0.0]]
    with_it = r1sdk.for_trl("countdown", "whole,format", tasks=1, tokenizer=Tokenizer())
    assert [column(**given) for column in with_it.reward_funcs] == [[1.0, 0.0], [1.0, 0.0]]


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(r1sdk.R1Error) as caught:
        r1sdk.for_trl("countdwn", "acuracy,length")
    said = str(caught.value)
    assert "did you mean 'countdown'" in said and "did you mean 'accuracy'" in said
    with pytest.raises(r1sdk.R1Error, match="no tasks in split 'dev'|not 'dev'"):
        r1sdk.for_trl("countdown", split="dev")


def test_several_turns_are_left_to_r1_train():
    with pytest.raises(r1sdk.R1Error, match="'guess' has tools or several turns: train on it with r1 train"):
        r1sdk.for_trl("guess", "accuracy", tasks=2)


def test_an_environment_by_name_judges_a_reply_outside_of_a_run():
    import asyncio

    judge = r1sdk.environment("countdown", {"level": "easy"})
    task = next(judge.tasks("test"))
    verdict = asyncio.run(judge.verdict(task, "<think>no</think><answer>1</answer>"))
    assert (verdict.value, verdict.status) == (0.0, "ok") and verdict.reason
    with pytest.raises(r1sdk.UnknownName, match="did you mean 'countdown'"):
        r1sdk.environment("countdwn")
    with pytest.raises(AttributeError, match="has no attribute 'for_trll'"):
        _ = r1sdk.for_trll


def test_the_names_for_programs_are_loaded_when_they_are_asked_for():
    import subprocess
    import sys

    program = (
        "import sys, r1sdk; before = set(sys.modules); r1sdk.environment; r1sdk.for_trl; "
        "print(sorted({'torch', 'trl', 'datasets', 'r1sdk.interop'} & before), 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["[]", "False"]
