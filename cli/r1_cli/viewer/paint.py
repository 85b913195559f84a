"""Draw a rollout for the terminal. Model-written text reaches the terminal as plain text only."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from r1sdk.report import RolloutRow, last_prompt, reply_parts, reply_text, session_summary, visible

RIGHT, WRONG, OTHER, DIM, ENVIRONMENT = "#5fcf8c", "#ff8d83", "#f0c15c", "#8b949e", "#79b8ff"
HIT = "bold black on #f0c15c"


def plain(text: str, lines: bool = True) -> str:
    """Return `text` with every character a terminal would act on, such as those of escape sequences, as a visible mark."""
    return visible(text, lines).replace("\t", "    ")


def verdict_mark(value: float | None, status: str) -> tuple[str, str]:
    """Return a word and a colour for a verdict."""
    if status and status != "ok":
        return status, OTHER
    if value is None:
        return "not verified", OTHER
    if value == 1.0:
        return "✓ right", RIGHT
    return ("✗ wrong", WRONG) if value == 0.0 else (f"{value:.2f}", OTHER)


def figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def heading(row: RolloutRow, line: Mapping[str, Any]) -> Text:
    """Return the heading of a rollout: verdict, step, task, reason, rewards and length."""
    word, colour = verdict_mark(row.value, row.status)
    verdict = line.get("verdict") or {}
    text = Text.assemble(
        (word, f"bold {colour}"), (f"  {step_label(row)}  ", "bold"), (plain(row.task, lines=False), DIM)
    )
    if reason := verdict.get("reason"):
        text.append(f"\n{plain(str(reason), lines=False)}", colour)
    if row.total is not None:
        rewards = "  ".join(f"{plain(name, lines=False)} {figure(value)}" for name, value in row.rewards.items())
        text.append(f"\nreward {row.total:.3f}  ", "bold").append(rewards, DIM)
    for name, why in (line.get("reasons") or {}).items():
        text.append(f"\n{plain(str(name), lines=False)}: {plain(str(why), lines=False)}", OTHER)
    text.append(f"\n{row.tokens} tokens", DIM).append(", truncated by the limit" if row.truncated else "", OTHER)
    return text.append(f", {plain(turns, lines=False)}" if (turns := session_summary(line)) else "", DIM)


def step_label(row: RolloutRow) -> str:
    return row.when if row.moment in ("before", "after") else f"step {row.when}" if row.step is not None else ""


def reply(line: Mapping[str, Any]) -> Sequence[RenderableType]:
    """Return the reply: the think part dim, the answer bold, text outside both marked."""
    shown: list[RenderableType] = []
    for part in reply_parts(line):
        style = {"think": DIM, "answer": "bold", "other": OTHER, "environment": ENVIRONMENT, "turn": OTHER}[part.kind]
        title = {"other": "outside the format", "environment": "the environment", "turn": "turn reward"}.get(
            part.kind, part.kind
        )
        shown.append(Rule(Text(title, DIM), align="left", style=DIM))
        shown.append(Text(plain(part.text) or "(empty)", style))
        if not part.closed:
            shown.append(Text("never closed", WRONG))
    return shown or [Text("(empty)", DIM)]


def rollout(row: RolloutRow, line: Mapping[str, Any], marked: Sequence[str] = ()) -> RenderableType:
    """Return a whole rollout, with the `marked` words highlighted."""
    parts: list[RenderableType] = [
        heading(row, line),
        Rule(Text("prompt", DIM), align="left", style=DIM),
        Text(plain(last_prompt(line))),
    ]
    return Group(*highlight([*parts, *reply(line)], marked))


def highlight(parts: Sequence[RenderableType], words: Sequence[str]) -> Sequence[RenderableType]:
    """Highlight every occurrence of the words, in upper or lower case, in the texts among `parts`."""
    shown = [plain(word) for word in words if word]
    if shown:
        pattern = re.compile("|".join(map(re.escape, shown)), re.IGNORECASE)
        for part in parts:
            if isinstance(part, Text):
                part.highlight_regex(pattern, HIT)
    return parts


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Text, Text]:
    """Compare two replies word by word: words only in the old one are red, words only in the new one green."""
    left, right = (_words(plain(reply_text(line))) for line in (old, new))
    before, after = Text(), Text()
    for kind, a, b, c, d in SequenceMatcher(None, left, right, autojunk=len(left) + len(right) > 4000).get_opcodes():
        same = kind == "equal"
        before.append("".join(left[a:b]), None if same else f"{WRONG} on #3d1f1c")
        after.append("".join(right[c:d]), None if same else f"{RIGHT} on #173524")
    return before, after


def _words(text: str) -> list[str]:
    """Split into words with the space after them; each line break stands alone."""
    words: list[str] = []
    for at, row in enumerate(text.split("\n")):
        words += ["\n"] if at else []
        words += [word + " " for word in row.split(" ") if word]
    return words
