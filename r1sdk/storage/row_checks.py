"""Checks of rows read back from a run folder: each returns the fault in the shape of a row, or None.

Readers use the fields of a row without looking at their types again, so a damaged row must be found here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ..records import Verdict
from .rollbacks import rollback_fault

_LARGEST = 1e300
_VERDICT = frozenset(field.name for field in fields(Verdict))
_MANIFEST = frozenset(
    ["command", "seed", "versions", "plugins", "recipe", "accelerate", "rows", "folders", "generation", "rollbacks"]
)
_MEASURED = frozenset(
    [
        "reward",
        "reward_std",
        "loss",
        "grad_norm",
        "learning_rate",
        "entropy",
        "kl",
        "frac_reward_zero_std",
        "num_tokens",
        "step_seconds",
        "tokens_per_second",
        "sampler_difference",
        "epoch",
    ]
)


def metric_fault(row: Mapping[str, Any]) -> str | None:
    """Check a line of metrics.jsonl: a kind, a step, and a text or finite numbers."""
    if not isinstance(row.get("kind"), str):
        return "no 'kind', which says what the line is"
    if not _is_count(row.get("step")):
        return f"'step' must be a whole number, got {row.get('step')!r:.40}"
    if row["kind"] == "step":
        names = (name for name, value in row.items() if not _is_number_or_none(value) and _is_measured(name, value))
        if (name := next(names, None)) is not None:
            return f"{name!r} must be a number, got {row[name]!r:.40}"
    elif not isinstance(row.get("text"), str) or not isinstance(row.get("name", ""), str):
        return "no 'text', which a warning has"
    if not _is_number_or_none(row.get("time")):
        return f"'time' must be a number, got {row['time']!r:.40}"
    return None


def rollout_fault(row: Mapping[str, Any]) -> str | None:
    """Check a line that `rollout_line` wrote."""
    task, completion, verdict = row.get("task"), row.get("completion"), row.get("verdict")
    if not isinstance(task, Mapping) or not _are_messages(task.get("prompt")):
        return "'task' must be an object with a prompt, a list of messages"
    if not isinstance(task.get("id", ""), str) or not isinstance(task.get("info", {}), Mapping):
        return "'task' needs a text 'id' and an object 'info'"
    if not isinstance(completion, Mapping) or not _are_messages(completion.get("messages")):
        return "'completion' must be an object with a list of messages"
    if not _is_count(completion.get("tokens", 0)) or not isinstance(completion.get("finish", ""), str):
        return "'completion' needs a count 'tokens' and a text 'finish'"
    if verdict is not None and (fault := _verdict_fault(verdict)):
        return fault
    if row.get("step") is not None and not _is_count(row["step"]):
        return f"'step' must be a whole number, got {row['step']!r:.40}"
    rewards = row.get("rewards", {})
    if not isinstance(rewards, Mapping) or not _are_numbers(rewards.values()) or not _are_numbers([row.get("total")]):
        return "'rewards' must be an object of numbers, and 'total' a number"
    for name in ("statuses", "reasons"):
        if not isinstance(row.get(name, {}), Mapping):
            return f"{name!r} must be an object"
    session = row.get("session", {})
    if not isinstance(session, Mapping):
        return "'session' must be an object"
    return None if _are_turn_rewards(session) else "'turn_rewards' of the session must be a list of numbers"


def answer_fault(row: Mapping[str, Any]) -> str | None:
    """Check a line of answers.jsonl of a generation."""
    if not _is_count(row.get("place")) or not _is_count(row.get("sample")) or not _is_count(row.get("tokens")):
        return "'place', 'sample' and 'tokens' must be counts"
    if not isinstance(row.get("asked"), str) or not isinstance(row.get("finish"), str) or "task" not in row:
        return "'task', 'asked' and 'finish' say whose answer it is and how it ended"
    if not _are_messages(row.get("messages")):
        return "'messages' must be a list of messages"
    counts = [row.get(name) for name in ("prompt_tokens", "completion_tokens")]
    if not all(count is None or _is_count(count) for count in counts):
        return "'prompt_tokens' and 'completion_tokens' must be counts"
    return None if isinstance(row.get("session", {}), Mapping) else "'session' must be an object"


def saved_verdict_fault(row: Mapping[str, Any]) -> str | None:
    """Check a line of verdicts.jsonl of a generation."""
    if not _is_count(row.get("place")) or not _is_count(row.get("sample")):
        return "'place' and 'sample' must be counts"
    verdict = row.get("verdict")
    return _verdict_fault(verdict) if verdict is not None else "no 'verdict'"


def evaluation_fault(value: Any) -> str | None:
    """Check the figures of an evaluation, as before.json and after.json hold them."""
    if not isinstance(value, Mapping):
        return "must be an object"
    estimates = {"accuracy": value.get("accuracy")} | ({"loss": value["loss"]} if "loss" in value else {})
    for name in ("rewards", "pass_at", "categories", "settings"):
        if not isinstance(value.get(name, {}), Mapping):
            return f"{name!r} must be an object"
    estimates |= {f"reward {name}": found for name, found in value.get("rewards", {}).items()}
    estimates |= {f"pass@{k}": found for k, found in value.get("pass_at", {}).items()}
    if any(not str(k).isdigit() for k in value.get("pass_at", {})):
        return "'pass_at' must have counts for keys"
    for key, by in value.get("categories", {}).items():
        if not isinstance(by, Mapping):
            return f"category {key!r} must be an object"
        estimates |= {f"{key} {name}": found for name, found in by.items()}
    if value.get("majority") is not None:
        estimates["majority"] = value["majority"]
    if not _is_count(value.get("samples", 1)) or not _are_numbers([value.get("tokens", 0), value.get("clipped", 0)]):
        return "'samples', 'tokens' and 'clipped' must be numbers"
    wrong = next((name for name, found in estimates.items() if not _is_estimate(found)), None)
    return None if wrong is None else f"{wrong} must be an object with mean, stderr and n"


def manifest_fault(value: Mapping[str, Any]) -> str | None:
    """Check a manifest."""
    if value and not _MANIFEST & value.keys():
        return "it has none of the keys of a manifest"
    for name in ("versions", "plugins", "machine", "generation", "rows", "folders"):
        if not isinstance(value.get(name, {}), Mapping):
            return f"{name!r} must be an object"
    rollbacks = value.get("rollbacks", [])
    if not isinstance(rollbacks, list):
        return "'rollbacks' must be a list"
    if fault := next(filter(None, map(rollback_fault, rollbacks)), None):
        return fault
    if not _are_texts(value.get("command", [])):
        return "'command' must be a list of texts"
    continued = value.get("continued", [])
    if not isinstance(continued, list) or not all(
        isinstance(one, Mapping) and _are_texts(one.get("command")) for one in continued
    ):
        return "'continued' must be a list of objects, each with a command"
    return None


def checkpoint_accuracy_fault(row: Mapping[str, Any]) -> str | None:
    """Check a line of evaluations/checkpoints.jsonl."""
    if not _is_count(row.get("step")) or not _is_count(row.get("n")):
        return "'step' and 'n' must be counts"
    accuracy, values = row.get("accuracy"), row.get("values")
    if not isinstance(accuracy, int | float) or isinstance(accuracy, bool) or not 0.0 <= accuracy <= 1.0:
        return f"'accuracy' must be a number from 0 to 1, got {accuracy!r:.40}"
    return None if isinstance(values, Mapping) and _are_numbers(values.values()) else "'values' must be numbers by task"


def gold_fault(value: Mapping[str, Any]) -> str | None:
    """Check the result of the check of gold answers, as gold.json holds it."""
    if not _is_count(value.get("tasks")) or not _is_count(value.get("checked")):
        return "'tasks' and 'checked' must be counts"
    faults = value.get("faults")
    if not isinstance(faults, list) or not all(_is_gold_fault(one) for one in faults):
        return "'faults' must be a list of objects with index, task, answer and reason"
    return None


def _is_gold_fault(value: Any) -> bool:
    if not isinstance(value, Mapping) or value.keys() != {"index", "task", "answer", "reason"}:
        return False
    return _is_count(value["index"]) and all(isinstance(value[key], str) for key in ("task", "answer", "reason"))


def _is_measured(name: str, value: Any) -> bool:
    """True if readers take the metric `name` for a number; a trainer may log a text under another name."""
    return not isinstance(value, str) or name in _MEASURED or "/" in name


def _is_estimate(value: Any) -> bool:
    if not isinstance(value, Mapping) or not {"mean", "stderr", "n"} <= value.keys():
        return False
    return _are_numbers([value["mean"], value["stderr"]]) and _is_count(value["n"])


def _verdict_fault(verdict: Any) -> str | None:
    if not isinstance(verdict, Mapping) or "value" not in verdict or not _are_numbers([verdict["value"]]):
        return "'verdict' must be null or an object with a number 'value'"
    for name in ("status", "reason"):
        if not isinstance(verdict.get(name, ""), str):
            return f"'verdict' needs a text {name!r}"
    if not _are_numbers([verdict.get("seconds", 0.0)]) or not isinstance(verdict.get("marks", {}), Mapping):
        return "'seconds' of the verdict must be a number, and 'marks' an object"
    if unknown := verdict.keys() - _VERDICT:
        return f"'verdict' has an unknown {min(map(str, unknown))!r}"
    if not _are_turn_rewards(verdict):
        return "'turn_rewards' of the verdict must be a list of numbers"
    extracted = verdict.get("extracted")
    return None if extracted is None or isinstance(extracted, str) else "'extracted' of the verdict must be a text"


def _are_turn_rewards(record: Mapping[str, Any]) -> bool:
    found = record.get("turn_rewards", [])
    return isinstance(found, list) and _are_numbers(found)


def _are_messages(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(m, Mapping) and isinstance(m.get("role"), str) for m in value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(_is_number_or_none(value) for value in values)


def _is_number_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and -_LARGEST < value < _LARGEST)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 60
