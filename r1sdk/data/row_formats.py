"""Read a row of a training file into a prompt and a reply. The row's keys decide its format."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import R1Error, nearest
from ..records import Completion, Message, Task

SHAPES = """`messages`: [{role, content}, ...]
`prompt` and `completion`: texts or messages
`conversations`: [{from, value}, ...], with `system` if there is one (ShareGPT)
`task` and `completion`: as saved by r1sdk"""
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


def demonstration(row: Mapping[str, Any]) -> tuple[Task, Completion]:
    """Return the task and the reply to train on. In a conversation only the last turn is the reply; earlier turns are the prompt.

    If a `completion` has several turns and begins with the assistant, all of its turns are trained on.

    Raises: R1Error if the row has none of `SHAPES`.
    """
    task, completion = row.get("task"), row.get("completion")
    replied = 1
    if isinstance(task, Mapping) and isinstance(completion, Mapping):
        reply = completion.get("messages", [])
        messages, replied = [*task.get("prompt", []), *reply], _turns(reply)
    elif row.get("prompt") is not None and completion is not None:
        reply = _as_messages(completion, "assistant")
        messages, replied = [*_as_messages(row["prompt"], "user"), *reply], _turns(reply)
    elif row.get("messages") is not None:
        messages = _as_messages(row["messages"], "user")
    elif row.get("conversations") is not None:
        messages = _sharegpt(row["conversations"], row.get("system"))
    else:
        raise R1Error(_unknown_format(row))
    return _split(messages, row, replied)


def _turns(reply: Sequence[Mapping[str, Any]]) -> int:
    """Return how many messages, counted from the last, are trained on."""
    return len(reply) if len(reply) > 1 and reply[0].get("role") == "assistant" else 1


def _split(messages: Sequence[Mapping[str, Any]], row: Mapping[str, Any], replied: int) -> tuple[Task, Completion]:
    plain: list[Message] = [{"role": str(m.get("role")), "content": m.get("content")} for m in messages]
    if len(plain) < 2 or plain[-1]["role"] != "assistant":
        roles = ", ".join(str(m["role"]) for m in plain) or "nothing"
        raise R1Error(f"a row needs a prompt and then a reply of the assistant, got {roles}")
    if not isinstance(plain[-1]["content"], str) or not plain[-1]["content"].strip():
        raise R1Error("the reply is empty")
    answer = row.get("answer")
    task = Task(plain[:-replied], None if answer is None else str(answer), id=str(row.get("id") or ""))
    return task, Completion(plain[-replied:])


def _as_messages(value: Any, role: str) -> list[Message]:
    """Return a text as one message of `role`, or messages unchanged. Raises: R1Error."""
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, Sequence) and all(isinstance(message, Mapping) and "role" in message for message in value):
        return [dict(message) for message in value]
    raise R1Error(f"expected a text or a list of {{role, content}}, got {value!r:.80}")


def _sharegpt(turns: Any, system: Any) -> list[Message]:
    """Convert the turns of a ShareGPT conversation. Raises: R1Error."""
    found: list[Message] = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
    for turn in turns if isinstance(turns, Sequence) else [turns]:
        role = ROLES.get(str(turn.get("from"))) if isinstance(turn, Mapping) else None
        if role is None:
            raise R1Error(f"a turn of `conversations` must be {{from: human or gpt, value: ...}}, got {turn!r:.80}")
        found.append({"role": role, "content": turn.get("value")})
    return found


def _unknown_format(row: Mapping[str, Any]) -> str:
    close = next(
        (hint for key in row if (hint := nearest(key, ["messages", "prompt", "completion", "conversations"]))), ""
    )
    shapes = SHAPES.replace("\n", "\n  ")
    return f"no prompt and reply found in the columns {', '.join(row) or 'none'}{close}\n  known formats:\n  {shapes}"
