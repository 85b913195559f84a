"""Scoring without padding: the same log-probabilities, entropies and gradients as TRL's own."""

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig

    from r1sdk.plugins.loading import load_plugins
    from r1sdk.training.trl.length_chunks import LengthChunkedTrainer

    folder = tmp_path_factory.mktemp("blank")
    load_plugins().get("model", "tiny_blank").target(folder, 0)
    arguments = GRPOConfig(
        output_dir=str(folder / "out"), num_generations=4, per_device_train_batch_size=4, use_cpu=True, bf16=False,
        gradient_checkpointing=False, report_to=[],
    )  # fmt: skip
    return LengthChunkedTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        args=arguments,
        reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "?"}]}] * 4),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )


def batch(prompt_lengths, completion_lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    p, t = max(prompt_lengths), max(completion_lengths)
    ids = torch.randint(10, 500, (len(prompt_lengths), p + t), generator=generator)
    place = torch.arange(p + t)
    left, right = torch.tensor(prompt_lengths)[:, None], torch.tensor(completion_lengths)[:, None]
    mask = ((place >= p - left) & (place < p + right)).long()
    return ids, mask, t


def scored(trainer, method, ids, mask, t):
    model = trainer.model
    model.zero_grad()
    logps, entropies, _ = method(trainer, model, ids, mask, t, compute_entropy=True)
    kept = mask[:, -t:]
    (logps * kept).sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    return (logps * kept).detach(), (entropies * kept).detach(), gradient


@pytest.mark.parametrize(
    ("prompts", "completions"),
    [([5] * 32, [3 + 4 * i for i in range(32)]), (list(range(1, 33)), [90] + [4] * 31), ([7] * 3, [1, 2, 40])],
)
def test_scores_and_gradients_are_those_of_trl(trainer, prompts, completions):
    from trl import GRPOTrainer

    from r1sdk.training.trl.length_chunks import LengthChunkedTrainer

    data = batch(prompts, completions)
    ours = scored(trainer, LengthChunkedTrainer._get_per_token_logps_and_entropies, *data)
    theirs = scored(trainer, GRPOTrainer._get_per_token_logps_and_entropies, *data)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def test_less_is_computed_where_lengths_differ(trainer):
    seen = []
    hook = trainer.model.register_forward_pre_hook(
        lambda *call: seen.append(call[2]["input_ids"].numel()), with_kwargs=True
    )
    ids, mask, t = batch([5] * 32, [4] * 31 + [100])
    trainer._get_per_token_logps_and_entropies(trainer.model, ids, mask, t)
    hook.remove()
    assert sum(seen) < ids.numel() / 2
