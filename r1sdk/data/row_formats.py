"""Read the rows of training files: the prompt and the reply of each, found from its keys or from the columns you name."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import R1Error, nearest
from ..records import Completion, Message, Task
from .text_only import check_characters, check_text_only, part_text

SHAPES = """`messages`: [{role, content}, ...]
`prompt` and `completion`: texts or messages
`conversations`: [{from, value}, ...] or [{role, content}, ...], with `system` and `tools` if there are such (ShareGPT)
`instruction`, `input`, `output` (Alpaca); a question column and an answer column; `text`, all of which is trained on
`task` and `completion`: as saved by r1sdk"""
ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "chatgpt", "bot"), "assistant"),
    "system": "system",
    "developer": "developer",
    "function_call": "call",
    **dict.fromkeys(("observation", "tool", "function", "ipython"), "tool"),
}
QUESTIONS = ("prompt", "question", "problem", "query", "instruction", "input")
REPLIES = (
    "completion",
    "response",
    "output",
    "generated_solution",
    "solution",
    "answer",
)  # a worked solution goes before a bare answer
REASONINGS = ("reasoning_content", "reasoning", "thinking", "thought", "deepseek_thinking_trajectory")
_VERDICTS = ("correctness_math_verify", "correctness_llama")  # of OpenR1-Math's generations
_MARKS = (  # OpenThoughts, Bespoke-Stratos -> the tags that models and rewards know
    (re.compile(r"<\|begin_of_thought\|>\s*"), "<think>\n"),
    (re.compile(r"\s*<\|end_of_thought\|>\s*"), "\n</think>\n\n"),
    (re.compile(r"<\|begin_of_solution\|>\s*|\s*<\|end_of_solution\|>"), ""),
)

Pair = tuple[Task, Completion]


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns of a file to read, and the turns of a conversation to train on. None: the column is found by its usual names."""

    prompt: str | None = None  # a text, or messages
    completion: str | None = None  # a text, or messages
    system: str | None = None
    reasoning: str | None = None  # the reasoning before the reply
    turns: Literal["last", "all"] = "last"  # of the assistant in a conversation
    thought_marks: Literal["think", "keep"] = "think"  # <|begin_of_thought|> is written as <think>, or kept
    learns: Literal["demonstrations", "pairs"] = "demonstrations"  # pairs: of a chosen and a rejected reply
    chosen: str | None = None  # a text, or messages
    rejected: str | None = None  # a text, or messages


@dataclass(frozen=True, slots=True)
class _Found:
    """A row after reading: its turns, how many of them (counted from the last) are trained on, and their columns."""

    messages: Sequence[Message]
    learnt: int
    columns: str


def demonstration(row: Mapping[str, Any], columns: RowColumns | None = None) -> Pair:
    """Return the prompt and the reply to learn. Of a conversation the reply is its last turn.

    A `completion` of several turns, which begins with one of the assistant, is learnt as a whole: each of its turns.

    Raises: R1Error where the row has none of `SHAPES`.
    """
    return demonstrations_in(row, columns)[-1]


def demonstrations_in(row: Mapping[str, Any], columns: RowColumns | None = None) -> list[Pair]:
    """Return the demonstrations of a row: one, or with `turns` "all" one for each turn of the assistant. Raises: R1Error."""
    columns = columns or RowColumns()
    check_text_only(row)
    found = _find(row, columns)
    messages = [plain_turn(message, at, columns) for at, message in enumerate(found.messages, 1)]
    if not messages or messages[-1]["role"] != "assistant" or len(messages) == 1 and found.columns != "`text`":
        roles = ", ".join(str(m["role"]) for m in messages) or "nothing"
        raise R1Error(f"a prompt and then a reply of the assistant are needed, got {roles}")
    if not messages[-1]["content"].strip() and not messages[-1].get("tool_calls"):
        raise R1Error("the reply is empty")
    answer = row.get("answer")
    info = {"tools": tools} if (tools := tools_in(row)) else {}
    prompt_ends = [len(messages) - found.learnt]
    if columns.turns == "all" and found.learnt == 1:
        prompt_ends = [at for at, message in enumerate(messages) if message["role"] == "assistant" and at]
    return [
        (
            Task(messages[:at], None if answer is None else str(answer), info, str(row.get("id") or "")),
            Completion(messages[at:] if found.learnt > 1 else messages[at : at + 1]),
        )
        for at in prompt_ends or [0]
    ]


