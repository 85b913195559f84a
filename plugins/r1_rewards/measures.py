"""Measures that several rewards share: the length of a completion, its correctness, its reasoning."""

import r1sdk


def count_tokens(rollout: r1sdk.Rollout) -> int:
    """The completion's length in the model's own tokens. Raises: r1sdk.RewardError for a text without token ids."""
    completion = rollout.completion
    if not completion.token_ids and completion.text:
        raise r1sdk.RewardError("this reward counts tokens, and the completion has text but no token ids")
    return len(completion.token_ids)


def is_right(rollout: r1sdk.Rollout, correct_from: float) -> bool | None:
    """True if the verdict is at least `correct_from`; None if the environment could not verify."""
    if rollout.verdict is None:
        raise r1sdk.RewardError("this reward asks whether the answer is right, and the rollout has no verdict")
    return None if rollout.verdict.value is None else rollout.verdict.value >= correct_from


def check_correct_from(correct_from: float) -> None:
    """Raises: ValueError where no verdict, or every verdict, would be right."""
    if not 0.0 < correct_from <= 1.0:
        raise ValueError(f"correct_from must be above 0 and at most 1, got {correct_from}")


def reasoning(text: str) -> str:
    """The content of the first think block, closed or not; without one, the text up to the first `<answer>`."""
    _, opened, inside = text.partition("<think>")
    if opened:
        return inside.partition("</think>")[0]
    return text.partition("</think>")[0].partition("<answer>")[0]
