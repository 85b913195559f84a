"""Turn demonstrations into token ids and labels, each reply as the chat template itself would write it.

The model reads the rendered prompt and goes on from there, so a reply is learnt as the text that the template puts behind
that prompt: with its think block, its channels, its tool calls and the token that ends it. Some templates cannot do that
(they drop the thinking of a reply, or open a think block in the prompt and write the reply without one). Then the reply is
written by hand, and a `Differences` counts how many rows differ from the template, and why.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby, islice
from typing import Any, NamedTuple

from ...data.demonstrations import first_of, rows_have
from ...errors import R1Error
from ...records import Completion, Message, Task
from ...reply_format import opened_think
from ...rollout.chat_template import TurnWriter, render, split_tokens
from ...rollout.template_text import template_failure

IGNORED = -100  # the label of a token that carries no loss
_TAGS = ("<think>", "</think>")  # texts that a reply has by right, also where a tokenizer calls them special
_ASKED: list[Message] = [{"role": "user", "content": "?"}]


class Written(NamedTuple):
    """One demonstration as text: the prompt, and the reply to learn."""

    prompt: str
    reply: str  # with the token that ends it
    differs: str = ""  # from the template's own rendering of the conversation, and why; empty: it does not
    template: str = ""  # that rendering


@dataclass
class Differences:
    """Counts of replies that are trained differently from the template's own rendering, by reason, with the first of each."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, Written] = field(default_factory=dict)
    rows: int = 0
    control: dict[str, list[str]] = field(default_factory=dict)  # control token in the data -> the rows that have it

    def add(self, written: Written) -> None:
        self.rows += 1
        if written.differs:
            self.counts[written.differs] += 1
            self.first.setdefault(written.differs, written)

    def add_control(self, row: str, tokens: Iterable[str]) -> None:
        for token in tokens:
            self.control.setdefault(token, []).append(row)

    def lines(self) -> list[str]:
        """Return one warning for each reason, with both texts, and one for each control token in the data."""
        return [
            f"{rows_have(rows)} the control token {token!r} in a text, where it is learnt as plain text, with a space in it: "
            f"{first_of(rows)}"
            for token, rows in self.control.items()
        ] + [
            f"{count} of {self.rows} replies differ from what the chat template would write: {reason}\n"
            f"  learnt    {_end_of(self.first[reason].prompt, self.first[reason].reply)}\n"
            f"  template  {_shortened(self.first[reason].template)}"
            for reason, count in self.counts.items()
        ]


def _end_of(prompt: str, reply: str) -> str:
    return f"{prompt[-60:]!r} + {_shortened(reply)}"


def _shortened(text: str) -> str:
    return repr(text) if len(text) <= 400 else f"{text[:120]!r} ... {text[-240:]!r}"


