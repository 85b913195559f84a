"""Generation that drops finished rows: the same greedy text as `model.generate`, padding and ends included."""

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from transformers import AutoModelForCausalLM

    from r1sdk.plugins.loading import load_plugins

    folder = tmp_path_factory.mktemp("blank")
    load_plugins().get("model", "tiny_blank").target(folder, 0)
    return AutoModelForCausalLM.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(10, 500, (12, 9), generator=generator)
    mask = (torch.arange(9) >= torch.tensor([0, 3, 6] * 4)[:, None]).long()
    return ids * mask, mask


def settings(**more):
    from transformers import GenerationConfig

    return GenerationConfig(max_new_tokens=100, pad_token_id=0, **more)


def ends_of(model, prompts):
    """Tokens that some rows reach early and some never do."""
    ids, mask = prompts
    out = type(model).generate(
        model, input_ids=ids, attention_mask=mask, generation_config=settings(do_sample=False, eos_token_id=[639])
    )
    return [int(out[0, 20]), int(out[5, 60])]


def test_greedy_text_is_that_of_transformers(model, prompts):
    from r1sdk.rollout.compacting import generate

    ids, mask = prompts
    config = settings(do_sample=False, eos_token_id=ends_of(model, prompts))
    ours = generate(model, ids, mask, config)
    theirs = type(model).generate(model, input_ids=ids, attention_mask=mask, generation_config=config)
    lengths = (theirs[:, 9:] != 0).sum(1)
    assert lengths.min() < 60 < lengths.max() or lengths.min() < 30
    assert torch.equal(ours[:, : theirs.size(1)], theirs) and (ours[:, theirs.size(1) :] == 0).all()


def test_finished_rows_leave_the_batch(model, prompts):
    from r1sdk.rollout.compacting import generate

    ids, mask = prompts
    sizes = []
    hook = model.register_forward_pre_hook(lambda *call: sizes.append(len(call[2]["input_ids"])), with_kwargs=True)
    generate(model, ids, mask, settings(do_sample=False, eos_token_id=ends_of(model, prompts)))
    hook.remove()
    assert sizes[-1] < 12


def test_sampling_ends_where_an_end_token_was_drawn(model, prompts):
    from r1sdk.rollout.compacting import generate

    ids, mask = prompts
    torch.manual_seed(0)
    ends = list(range(1, 40))
    out = generate(model, ids, mask, settings(do_sample=True, top_k=0, eos_token_id=ends))[:, 9:]
    for row in out.tolist():
        at = next((i for i, token in enumerate(row) if token in ends), None)
        assert at is None or not any(row[at + 1 :])