def describe(row: Mapping[str, Any], columns: RowColumns | None = None) -> str:
    """Return from which columns a row is read. Raises: R1Error."""
    columns = columns or RowColumns()
    found = _find(row, columns)
    said = f"read from {found.columns}"
    if columns.thought_marks == "think" and any(
        "<|begin_of_thought|>" in str(m.get("content")) for m in found.messages
    ):
        said += "; <|begin_of_thought|> is written as <think> (data.thought_marks)"
    roles = [ROLES.get(str(m.get("role")), "") for m in found.messages]
    if found.learnt == 1 and columns.turns == "last" and roles.count("assistant") > 1:
        said += "; of a conversation the last turn is learnt (data.turns=all: each turn of the assistant)"
    return said


def _find(row: Mapping[str, Any], columns: RowColumns) -> _Found:
    """Raises: R1Error."""
    if columns.prompt or columns.completion:
        return _named(row, columns)
    task, completion = row.get("task"), row.get("completion")
    if isinstance(task, Mapping) and isinstance(completion, Mapping):
        said = completion.get("messages", [])
        return _Found([*task.get("prompt", []), *said], _turns(said), "`task`, `completion`")
    keys = {str(key).lower(): str(key) for key in row}  # Question and Answer are columns, too
    chat = next(
        (keys[key] for key in ("messages", "conversations", "conversation") if row.get(keys.get(key, "")) is not None),
        None,
    )
    if chat is not None:
        return _conversation(row, chat, keys, columns)
    question = next((keys[key] for key in QUESTIONS if row.get(keys.get(key, "")) is not None), None)
    if question is not None and "generations" in keys and isinstance(row[keys["generations"]], list):
        return _generations(row, question, keys["generations"])
    if question is not None and (tried := _s1k(row, question, keys)) is not None:
        return tried
    reply = next(
        (keys[key] for key in REPLIES if keys.get(key) not in (None, question) and row[keys[key]] is not None), None
    )
    if question is not None and reply is not None:
        more = keys.get("input") if question.lower() == "instruction" else None  # Alpaca
        reasoning = columns.reasoning or next(
            (keys[key] for key in REASONINGS if isinstance(row.get(keys.get(key, "")), str)), None
        )
        return _asked_and_told(row, question, reply, reasoning, columns.system or keys.get("system"), more)
    if isinstance(text := row.get(keys.get("text", "")), str):
        return _Found([{"role": "assistant", "content": text}], 1, "`text`")
    raise R1Error(_no_shape(row))


def _named(row: Mapping[str, Any], columns: RowColumns) -> _Found:
    """The columns that the recipe names. Raises: R1Error for one that is not there."""
    for key, name in (("prompt", columns.prompt), ("completion", columns.completion), ("reasoning", columns.reasoning)):
        if name is not None and name not in row:
            raise R1Error(f"data.{key}_column is {name!r}{nearest(name, list(row))}; found {', '.join(row) or 'none'}")
    lower = {str(key).lower(): str(key) for key in row}
    prompt = columns.prompt or next((lower[key] for key in QUESTIONS if key in lower), None)
    if prompt is None:
        raise R1Error(f"name the column of the prompt with data.prompt_column; found {', '.join(row)}")
    if columns.completion is None and isinstance(chat_of(row[prompt]), list):
        return _Found(as_messages(row[prompt], "user"), 1, f"`{prompt}`")
    completion = columns.completion or next(
        (lower[key] for key in REPLIES if key in lower and lower[key] != prompt), None
    )
    if completion is None:
        raise R1Error(f"name the column of the reply with data.completion_column; found {', '.join(row)}")
    return _asked_and_told(row, prompt, completion, columns.reasoning, columns.system, None)


def _asked_and_told(
    row: Mapping[str, Any], question: str, reply: str, reasoning: str | None, system: str | None, more: str | None
) -> _Found:
    asked, told = as_messages(row[question], "user"), as_messages(row[reply], "assistant")
    said = f"`{question}` -> `{reply}`"
    if more is not None and isinstance(row[more], str) and row[more].strip():
        asked = [{"role": "user", "content": f"{row[question]}\n\n{row[more]}"}]
    if more is not None:
        said = f"`{question}`, `{more}` -> `{reply}`"
    if system is not None and isinstance(row.get(system), str) and row[system].strip():
        asked, said = [{"role": "system", "content": row[system]}, *asked], f"`{system}`, {said}"
    if reasoning is not None and row.get(reasoning) and len(told) == 1:
        told, said = [{**told[0], "reasoning_content": str(row[reasoning])}], f"{said}, thinking from `{reasoning}`"
    return _Found([*asked, *told], _turns(told), said)


