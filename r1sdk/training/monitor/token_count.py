"""The number of tokens that a training has read, kept over a resume."""

from typing import Any

from transformers import TrainerCallback


class TokenCount(TrainerCallback):  # type: ignore[misc]
    """Keeps the count of TRL's trainers for SFT and DPO in the trainer's state, which is saved: they have it in memory alone."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if args.include_num_input_tokens_seen == "no":
            self.trainer._total_train_tokens = state.num_input_tokens_seen

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if args.include_num_input_tokens_seen == "no":
            state.num_input_tokens_seen = self.trainer._total_train_tokens


def counting(trainer: Any) -> Any:
    """Make `trainer` continue its count of tokens after a resume, and return it."""
    trainer.add_callback(TokenCount(trainer))
    return trainer
