"""Two steps of everything with a small model: GRPO, SFT, evaluation, generation."""

import json
import math
import re
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice
from pathlib import Path

from small_models import KINDS

from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Chat, load_recipe
from r1sdk.records import Rollout
from r1sdk.reply_format import opened_think
from r1sdk.rollout.chat_template import render
from r1sdk.rollout.hf_model import HFModel
from r1sdk.rollout.sampling import Sampling
from r1sdk.rollout.template_text import PLAIN_TEMPLATE
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.chat_tokenizer import settle_ending
from r1sdk.training.models import load_model, load_tokenizer, training_options
from r1sdk.training.sft.sft_rows import template_differences
from r1sdk.training.sft.sft_trainer import sft_trainer
from r1sdk.training.trl.grpo import grpo_trainer

ENV = {"name": "countdown", "options": {"level": "easy", "train_size": 16}}
DEMONSTRATIONS = [
    {"prompt": f"{n}+1?", "completion": f"<think>\none more\n</think>\n\n<answer>{n + 1}</answer>"} for n in range(8)
]


@dataclass(frozen=True)
class Tried:
    """What came of a model."""

    published: str
    grpo: str
    sft: str
    eval: str
    generate: str
    ends: str  # the token that ends a reply
    thinking: str
    notes: str

    @property
    def line(self) -> str:
        """A row of the table in docs/models.md."""
        cells = (
            self.published,
            self.grpo,
            self.sft,
            self.eval,
            self.generate,
            f"`{self.ends}`",
            self.thinking,
            self.notes,
        )
        return f"| {' | '.join(cells)} |"


def try_kind(name: str, where: str, folder: Path) -> Tried:
    """Train and sample the model at `where`. Every number must be finite, and training must change the weights."""
    has_template = KINDS[name].template is not None
    chat = Chat() if has_template else Chat("r1_zero")
    said = StringIO()
    with redirect_stderr(said):
        tokenizer = load_tokenizer(where, chat)
        trained = _grpo(where, chat, folder)
        learnt = _sft(where, folder)
        evaluated = _eval(where, chat, trained)
        generated = _generate(where, chat)
    differences = template_differences(load_tokenizer(where, Chat() if has_template else chat, PLAIN_TEMPLATE))
    notes = [
        line
        for line in dict.fromkeys(said.getvalue().splitlines())
        if line.startswith(("replies end", "the chat template"))
    ]
    notes += [] if has_template else ["no template: `chat_template=r1_zero` for GRPO; SFT gives it a plain one"]
    notes += [difference.partition(" (SFT learns")[0] for difference in differences]
    return Tried(
        KINDS[name].published,
        "works" if trained else "fails",
        learnt,
        evaluated,
        generated,
        str(tokenizer.eos_token).replace("|", "\\|"),
        _thinking(tokenizer, where),
        "; ".join(re.sub(r"<[^<>\s]+>", r"`\g<0>`", note).replace("|", "\\|") for note in notes) or "nothing",
    )


def _plan(where, chat, **keys):
    recipe = {
        "model": where,
        "chat_template": chat.template,
        "generation": {"samples": 4, "max_tokens": 16},
        "trainer": {"max_steps": 2, "per_device_train_batch_size": 4, "learning_rate": 1e-3, "save_strategy": "no"},
        "evaluation": {"tasks": 0},
        **keys,
    }
    return plan_run(load_recipe(None, recipe), load_plugins())


def _grpo(where, chat, folder) -> bool:
    run = replace(_plan(where, chat, env=ENV), rewards={"letters": (letters, 1.0)})
    tokenizer, model = load_tokenizer(where, chat), load_model(where, **training_options(run))
    settle_ending(tokenizer, model)
    before = _weights(model)
    trainer = grpo_trainer(run, model, tokenizer, RunFolder(folder / "grpo"), [])
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return len(losses) == 2 and all(map(math.isfinite, losses)) and before != _weights(model)


def letters(rollout: Rollout) -> float:
    """Return the share of letters in a reply: a reward that differs between the replies of a random model."""
    text = rollout.completion.text
    return sum(map(str.isalpha, text)) / max(1, len(text))


def _weights(model) -> float:
    """A number that changes with the weights."""
    return sum(float(value.detach().double().pow(2).sum()) for value in model.parameters())


def _sft(where, folder) -> str:
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in DEMONSTRATIONS))
    run = _plan(where, Chat(), method="sft", data=str(data))
    tokenizer = load_tokenizer(where, Chat(), PLAIN_TEMPLATE)
    model = load_model(where, **training_options(run))
    before = _weights(model)
    trainer = sft_trainer(run, model, tokenizer, RunFolder(folder / "sft"), [])
    trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    works = len(losses) == 2 and all(map(math.isfinite, losses)) and before != _weights(model)
    return "works" if works else "fails"


def _eval(where, chat, trained) -> str:
    from r1sdk.evaluation.attempts import attempts
    from r1sdk.evaluation.evaluation_summary import summarize

    run = _plan(where, chat, env=ENV)
    model, tokenizer = load_model(where), load_tokenizer(where, chat)
    tasks = list(islice(run.environment.tasks("test"), 4))
    sampling = Sampling(samples=2, max_tokens=16)
    rollouts, scores = [], []
    for some, marks in attempts(
        tasks, run.environment, run.rewards, HFModel(model, tokenizer), sampling, lambda *_: None
    ):
        rollouts += some
        scores += marks
    result = summarize(rollouts, scores, sampling)
    return "works" if len(rollouts) == 8 and 0.0 <= result.accuracy.mean <= 1.0 else "fails"


def _generate(where, chat) -> str:
    model, tokenizer = load_model(where), load_tokenizer(where, chat)
    settle_ending(tokenizer, model)
    asked = [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]]
    (replies,) = HFModel(model, tokenizer).generate(asked, Sampling(samples=3, max_tokens=16))
    whole = all(1 <= len(reply.token_ids) <= 16 for reply in replies)
    starts = opened_think(render(tokenizer, asked[0]))
    return "works" if whole and all(reply.text.startswith(starts) for reply in replies) else "fails"


def _thinking(tokenizer, where) -> str:
    asked = [{"role": "user", "content": "?"}]
    if opened_think(render(tokenizer, asked)):
        return "opened by the prompt"
    off = load_tokenizer(where, Chat(arguments={"enable_thinking": False}), PLAIN_TEMPLATE)
    if render(off, asked) != render(tokenizer, asked):
        return "`template_args: {enable_thinking: false}` switches it off"
    if "analysis" in str(tokenizer.chat_template):
        return "in the channel `analysis`"
    return "in the text, as `<think>`"
