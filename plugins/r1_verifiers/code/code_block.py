"""The fenced blocks of a reply that may be its program.

The rule, also stated in docs/code.md: of the closed blocks behind the think block, those inside the last `<answer>` come first; of these
the blocks that name the language, or, if none names it, those without a tag; a block of comments alone only if there is no other. Of
the blocks that are left, `choose_block` takes the last one that can be an answer by itself.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ..fences import LINE_END, tag_language

# A fence opens a block behind quote marks, one list marker and tags; behind other text only if it names a language.
_OPENING = re.compile(
    r"(?P<quote>(?:[ ]{0,3}+>[ ]?+)*+)(?P<indent>[ \t]*)(?P<marker>(?:[-*+]|\d{1,9}[.)])[ \t]+)?"
    r"(?P<before>[^`~]*?)(?P<fence>`{3,}+|~{3,}+)(?P<info>[^`\r\n]*)"
)
_QUOTE = re.compile(r"^[ ]{0,3}+(?:>[ ]?+)++")
_TAGS = re.compile(r"(?:\s*+<[^<>\s][^<>]{0,40}+>)*+\s*+")
_END = re.compile(r"(?:[ \t]*+(?:<[^<>\s]{1,40}+>|\[/?INST\]))*+[ \t]*+", re.IGNORECASE)  # tags and end tokens
_GLUED = re.compile(r"(?P<code>[^`]*)(?P<fence>`{3,}+)(?P<end>[^`]*)")
_THINK_OPENS = re.compile(r"(?:^|\n)[ \t]*<think>")
_COMMENT = {"python": "#", "bash": "#"}
_MAX_LINE = 20_000  # characters of a line that may hold a fence
_MAX_GLUED = 50  # blocks with a line that may close them though other text stands on it


@dataclass(frozen=True, slots=True)
class Block:
    """A closed fenced block that holds something."""

    code: str
    language: str  # "" without a tag
    number: int  # among the closed blocks behind the think block, from 1
    start: int  # of its opening fence in the text
    end: int  # behind its closing fence


def find_blocks(text: str, language: str = "python") -> list[Block]:
    """Return the blocks of a reply that may be its program, in their order; none inside an open think block.

    Linear in the length of `text`.
    """
    blocks = _behind_think(text)
    if (answer := _answer_of(text, blocks)) is not None:
        inside = [block for block in blocks if answer[0] <= block.start < answer[1]]
        if found := _of_language(inside, language):
            return found
    return _of_language(blocks, language)


def find_program(text: str, language: str = "python") -> str | None:
    """Return the last of `find_blocks`; None if there is none."""
    found = find_blocks(text, language)
    return found[-1].code if found else None


def _of_language(blocks: Sequence[Block], language: str) -> list[Block]:
    found = [block for block in blocks if block.language == language]
    found = found or [block for block in blocks if not block.language]
    return [block for block in found if not _is_comment(block.code, language)] or found


def _is_comment(code: str, language: str) -> bool:
    mark = _COMMENT.get(language, "//")
    return all(not line.strip() or line.strip().startswith(mark) for line in code.split("\n"))


def _behind_think(text: str) -> list[Block]:
    """The blocks behind the last `</think>` that is not itself inside a block behind the first one."""
    first = text.find("</think>")
    start = 0 if first < 0 else first + len("</think>")
    blocks = list(_closed(text, start))
    last = _outside(text, "</think>", start, blocks, is_last=True)
    if last is not None:
        start = last + len("</think>")
        blocks = [block for block in blocks if block.start >= start]
        if not blocks:  # a fence that was left open in the reasoning may have hidden the first one behind it
            blocks = list(_closed(text, start))
    opened = next(
        (
            match.end()
            for match in _THINK_OPENS.finditer(text, start)
            if not any(block.start < match.end() <= block.end for block in blocks)
        ),
        None,
    )
    if opened is not None:
        blocks = [block for block in blocks if block.end <= opened]
    return [Block(b.code, b.language, number, b.start, b.end) for number, b in enumerate(blocks, 1)]


def _answer_of(text: str, blocks: Sequence[Block]) -> tuple[int, int] | None:
    """Return the span of the last `<answer>` outside of the blocks."""
    begin = blocks[0].start if blocks else 0
    begin = max(0, text.rfind("</think>", 0, begin))
    opened = _outside(text, "<answer>", begin, blocks, is_last=True)
    if opened is None:
        return None
    closed = _outside(text, "</answer>", opened, blocks, is_last=False)
    return opened, len(text) if closed is None else closed


def _outside(text: str, tag: str, start: int, blocks: Sequence[Block], *, is_last: bool) -> int | None:
    """Return the position of the first or last `tag` outside of every block."""
    found = None
    at, behind = 0, start
    while (behind := text.find(tag, behind)) >= 0:
        while at < len(blocks) and blocks[at].end <= behind:
            at += 1
        # The line of a fence may hold tags, so only what lies between the fences is inside.
        is_inside = at < len(blocks) and blocks[at].start < behind < blocks[at].end
        if not is_inside:
            found = behind
            if not is_last:
                return found
        behind += len(tag)
    return found


def _closed(text: str, start: int) -> Iterator[Block]:
    """Every closed block behind `start` that holds something; `number` is not set yet."""
    lines = list(_lines(text, start))
    fences = cache(lambda: [found for at, (_, line) in enumerate(lines) if (found := _fence_line(at, line))])
    at = glued = 0
    while at < len(lines):
        opened = _opening(lines[at][1])
        if opened is None:
            at += 1
            continue
        opened_at = lines[at][0] + opened.start("fence")
        end, code, behind, next_at = _close(lines, fences, at, opened, glued < _MAX_GLUED)
        if code is None:
            at = next_at
            continue
        glued += end
        if any(line.strip() for line in code):
            yield Block(
                "\n".join(code).removeprefix("\ufeff") + "\n", tag_language(opened["info"]), 0, opened_at, behind
            )
        at = next_at


def _close(
    lines: Sequence[tuple[int, str]],
    fences: Callable[[], Sequence[tuple[int, int, str]]],
    at: int,
    opened: re.Match[str],
    may_glue: bool,
) -> tuple[int, list[str] | None, int, int]:
    """The lines of the block that `lines[at]` opens: 1 where other text stands beside a fence, the lines, where it ends, the next line.

    None for the lines: it is never closed, or another block opens first.
    """
    fence = opened["fence"]
    outer = len((opened["indent"] + (opened["marker"] or "")).expandtabs(4))
    quoted = bool(opened["quote"].strip())
    code: list[str] = []
    first_glued: tuple[list[str], int, int] | None = None
    for number in range(at + 1, len(lines)):
        begin, line = lines[number]
        if quoted:
            line = _QUOTE.sub("", line, count=1)
        stripped = line.lstrip(" \t")
        indent = len(line[: len(line) - len(stripped)].expandtabs(4))
        run = len(stripped) - len(stripped.lstrip(fence[0]))
        if run >= len(fence) and indent < outer + 4:
            if _END.fullmatch(stripped, run):
                shift = len(lines[number][1]) - len(stripped) + run
                return int(first_glued is not None), code, begin + shift, number + 1
            if run == len(fence) and indent <= outer + 3 and _names_language(stripped[run:]):
                if first_glued is not None:
                    return 1, *first_glued
                return 0, None, 0, number  # it was left open: a new one begins here
        if (
            first_glued is None
            and may_glue
            and fence[0] == "`"
            and len(line) <= _MAX_LINE
            and "```" in line
            and (glued := _GLUED.fullmatch(line))
            and len(glued["fence"]) >= len(fence)
            and (not glued["code"].strip() or _END.fullmatch(glued["end"]))  # code before it, or words behind it
        ):
            shift = len(lines[number][1]) - len(line) + glued.end("fence")
            last = [_shorn(glued["code"], outer)] if glued["code"].strip() else []
            first_glued = ([*code, *last], begin + shift, number + 1)
            if (glued["code"].strip() or indent < outer + 4) and _are_paired(fences(), number + 1, fence, outer):
                return 1, *first_glued
        code.append(_shorn(line, outer))
    if first_glued is not None:
        return 1, *first_glued
    return 0, None, 0, len(lines)


def _are_paired(fences: Sequence[tuple[int, int, str]], at: int, fence: str, outer: int) -> bool:
    """True if the fences from line `at` on come in pairs, so that none of them closes the block before."""
    begin = bisect_left(fences, (at,))
    count = sum(1 for _, indent, mark in fences[begin:] if mark == fence[0] and indent < outer + 4)
    return count > 0 and count % 2 == 0


def _fence_line(number: int, line: str) -> tuple[int, int, str] | None:
    """The number of a line that begins with a fence, the columns before it, and its mark."""
    if "```" not in line and "~~~" not in line:
        return None
    stripped = line.lstrip(" \t")
    is_fence = stripped.startswith(("```", "~~~"))
    return (number, len(line[: len(line) - len(stripped)].expandtabs(4)), stripped[0]) if is_fence else None


def _opening(line: str) -> re.Match[str] | None:
    if len(line) > _MAX_LINE or not ("```" in line or "~~~" in line):
        return None
    opened = _OPENING.fullmatch(line)
    if opened is None:
        return None
    if not _TAGS.fullmatch(opened["before"]) and not _names_language(opened["info"]):
        return None
    return opened


def _names_language(info: str) -> bool:
    return tag_language(info) in ("python", "cpp", "c", "javascript", "rust", "bash", "java", "go", "typescript")


def _shorn(line: str, indent: int) -> str:
    """The line without at most `indent` columns of white space at its start."""
    column = at = 0
    while at < len(line) and line[at] in " \t" and column < indent:
        column = column + 1 if line[at] == " " else (column // 4 + 1) * 4
        at += 1
    return line[at:]


def _lines(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Each line with where it begins."""
    at = start
    for end in LINE_END.finditer(text, start):
        yield at, text[at : end.start()]
        at = end.end()
    yield at, text[at:]
