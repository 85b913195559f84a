"""The card of a trained model: ours, with figures, and none of the trainer's beside the checkpoints."""

import pytest
import yaml

from r1sdk.recipe.schema import load_recipe
from r1sdk.training.model_card import licence_of


@pytest.fixture(scope="module")
def run(run_r1, tmp_path_factory):
    out = tmp_path_factory.mktemp("card") / "mine"
    sets = ("countdown.train_size=64", "trainer.per_device_train_batch_size=8", "trainer.save_steps=1",
            "generation.samples=4", "generation.max_tokens=16", "evaluation.tasks=4", "evaluation.during=0")  # fmt: skip
    said = run_r1("train", "--env", "countdown", "--model", "tiny_blank", "--steps", "1", "--seed", "7", "--out", out,
                  *(word for one in sets for word in ("--set", one)))  # fmt: skip
    assert said.code == 0, said.err
    assert "batch        one step: 2 prompts x 4 completions = 8 rollouts, 1 update" in said.err
    return out


def test_the_card_says_what_trained_the_model_and_how_right_it_is(run):
    text = (run / "model/README.md").read_text()
    _, front, body = text.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields["library_name"] == "transformers" and fields["license"] == "unknown"
    assert "base_model" not in fields, "a registered model is no id on the hub"
    for part in (
        "| base model | `tiny_blank` |",
        "| data | environment `countdown` with train_size 64 |",
        "| steps | 1 |",
        "| seed | 7 |",
        "one step: 2 prompts x 4 completions",
        "| accuracy | 0.",
        "(n=4)",
        "AutoModelForCausalLM.from_pretrained",
        "fill in the field `license`",
    ):
        assert part in body, part
    assert "None" not in text.replace("null", "") and str(run.parent) not in text


def test_the_recipe_in_the_card_reads_back_as_the_run(run, tmp_path):
    text = (run / "model/README.md").read_text()
    file = tmp_path / "recipe.yaml"
    file.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    assert load_recipe(file).model_copy(update={"output_dir": None}) == load_recipe(run / "recipe.yaml").model_copy(
        update={"output_dir": None}
    )


def test_checkpoints_hold_no_card_of_the_trainer(run):
    assert list((run / "checkpoints").glob("checkpoint-*"))
    assert not list((run / "checkpoints").rglob("README.md"))


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\n# A", "apache-2.0"),
        ("---\nbase_model: x\nlicense: 'mit'\n---\n", "mit"),
        ("---\ntags: [a]\n---\nlicense: mit\n", None),
        ("no front matter", None),
    ],
)
def test_the_licence_is_read_from_the_card_of_the_base_model(tmp_path, card, licence):
    (tmp_path / "README.md").write_text(card)
    assert licence_of(tmp_path) == licence
    assert licence_of(tmp_path / "none") is None
