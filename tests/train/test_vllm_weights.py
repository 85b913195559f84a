"""The sampler has the trainer's weights: `pytest -m vllm`, and with two processes `pytest -m "vllm and distributed"`.

The weights are changed before every step. vLLM then generates, and its log-probability of each token is compared with the
trainer's, by the metric that every run with vLLM has. In an environment as docs/vllm.md says.
"""

import pytest
from perturbed_run import perturbed

pytestmark = pytest.mark.vllm

CLOSE = 1e-5  # mean of a step's tokens; a stale sampler is at 0.05 and more, the weights being changed this much
FARTHEST_TOKEN = 1e-3  # of a token that was hardly possible, float32 rounds the most


def follows(done, folder):
    """Each step's tokens have, one by one, the log-probabilities that the trainer gives them."""
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    steps = folder.metrics()
    assert len(steps) == 3
    for line in steps:
        assert line["sampling/sampling_logp_difference/max"] < FARTHEST_TOKEN
        assert line["sampler_difference"] < CLOSE
    # The weights themselves: entropies of so few tokens agree to three digits in one of forty runs though the weights differ.
    assert len(set((folder.path / "weights.txt").read_text().split())) == 3


@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_generation_follows_weights_that_were_changed(tmp_path, mode):
    follows(*perturbed(tmp_path / "run", mode))


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("accelerate", "processes"), [("ddp", 2), ("zero2", 1), ("zero2", 2), ("zero3", 1), ("zero3", 2)]
)
@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_it_does_so_in_several_processes_that_share_out_the_work(tmp_path, mode, accelerate, processes):
    if accelerate != "ddp":
        pytest.importorskip("deepspeed")
    follows(*perturbed(tmp_path / "run", mode, accelerate, processes))


@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_a_sampler_that_was_left_behind_stops_the_run_and_is_explained(tmp_path, mode):
    limits = {"sampler_difference": 0.01, "receipts": "off"}
    done, folder = perturbed(tmp_path / "run", mode, None, 1, "--stale", "3", **limits)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "sampler and trainer disagree" in done.stderr
    assert "more than limits.sampler_difference = 0.01" in done.stderr
    assert "A stale sampler generates with weights of an earlier step" in done.stderr
    assert len(folder.metrics()) == 2