def _conversation(row: Mapping[str, Any], key: str, keys: Mapping[str, str], columns: RowColumns) -> _Found:
    """Read `messages` or `conversations`; the reply may be in separate columns (dolphin-r1). Raises: R1Error."""
    messages, said = as_messages(row[key], "user", key), f"`{key}`"
    system = row.get(columns.system or keys.get("system", ""))
    if (
        isinstance(system, str)
        and system.strip()
        and not (messages and ROLES.get(str(messages[0].get("role"))) == "system")
    ):
        messages, said = [{"role": "system", "content": system}, *messages], f"`system`, {said}"
    if messages and ROLES.get(str(messages[-1].get("role"))) == "user":
        reply = next(
            (
                keys[k]
                for k in ("completion", "response", "output", "answer")
                if isinstance(row.get(keys.get(k, "")), str)
            ),
            None,
        )
        if reply is not None:
            told: Message = {"role": "assistant", "content": row[reply]}
            reasoning = columns.reasoning or next(
                (keys[k] for k in REASONINGS if isinstance(row.get(keys.get(k, "")), str)), None
            )
            if reasoning is not None:
                told["reasoning_content"] = row[reasoning]
            thinking = f", thinking from `{reasoning}`" if reasoning else ""
            return _Found([*messages, told], 1, f"{said} -> `{reply}`{thinking}")
    return _Found(messages, 1, said)


def _generations(row: Mapping[str, Any], question: str, key: str) -> _Found:
    """OpenR1-Math: the first generation that was found right. Raises: R1Error where none was."""
    texts = row[key]
    for name in _VERDICTS:
        verdicts = row.get(name)
        if isinstance(verdicts, list) and any(verdict is not None for verdict in verdicts):
            right = [text for text, verdict in zip(texts, verdicts, strict=False) if verdict]
            if not right:
                raise R1Error(f"none of the {len(texts)} `{key}` is right, as `{name}` says")
            return _Found(
                _two(row[question], right[0]), 1, f"`{question}` -> the first of `{key}` that `{name}` finds right"
            )
    if not texts:
        raise R1Error(f"`{key}` is empty")
    return _Found(_two(row[question], texts[0]), 1, f"`{question}` -> the first of `{key}`, which nobody has verified")


def _s1k(row: Mapping[str, Any], question: str, keys: Mapping[str, str]) -> _Found | None:
    """s1K and s1K-1.1: a thinking trajectory and an attempt."""
    for thinking, attempt in (
        ("deepseek_thinking_trajectory", "deepseek_attempt"),
        ("gemini_thinking_trajectory", "gemini_attempt"),
        ("thinking_trajectories", "attempt"),
    ):
        if thinking in keys and attempt in keys:
            thought = row[keys[thinking]]
            thought = thought[0] if isinstance(thought, list) and thought else thought
            messages = _two(row[question], row[keys[attempt]])
            messages[-1]["reasoning_content"] = str(thought or "")
            return _Found(messages, 1, f"`{question}` -> `{keys[thinking]}`, `{keys[attempt]}`")
    return None


def _two(asked: Any, told: Any) -> list[Message]:
    return [*as_messages(asked, "user"), *as_messages(told, "assistant")]


