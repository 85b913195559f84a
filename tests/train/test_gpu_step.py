"""The benchmark for one GPU, on a CPU with a toy in place of a model: that it runs, and what it says of itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
PROGRAM = Path(__file__).parents[2] / "benchmarks" / "gpu_step.py"


def gpu_step(*options):
    return subprocess.run([sys.executable, PROGRAM, *options], capture_output=True, text=True, timeout=600, check=False)


def test_it_measures_both_sides_their_phases_and_the_limit():
    done = gpu_step("--shape", "toy", "--prompts", "2", "--max-tokens", "8", "--steps", "2", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("toy, 16 completions of 8 tokens, on ")
    limit = re.search(r"limit: ([\d.]+) TFLOP/s of a matrix product, ([\d.]+) GB/s of a copy", done.stdout)
    assert limit and all(float(number) > 0 for number in limit.groups())
    for side in ("r1sdk", "TRL"):
        phases = re.search(
            rf"{side}: [\d.]+ s a step: generation ([\d.]+)%, judging ([\d.]+)%, training ([\d.]+)%", done.stdout
        )
        assert phases and sum(map(float, phases.groups())) == pytest.approx(100, abs=0.2)
    for rate in re.findall(r"(\d+) tokens/s, ([\d.]+)% of", done.stdout):
        assert float(rate[0]) > 0 and float(rate[1]) > 0
    assert re.search(r"a step, r1sdk / TRL: [\d.]+ \([\d.]+-[\d.]+, n=1\)", done.stdout)


def test_without_a_gpu_it_gives_no_result():
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    done = gpu_step("--shape", "1.5b")
    assert done.returncode == 1 and "no GPU is here" in done.stderr
