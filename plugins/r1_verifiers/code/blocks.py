"""The program in a reply: the last fenced block after the think block."""

import re

from ..fences import LINE_END, language_name

_FENCE = re.compile(r"[ ]{0,3}(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^`]*+")


def find_program(text: str, language: str = "python") -> str | None:
    """The last closed block of `language` (its tag in any case, or no tag) after the last `</think>`; None if there is none.

    What lies inside an open think block does not count. Linear in the length of `text`.
    """
    rest = text.rpartition("</think>")[2]
    if "<think>" in rest:
        return None
    program: str | None = None
    fence, wanted = "", False
    lines: list[str] = []
    for line in LINE_END.split(rest):
        if not fence:
            if opened := _FENCE.fullmatch(line):
                tag = language_name(opened[2].strip("{}."))
                fence, wanted, lines = opened[1], tag in ("", language), []
        elif len(line.strip()) >= len(fence) and set(line.strip()) == {fence[0]}:
            if wanted and any(kept.strip() for kept in lines):
                program = "\n".join(lines) + "\n"
            fence = ""
        else:
            lines.append(line)
    return program
