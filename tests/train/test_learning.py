"""The main job learns: `pytest -m slow tests/train/test_learning.py`, about six minutes a level on two cores."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("level", "start", "gain"), [("full", 0.30, 0.20), ("easy", 0.40, 0.30)])
def test_the_embedded_model_learns_countdown_on_two_cores(tmp_path, level, start, gain):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "r1_cli", "train", "--env", "countdown", "--rewards", "accuracy,format"]
    command += ["--set", f"env.options.level={level}", "--seed", "3", "--out", str(run)]
    subprocess.run(command, check=True)
    before, after = (json.loads((run / "evaluations" / f"{name}.json").read_text()) for name in ("before", "after"))
    assert before["accuracy"]["n"] >= 500
    assert before["accuracy"]["mean"] >= start
    assert after["accuracy"]["mean"] - before["accuracy"]["mean"] >= gain
    assert after["rewards"]["format"]["mean"] >= 0.95