def _turns(said: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of the messages are learnt, counted from the last."""
    return len(said) if len(said) > 1 and said[0].get("role") == "assistant" else 1


def plain_turn(message: Mapping[str, Any], at: int, columns: RowColumns) -> Message:
    """A turn as templates take it: text content, and thinking and tool calls where it has them. Raises: R1Error."""
    if "role" not in message and "from" in message:
        message = {**message, "role": message["from"], "content": message.get("value")}
    role = ROLES.get(str(message.get("role")).lower(), str(message.get("role")))
    calls = message.get("tool_calls") or None
    content = message.get("content")
    if role == "call":
        role, calls, content = "assistant", [json_or_text(content)], ""
    reasoning = next(
        (message[key] for key in REASONINGS if isinstance(message.get(key), str) and message[key].strip()), None
    )
    if isinstance(content, list):
        content, thought = _joined(content, at, role)
        reasoning = reasoning or thought
    if content is None and (calls or reasoning):
        content = ""
    if not isinstance(content, str):
        raise R1Error(
            f"turn {at} ({role}) has {'no content' if content is None else f'the content {content!r:.60}'}: a text is needed"
        )
    try:
        check_characters(content)
        check_characters(reasoning or "")
    except R1Error as error:
        raise R1Error(f"turn {at} ({role}): {error}") from None
    if columns.thought_marks == "think":
        content = _without_marks(content)
    plain: Message = {"role": role, "content": content}
    if reasoning and reasoning.strip() not in content:
        plain["reasoning_content"] = reasoning
    if calls and role == "assistant":
        plain["tool_calls"] = [_call(call, at) for call in (json_or_text(calls) if isinstance(calls, str) else calls)]
    if role == "tool":
        plain |= {key: message[key] for key in ("name", "tool_call_id") if message.get(key)}
    return plain


def _joined(parts: Sequence[Any], at: int, role: str) -> tuple[str, str | None]:
    """The text of a content in parts, and the thinking among them. Raises: R1Error for an image and the like."""
    texts, thoughts = [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("thinking", "reasoning"):
            thoughts.append(str(part.get(kind) or part.get("text") or ""))
            continue
        try:
            texts.append(part_text(part))
        except R1Error as error:
            raise R1Error(f"turn {at} ({role}): {error}") from None
    return "".join(texts), "".join(thoughts) or None


def _without_marks(text: str) -> str:
    if "<|begin_of_thought|>" in text or "<|begin_of_solution|>" in text:
        for mark, tag in _MARKS:
            text = mark.sub(tag, text)
    return text


def _call(call: Any, at: int) -> dict[str, Any]:
    """A tool call as templates take it: {type, function: {name, arguments: a mapping}}. Raises: R1Error."""
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise R1Error(f"turn {at} (assistant): a tool call is {{name, arguments}}, got {call!r:.80}")
    arguments = json_or_text(function.get("arguments") or {})
    if not isinstance(arguments, Mapping):
        raise R1Error(
            f"turn {at} (assistant): the arguments of the call {function['name']!r} must be an object, got {arguments!r:.60}"
        )
    more = {"id": call["id"]} if call.get("id") else {}
    # Tables fill the arguments that other calls have with nulls.
    kept = {key: value for key, value in arguments.items() if value is not None}
    return {**more, "type": "function", "function": {"name": function["name"], "arguments": kept}}


def tools_in(row: Mapping[str, Any]) -> list[Any]:
    """The column `tools`, a list or its JSON. Raises: R1Error."""
    tools = json_or_text(row.get("tools"))
    if not tools:
        return []
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise R1Error(f"`tools` must be a list of JSON schemas, got {row['tools']!r:.80}")
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in tools]


def as_messages(value: Any, role: str, key: str = "") -> list[Message]:
    """A text as one message of `role`; messages, or their JSON, as they are. Raises: R1Error."""
    value = chat_of(value)
    if role == "assistant" and isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str) and not key:
        return [{"role": role, "content": value}]
    if isinstance(value, Mapping) and "role" in value:
        value = [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        turns = [_turn(turn, key) for turn in value]
        return [turn for turn in turns if turn is not None]
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and not math.isnan(value)
        and role == "assistant"
        and not key
    ):
        return [{"role": role, "content": str(value)}]
    raise R1Error(f"{f'`{key}`: ' if key else ''}a text or a list of {{role, content}} is needed, got {value!r:.80}")


def _turn(turn: Any, key: str) -> Message | None:
    """Raises: R1Error where it is no turn."""
    if isinstance(turn, Mapping):
        role = turn.get("role", turn.get("from"))
        if role is not None and (key or "role" in turn) and str(role).lower() in ROLES:
            return dict(turn) if "role" in turn else {**turn, "role": role, "content": turn.get("value")}
    form = "{from: human or gpt, value: ...}" if isinstance(turn, Mapping) and "from" in turn else "{role, content}"
    raise R1Error(
        f"a turn{f' of `{key}`' if key else ''} is {form}, its role one of {', '.join(ROLES)}; got {turn!r:.80}"
    )


def json_or_text(value: Any) -> Any:
    """The value of a text that is a JSON list or object; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def chat_of(value: Any) -> Any:
    """The messages that a text holds as JSON; a text of anything else stays a text."""
    found = json_or_text(value)
    turns = found if isinstance(found, list) else [found]
    is_chat = bool(turns) and all(isinstance(turn, Mapping) and ("role" in turn or "from" in turn) for turn in turns)
    return found if is_chat else value


def _no_shape(row: Mapping[str, Any]) -> str:
    usual = ["messages", "prompt", "completion", "conversations"]
    close = next((hint for key in row if key not in usual and (hint := nearest(key, usual))), "")
    shapes = SHAPES.replace("\n", "\n  ")
    return (
        f"no prompt and reply found in the columns {', '.join(row) or 'none'}{close}\n  name them: "
        f"--set data.prompt_column=... --set data.completion_column=...\n  known formats:\n  {shapes}"
    )
