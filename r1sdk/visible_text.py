"""Show text that a model wrote without its invisible effects: control characters, escape sequences and changes of direction."""

import unicodedata

_C0 = "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
_NAMES = {
    **dict(enumerate(_C0.split())),
    0x7F: "DEL",
    0x00AD: "SHY",
    0x061C: "ALM",
    0x180E: "MVS",
    0x200B: "ZWSP",
    0x200C: "ZWNJ",
    0x200D: "ZWJ",
    0x200E: "LRM",
    0x200F: "RLM",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x2060: "WJ",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
    0xFEFF: "BOM",
}
# Python calls these printable, and fonts draw nothing for them.
_BLANK = frozenset([0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)])
_JOINERS = frozenset([0x200C, 0x200D])
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def visible(text: str, lines: bool = True) -> str:
    """Return `text` with each character that acts on a screen, or that no font draws, replaced by a mark that you can see.

    The mark is a name or a number: `‹ESC›`, `‹RLO›`, `‹U+009B›`. Letters of every script, line ends, tabs and spaces stay.
    So do one joiner or variation selector after a character beyond ASCII, because emoji and the scripts of Persian and India
    need them. Without `lines`, a line end or tab becomes a space.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    previous = 0  # 0 also after an invisible character
    for character in text:
        code = ord(character)
        if character in "\n\t":
            shown.append(character if lines else " ")
            previous = 0
            continue
        is_attached = code in _JOINERS or any(code in some for some in _SELECTORS)
        if is_attached and previous > 0x7F:
            shown.append(character)
            previous = 0
        elif not is_attached and _is_drawn(character, code):
            shown.append(character)
            previous = code
        else:
            shown.append(_mark(code))
            previous = 0
    return "".join(shown)


def _is_drawn(character: str, code: int) -> bool:
    return code not in _BLANK and (character.isprintable() or unicodedata.category(character) == "Zs")


def _mark(code: int) -> str:
    return f"‹{_NAMES.get(code) or f'U+{code:04X}'}›"