class ReplyWriter:
    """Writes demonstrations with the template of a tokenizer whose ending is settled."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.end = str(tokenizer.eos_token)
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        template = str(tokenizer.chat_template)
        self._names_thinking = any(
            name in template for name in ("reasoning_content", ".thinking", "['thinking']", "reasoning")
        )
        first = list(tokenizer("x")["input_ids"])[:1]
        self._begin = str(tokenizer.bos_token or "") if first == [tokenizer.bos_token_id] else ""
        self._special = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)} - {
            None,
            "",
        }

    def without_control(self, task: Task, completion: Completion) -> tuple[Task, Completion, list[str]]:
        """Return the demonstration with the control tokens in its texts as plain text, and these tokens.

        A text that opens or ends a turn would teach the model a conversation that nobody had. Control tokens are those that
        the template itself writes, and the ends of a text. A row that is one raw text is left as it is.
        """
        if not task.prompt and len(completion.messages) == 1:
            return task, completion, []
        prompt, said = ([self._without_end_of(m) for m in turns] for turns in (task.prompt, completion.messages))
        texts = [str(m.get(key) or "") for m in (*prompt, *said) for key in ("content", "reasoning_content")]
        if not (found := [token for token in self._control if any(token in text for text in texts)]):
            return replace(task, prompt=prompt), replace(completion, messages=said), []
        prompt, said = ([_split(m, found) for m in turns] for turns in (prompt, said))
        return replace(task, prompt=prompt), replace(completion, messages=said), found

    @cached_property
    def _control(self) -> list[str]:
        whole = self._whole([*_ASKED, {"role": "assistant", "content": "5"}], ()) + render(self.tokenizer, _ASKED)
        ends = (self.end, str(self.tokenizer.bos_token or ""))
        return sorted((t for t in self._special if (t in whole or t in ends) and t not in _TAGS), key=len, reverse=True)

    def _without_end_of(self, message: Message) -> Message:
        if message["role"] != "assistant":
            return message
        return {**message, "content": self._without_end(message["content"])}

    def write(self, prompt: Sequence[Message], reply: Message, tools: Sequence[Any] = ()) -> Written:
        """Raises: R1Error where the template cannot write the conversation, or leaves out a tool call."""
        reply = {**reply, "content": self._without_end(reply["content"])}
        if not prompt:
            return Written(self._begin, f"{reply['content']}{self.end}")
        asked = [_with_reasoning(message) for message in prompt]
        before = render(self.tokenizer, asked, tools)
        self._check_tools(prompt, before, tools)
        whole = self._whole([*asked, _with_reasoning(reply)], tools)
        for form, reason in _forms(reply, self._names_thinking):
            text = self._as_template(asked, before, form, tools, whole if form is reply else None)
            if text is not None:
                self._check_calls(form, text)
                return Written(before, self._ended(text, form["content"]), reason, whole)
        if reply.get("tool_calls"):
            self._check_calls(reply, whole)
            raise R1Error("the chat template drops the text or the thinking beside a tool call")
        by_hand, reason = self._by_hand(before, _in_a_block(reply)["content"])
        return Written(before, by_hand, reason, whole)

    def _as_template(
        self, asked: list[Message], before: str, reply: Message, tools: Sequence[Any], whole: str | None = None
    ) -> str | None:
        """Return the template's rendering of a reply after the prompt; None if words of it are missing, or it fails."""
        whole = whole or self._whole([*asked, _with_reasoning(reply)], tools)
        text = self._behind(before, whole) or self._behind_a_question(before, reply, tools)
        kept = (
            text is not None
            and _holds(text, str(reply.get("reasoning_content") or ""))
            and _holds(text, reply["content"])
        )
        return text if kept else None

    def _by_hand(self, before: str, content: str) -> tuple[str, str]:
        """The reply with its thinking in a think block, after the part that the prompt opened; and the reason."""
        opened = opened_think(before)
        thinks = content.lstrip().startswith("<think>")
        if not opened:
            reason = (
                "it drops the thinking, which is learnt"
                if "</think>" in content
                else "it changes the text, which is learnt as it stands"
            )
            return content + self.end, reason
        if "</think>" in opened:
            if not thinks:
                return (
                    content + self.end,
                    "it writes no closed think block before a reply, and the prompt ends with one",
                )
            return content + self.end, "thinking is switched off in the prompt, and the reply thinks"
        if thinks:
            rest = content.lstrip().removeprefix("<think>")
            rest = rest.removeprefix("\n") if opened.endswith("\n") else rest
            return rest + self.end, "it drops the thinking, which is learnt"
        if "</think>" in content:  # the thinking, begun by the prompt
            return content + self.end, "it drops the thinking, which is learnt"
        closing = "</think>\n\n" if opened.endswith("\n") else "\n</think>\n\n"
        return (
            ("\n" if opened.endswith("\n") else "") + closing + content.lstrip() + self.end,
            "the prompt opens a think block, and the reply has no thinking: the block is closed empty",
        )

    def _behind_a_question(self, before: str, reply: Message, tools: Sequence[Any]) -> str | None:
        """The reply as the template writes it behind a bare question, where it writes the prompt in two ways."""
        question = render(self.tokenizer, _ASKED, tools)
        if opened_think(question) != opened_think(before):
            return None
        return self._behind(question, self._whole([*_ASKED, _with_reasoning(reply)], tools))

    def _behind(self, before: str, whole: str) -> str | None:
        """Return the rest of `whole` after `before`; None if it begins differently, or leaves a think block open."""
        if not whole.startswith(before) or len(whole) == len(before):
            return None
        text = whole[len(before) :]
        opened = opened_think(before)
        return None if opened and "</think>" not in opened + text else text

    def _whole(self, messages: list[Message], tools: Sequence[Any]) -> str:
        more = {"tools": list(tools)} if tools else {}
        try:
            return str(self.tokenizer.apply_chat_template(messages, tokenize=False, **more))
        except Exception as error:
            raise R1Error(template_failure(messages, error)) from error

    def _ended(self, text: str, content: str) -> str:
        """`text` up to the token that ends the reply, which is added where the template writes none."""
        last_words = content.rstrip()[-24:]
        at = text.find(self.end, max(0, text.rfind(last_words)) if last_words else 0)
        if at >= 0:
            return text[: at + len(self.end)]
        bare = text.rstrip()
        return bare if any(bare.endswith(token) for token in self._special) else bare + self.end

    def _without_end(self, content: str) -> str:
        """A reply that ends with the end token already; the template writes it again."""
        bare = content.rstrip()
        while bare.endswith(self.end):
            bare = content = bare.removesuffix(self.end).rstrip()
        return content

    def _check_tools(self, prompt: Sequence[Message], before: str, tools: Sequence[Any]) -> None:
        """Raises: R1Error where the template leaves out tools, their calls, or their results."""
        missing = [name for tool in tools if (name := str(tool["function"].get("name"))) not in before]
        if missing:
            raise R1Error(
                f"the chat template does not write tools ({', '.join(missing)}): use a model whose template does"
            )
        for message in prompt:
            self._check_calls(message, before)
            if message["role"] == "tool" and not _holds(before, message["content"]):
                raise R1Error("the chat template does not write what a tool returned")

    @staticmethod
    def _check_calls(message: Message, text: str) -> None:
        names = [call["function"]["name"] for call in message.get("tool_calls") or ()]
        if missing := [name for name in names if name not in text]:
            raise R1Error(
                f"the chat template does not write the tool call {missing[0]!r}: use a model whose template does"
            )


