"""Training on programs that are run: `pytest -m slow tests/train/test_code_training.py`, about a minute on two cores."""

import json
from pathlib import Path

import pytest

from r1_envs.code import CodeProblems
from r1_envs.code.code_env import OWN

PROBLEMS = [
    {
        "prompt": "Print the sum of the two numbers.",
        "tests": [{"input": "1 2", "output": "3"}, {"input": "-5 5", "output": "0"}],
        "solution": "print(sum(map(int, input().split())))",
    },
    {
        "prompt": "Print the product of the two numbers.",
        "tests": [{"input": "1 2", "output": "2"}, {"input": "-5 5", "output": "-25"}],
        "solution": "a, b = map(int, input().split())\nprint(a * b)",
    },
]


@pytest.mark.slow
def test_a_model_that_has_seen_two_solutions_is_trained_on_programs_that_are_run(tmp_path, run_r1):
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(json.dumps(problem) + "\n" for problem in PROBLEMS))

    def sets(*given):
        common = (f"env.options.source={file}", "env.options.test_share=0", "evaluation.tasks=0")
        return [argument for setting in (*common, *given) for argument in ("--set", setting)]

    how = ("method=sft", "rewards=[]", "trainer.per_device_train_batch_size=4", "trainer.learning_rate=3e-3")
    more = ("trainer.lr_scheduler_type=constant", "trainer.max_length=512")
    said = run_r1(
        *("train", "--env", "code", "--model", "tiny", "--steps", "130", "--out", "sft"),
        *sets(*how, *more),
        cwd=tmp_path,
    )
    assert said.code == 0, said.err
    small = ("generation.max_tokens=160", "generation.samples=4", "trainer.per_device_train_batch_size=8")
    said = run_r1(
        *(
            "train",
            "--env",
            "code",
            "--rewards",
            "accuracy,code_format",
            "--model",
            "sft",
            "--steps",
            "3",
            "--out",
            "rl",
        ),
        *sets(*small),
        cwd=tmp_path,
    )
    assert said.code == 0, said.err
    rollouts = [json.loads(line) for line in (tmp_path / "rl" / "rollouts.jsonl").read_text().splitlines()]
    assert len(rollouts) == 24
    for rollout in rollouts:
        verdict, rewards = rollout["verdict"], rollout["rewards"]
        assert verdict["status"] in ("ok", "timeout") and rewards["accuracy"] == verdict["value"]
        assert (verdict["extracted"] is None) == verdict["reason"].startswith("no closed block")
    ran = [rollout for rollout in rollouts if "tests passed" in rollout["verdict"]["reason"]]
    assert len(ran) >= 12 and all(rollout["verdict"]["seconds"] > 0.0005 for rollout in ran)
    assert any(rollout["verdict"]["value"] == 1.0 for rollout in ran), "not even a memorised program passes"


def test_every_demonstration_holds_the_reference_solution():
    env = CodeProblems(test_share=0.0)
    shown = list(env.demonstrations("train"))
    solutions = [json.loads(line)["solution"] for line in Path(OWN).read_text(encoding="utf-8").splitlines()]
    assert [task.answer for task, _ in shown] == solutions
    assert all(task.answer.rstrip() in completion.text for task, completion in shown)
