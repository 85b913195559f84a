"""The training methods: for each, the data that it learns from, and the trainer of TRL that it runs on."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Method:
    """One training method. `learns_from`: tasks that the model attempts while it trains, or rows that are there already."""

    title: str  # in words
    learns_from: Literal["tasks", "demonstrations", "pairs"]
    trains: bool = True

    @property
    def plays(self) -> bool:
        """True if the model that learns attempts the training tasks, and its attempts are judged and kept."""
        return self.learns_from == "tasks" and self.trains

    @property
    def reads_rows(self) -> bool:
        """True if it learns from `data`: a file, a data set on the hub, or an environment's demonstrations."""
        return self.learns_from != "tasks"


METHODS = {
    "grpo": Method("GRPO (arXiv 2402.03300)", "tasks"),
    "sft": Method("supervised fine-tuning", "demonstrations"),
    "dpo": Method("direct preference optimization (arXiv 2305.18290)", "pairs"),
    "distill": Method("on-policy distillation (arXiv 2306.13649)", "tasks"),
    "generate": Method("no training: answers are generated and selected", "tasks", trains=False),
}