def _split(message: Message, tokens: Sequence[str]) -> Message:
    texts = {key: message[key] for key in ("content", "reasoning_content") if message.get(key)}
    return {**message, **{key: split_tokens(text, tokens) for key, text in texts.items()}}


def _forms(reply: Message, has_field: bool) -> Iterator[tuple[Message, str]]:
    """The forms in which a reply is given to the template, the best first, and how each differs from the row.

    Thinking has a field of its own in some templates (Qwen3, gpt-oss), and stands in the text in others.
    """
    content = reply["content"]
    block = _BLOCK.match(content) if has_field else None
    if block is not None and not reply.get("reasoning_content") and block["thinking"].strip():
        yield {**reply, "content": content[block.end() :], "reasoning_content": block["thinking"].strip()}, ""
    yield reply, ""
    if reply.get("reasoning_content"):
        yield _in_a_block(reply), "it writes no `reasoning_content`, so the thinking is learnt in a <think> block"


_BLOCK = re.compile(r"\s*<think>(?P<thinking>.*?)</think>\s*", re.DOTALL)


def _in_a_block(reply: Message) -> Message:
    """The reply with its thinking in a <think> block of its text."""
    thinking = str(reply.get("reasoning_content") or "").strip()
    if not thinking:
        return reply
    plain = {key: value for key, value in reply.items() if key != "reasoning_content"}
    return {**plain, "content": f"<think>\n{thinking}\n</think>\n\n{reply['content'].lstrip()}"}


def _with_reasoning(message: Message) -> Message:
    """The thinking under each of the names that templates look for."""
    thinking = message.get("reasoning_content")
    return {**message, "thinking": thinking, "reasoning": thinking} if thinking else message


def _holds(text: str, part: str) -> bool:
    """True if `text` has the words of `part`, however they are spaced. Think tags are the template's to write."""
    bare = _BLANK.sub("", part.replace("<think>", "").replace("</think>", ""))
    return bare in _BLANK.sub("", text.replace("<think>", "").replace("</think>", ""))


_BLANK = re.compile(r"\s+")


def demonstration_rows(
    demonstrations: Iterable[tuple[Task, Completion]],
    tokenizer: Any,
    max_length: int | None,
    tally: Differences | None = None,
) -> Iterator[dict[str, Any] | None]:
    """Each demonstration as `input_ids` and `labels`, [T] each, and its `length`; None for one over `max_length`.

    A reply ends with the end-of-sequence token, and it alone carries loss; of several turns, each of the model's does.
    Raises: R1Error where the template cannot write one.
    """
    writer, source = ReplyWriter(tokenizer), iter(demonstrations)
    while some := list(islice(source, 1000)):  # the tokenizer is quick in batches
        for at, (task, completion) in enumerate(some):
            task, completion, control = writer.without_control(task, completion)
            some[at] = (task, completion)
            if tally is not None and control:
                tally.add_control(task.id or _first_words(completion), control)
        single = [pair for pair in some if len(pair[1].messages) == 1]
        written = [_written(writer, task, completion) for task, completion in single]
        if tally is not None:
            for one in written:
                tally.add(one)
        ready = iter(_tokenized(written, tokenizer))
        for task, completion in some:
            row = next(ready) if len(completion.messages) == 1 else _dialogue_row(task, completion, tokenizer)
            yield None if max_length and row["length"] > max_length else row


