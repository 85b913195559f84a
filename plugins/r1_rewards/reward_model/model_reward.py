"""The reward `reward_model`: the score that a trained reward model gives the conversation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import r1sdk


@r1sdk.group_reward
@dataclass(frozen=True)
class RewardModel:
    """Any number: a reward model's score of the conversation; with `sigmoid`, or for a `label`, 0.0 to 1.0.

    The model is a sequence classifier (`AutoModelForSequenceClassification`) with one output, or with several of which
    `label` names the one whose probability is the price. It reads the prompt and the reply, reasoning included, by its own chat
    template, or, where its tokenizer has none, as two texts one after the other. Special tokens in a text are taken
    apart before, so that a completion cannot close its own turn.

    None for a conversation of more than `max_tokens` tokens, none of which is left out, and for a score that is not finite;
    where a group has no finite score at all it raises `r1sdk.Unavailable`. The model is loaded with the first group,
    once in each process; it stays beside the policy, so its memory is needed too.
    """

    model: str = ""  # a folder, or a hub id
    revision: str | None = None  # of a hub id; None: the newest
    label: int | None = None  # the output to be paid, where the model has several
    sigmoid: bool = False  # the score through 1 / (1 + exp(-score))
    device: str = "auto"  # auto: the process's GPU if it has one, else the CPU
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"  # auto: as it is saved
    batch_size: int = 16  # conversations at a time
    max_tokens: int | None = None  # of prompt and reply together; None: as many as the model takes

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_tokens"):
            if (getattr(self, name) or 1) < 1 or getattr(self, name) == 0:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.label is not None and self.sigmoid:
            raise ValueError("sigmoid is for a model of one output; a label's price is its probability already")
        if self.label is not None and self.label < 0:
            raise ValueError(f"label must be 0 or more, got {self.label}")
        if not self.model:
            raise ValueError("model must be a folder or a hub id")
        folder = Path(self.model).expanduser()
        if folder.is_dir():
            _check_folder(folder, self.label)
        elif self.model.startswith((".", "/", "~")) or self.model.count("/") > 1:
            raise ValueError(f"model {self.model!r}: there is no such folder")
        if find_spec("transformers") is None or find_spec("torch") is None:
            raise r1sdk.R1Error("it needs: pip install 'r1sdk[train]'")

    def __call__(self, rollouts: Sequence[r1sdk.Rollout]) -> list[float | None]:
        from .classifier import load_classifier

        folder = Path(self.model).expanduser()
        classifier = load_classifier(
            str(folder) if folder.is_dir() else self.model, self.revision, self.device, self.dtype
        )
        classifier.check_label(self.label)
        conversations = [(rollout.task.prompt, rollout.completion.messages) for rollout in rollouts]
        scores = classifier.scores(conversations, self.label, self.sigmoid, self.batch_size, self.max_tokens)
        finite = [score for score in scores if score.value is not None]
        if not finite and any(score.broken for score in scores):
            raise r1sdk.Unavailable(f"reward model {self.model!r} gives no finite score for this group")
        return [score.value for score in scores]


def _check_folder(folder: Path, label: int | None) -> None:
    """Raises: ValueError where the folder is known to hold no classifier, or one with other outputs."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"model {str(folder)!r} has no config.json that can be read: {error}") from None
    names = config.get("architectures") or []
    if not any(str(name).endswith("ForSequenceClassification") for name in names):
        raise ValueError(
            f"model {str(folder)!r} is no sequence classifier but {', '.join(map(str, names)) or 'of unknown architecture'}"
        )
    outputs = len(config.get("id2label") or ("", ""))  # the default of transformers
    from .classifier import check_label

    check_label(str(folder), outputs, label)