def _written(writer: ReplyWriter, task: Task, completion: Completion) -> Written:
    try:
        return writer.write(task.prompt, completion.messages[0], task.info.get("tools") or ())
    except R1Error as error:
        where = f" {task.id}" if task.id else ""
        raise R1Error(f"demonstration{where} {_first_words(completion)}: {error}") from error


def _first_words(completion: Completion) -> str:
    return f"({completion.text[:60]!r}...)"


def _tokenized(written: Sequence[Written], tokenizer: Any) -> list[dict[str, Any]]:
    """Prompt and reply as one text has them: a SentencePiece tokenizer puts a space before a text that stands alone."""
    if not written:
        return []

    def ids(texts: list[str]) -> list[list[int]]:
        return [list(row) for row in tokenizer(texts, add_special_tokens=False)["input_ids"]]

    asked = ids([one.prompt for one in written])
    together = ids([one.prompt + one.reply for one in written])
    rows = []
    for one, prompt, whole in zip(written, asked, together, strict=True):
        # A token that spans the border is none that the model could have written behind this prompt.
        reply = whole[len(prompt) :] if whole[: len(prompt)] == prompt else _alone(one.reply, ids)
        rows.append(
            {
                "input_ids": prompt + reply,
                "labels": [IGNORED] * len(prompt) + reply,
                "length": len(prompt) + len(reply),
            }
        )
    return rows


def _alone(reply: str, ids: Any) -> list[int]:
    """The ids of a reply by itself, without a space that the tokenizer puts before the first word of a text."""
    before, whole, plain = ids(["\n", "\n" + reply, reply])
    return list(whole[len(before) :] if whole[: len(before)] == before else plain)


def _dialogue_row(task: Task, completion: Completion, tokenizer: Any) -> dict[str, Any]:
    """A demonstration of several turns, written as it would be played; the environment's messages carry no loss."""
    writer = TurnWriter(tokenizer)
    if any(message.get("tool_calls") or message.get("reasoning_content") for message in completion.messages):
        raise R1Error(
            "a completion of several turns is learnt as its texts, and these have tool calls or thinking in fields of their "
            "own: put the conversation under `messages`, with data.turns=all to learn each turn"
        )
    ids, opened = writer.prompt(task.prompt)
    labels = [IGNORED] * len(ids)
    for spoken, turn in groupby(completion.messages, key=lambda message: message["role"] == "assistant"):
        if not spoken:
            told, opened = writer.between_turns(list(turn))
            ids, labels = ids + told, labels + [IGNORED] * len(told)
            continue
        for message in turn:
            text = _behind_opened(opened, message["content"]) + tokenizer.eos_token
            reply = _alone(text, lambda texts: tokenizer(texts, add_special_tokens=False)["input_ids"])
            ids, labels = ids + reply, labels + reply
    return {"input_ids": ids, "labels": labels, "length": len(ids)}


def _behind_opened(opened: str, text: str) -> str:
    """Return the part of `text` to train on if the template opens the think block itself."""
    if opened and text.lstrip().startswith("<think>"):
        return text.lstrip().removeprefix(opened.rstrip()).removeprefix("\n" if opened.endswith("\n") else "")
    return text


def template_differences(tokenizer: Any) -> list[str]:
    """Return the changes that a template makes to replies that SFT must write by hand, tried on one with thinking and one without."""
    replies: Mapping[str, Message] = {
        "a reply with thinking": {"role": "assistant", "content": "<think>\nhm\n</think>\n\n5"},
        "a reply without": {"role": "assistant", "content": "5"},
    }
    writer, found = ReplyWriter(tokenizer), []
    for what, reply in replies.items():
        try:
            written = writer.write(_ASKED, reply)
        except R1Error as error:
            found.append(f"{what}: {error}")
            continue
        if written.differs:
            found.append(f"{what}: {written.differs} (SFT learns {written.reply!r})")
    return found
