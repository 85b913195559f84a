r"""The tokens of a mathematical answer: numbers in any notation of thousands, letters, words, units, commands and signs.

Letters are letters first. A run of letters is a word only where it is a known name, or reads like a word; a unit is one only where
it is written as one: in `\mathrm` or `\text`, or by a name of more than one letter.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from .signs import CannotRead
from .units import ALL_SYMBOLS, is_rare_symbol, is_unit_symbol, is_unit_word, unit_name

Kind = Literal["number", "letter", "command", "sign", "word", "unit", "end"]
MAX_TOKENS = 600


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` is what it says: the digits of a number, the name of a command without its backslash."""

    kind: Kind
    text: str
    spaced: bool = False  # white space stands in front of it
    places: int | None = None  # of a number: its decimal places; None: none are written
    upright: bool = False  # set by \mathrm, \text or the like


END = Token("end", "")
OPENERS = frozenset(["(", "[", "{", "langle", "lfloor", "lceil"])
CLOSERS = frozenset([")", "]", "}", "rangle", "rfloor", "rceil"])
FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "sinh",
        "cosh",
        "tanh",
        "coth",
        "arcsin",
        "arccos",
        "arctan",
        "arccot",
        "arcsec",
        "arccsc",
        "asin",
        "acos",
        "atan",
        "arsinh",
        "arcosh",
        "artanh",
        "log",
        "ln",
        "lg",
        "exp",
        "sqrt",
        "cbrt",
        "abs",
        "floor",
        "ceil",
        "max",
        "min",
        "gcd",
        "lcm",
        "det",
        "arg",
        "Re",
        "Im",
        "sgn",
        "dim",
        "deg",
        "ker",
        "rank",
        "tr",
        "erf",
        "binom",
        "cosec",
        "tg",
        "ctg",
        "arctg",
        "cis",
    ]
)
_NAMES = {"pi", "infinity", "inf", "oo", "mod", "infty", "theta", "alpha", "beta", "lambda", "omega", "phi"}
_KEYWORDS = frozenset(
    [
        "and",
        "or",
        "if",
        "where",
        "for",
        "with",
        "when",
        "such",
        "that",
        "than",
        "to",
        "is",
        "are",
        "all",
        "any",
        "per",
        "in",
        "not",
        "of",
        "the",
        "by",
        "on",
        "at",
        "no",
        "only",
        "also",
        "then",
        "so",
        "from",
        "over",
    ]
)
_SHORT_WORDS = frozenset(
    [
        "no",
        "am",
        "pm",
        "up",
        "by",
        "dne",
        "if",
        "we",
        "it",
        "he",
        "so",
        "be",
        "an",
        "my",
        "us",
        "do",
        "go",
        "as",
        "at",
        "why",
        "try",
        "dry",
        "sky",
        "fly",
        "shy",
    ]
)
_RENAMED = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "leqslant": "le", "leq": "le",
    "geqslant": "ge", "geq": "ge", "leqq": "le", "geqq": "ge", "ne": "neq", "to": "rightarrow", "gets": "leftarrow", "lbrace": "{", "rbrace": "}",
    "lbrack": "[", "rbrack": "]", "lvert": "|", "rvert": "|", "vert": "|", "mid": "mid", "land": "wedge", "lor": "vee", "degree": "circ",
    "ast": "cdot", "bullet": "cdot", "varnothing": "emptyset", "R": "RR", "Z": "ZZ", "N": "NN", "Q": "QQ", "C": "CC", "infin": "infty",
    "thickapprox": "approx", "simeq": "approx", "lt": "<", "gt": ">", "colon": ":", "arctg": "arctan", "tg": "tan", "ctg": "cot",
    "cosec": "csc", "varphi": "phi", "varepsilon": "epsilon", "vartheta": "theta", "dots": "ldots", "cdots": "ldots", "vdots": "ldots",
    "Longrightarrow": "Rightarrow", "implies": "Rightarrow", "iff": "Leftrightarrow", "hbox": "text", "pounds": "£", "euro": "€",
    "backslash": "setminus", "smallsetminus": "setminus",
}  # fmt: skip
_DROPPED = frozenset(
    [
        "left",
        "right",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "Biggl",
        "Biggr",
        "bigm",
        "middle",
        "displaystyle",
        "textstyle",
        "scriptstyle",
        "limits",
        "nolimits",
        "tiny",
        "scriptsize",
        "footnotesize",
        "small",
        "normalsize",
        "large",
        "Large",
        "LARGE",
        "huge",
        "Huge",
        "rm",
        "bf",
        "it",
        "boldmath",
        "hfill",
        "noindent",
        "nonumber",
        "strut",
        "allowbreak",
    ]
)
_TEXTS = frozenset(
    [
        "text",
        "textrm",
        "textbf",
        "textit",
        "textnormal",
        "texttt",
        "textsf",
        "mbox",
        "mathrm",
        "mathit",
        "mathsf",
        "operatorname",
        "mathop",
        "emph",
    ]
)
_SEE_THROUGH = frozenset(
    [
        "boxed",
        "fbox",
        "underline",
        "mathbf",
        "boldsymbol",
        "bm",
        "pmb",
        "uline",
        "cancel",
        "ensuremath",
        "mathstrut",
        "mathnormal",
        "mathtt",
        "textcircled",
    ]
)
_COLOURED = re.compile(r"\\(?:text)?color\s*\{[^{}]*\}")
# A brace in front of a system, which nothing closes.
_ONE_SIDED = re.compile(r"\\left\s*(?:\\\{|\[|\(|\|)(?=(?:(?!\\left).){0,400}\\right\s*(?:\.|\Z))", re.DOTALL)
_ROW_SPACE = re.compile(r"(\\\\)\s*\[\s*-?[\d.]+\s*(?:pt|ex|em|mm|cm|in)\s*\]")  # behind a row of a matrix
_SPACES = {",", ";", ":", "!", ">", " ", "/", "thinspace", "quad", "qquad", "hspace", "enspace", "medspace", "thickspace", "negthinspace", "nobreakspace"}  # fmt: skip
_NUMBER = re.compile(
    r"""(?P<whole>\d{1,3}(?:(?:,\\!|\{,\}|,|\\,|\\!|\\\ |\ )\d{3}(?!\d))+ | \d+)
        (?P<point>\.(?:\d+|(?=\s*\\(?:overline|dot|bar))|(?!\d)))? | (?P<bare>\.\d+)""",
    re.VERBOSE,
)
_PLAIN = re.compile(r"(?P<whole>\d+)(?P<point>\.(?:\d+|(?=\s*\\(?:overline|dot|bar))|(?!\d)))?|(?P<bare>\.\d+)")
_DECIMAL_COMMA = re.compile(r"(\d+)\{,\}(\d+)|(0),(\d{2,})(?![\d,.])")
_EXPONENT = re.compile(r"[eE]([-+]?\d+)(?![A-Za-z\d])")
_SPAN_ENDS = re.compile(r"(?<!\\)\$\$?|\\[()\[\]]")
_GREEK_UNIT = re.compile(r"[A-Za-z]{0,2}[μΩÅ][A-Za-z]{0,3}")
_UNIT_COMMANDS = (
    (re.compile(r"\\mathring\s*\{\s*(?:\\(?:mathrm|text)\s*\{)?\s*A\s*\}?\s*\}|\\AA(?![A-Za-z])"), "Å"),
    (re.compile(r"\\mu\s*\\(?:mathrm|text)\s*\{\s*~?\s*(?=[A-Za-z]+\s*\})"), r"\\mathrm{μ"),
    (re.compile(r"\\(?:mathrm|text)\s*\{\s*~?\s*([kMGm]?)\s*\}\s*\\Omega(?![A-Za-z])"), r"\\mathrm{\1Ω}"),
    (re.compile(r"(?<=[\d})])((?:\s|\\[,;: ]|~)*)([kM]?)\s*\\Omega(?=\s*(?:\$|\Z))"), r"\1\\mathrm{\2Ω}"),
)
_DOUBTFUL = frozenset("ABCFHST")  # units that are letters behind a letter
_VOWEL = re.compile(r"[aeiouyAEIOUY]")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_CJK_JOINS = {
    "或": "or",
    "或者": "or",
    "和": "and",
    "与": "and",
    "及": "and",
    "以及": "and",
    "且": "and",
    "并且": "and",
}
_OTHER_LETTER = re.compile(r"[^\W\d_]+")


def tokens(text: str) -> list[Token]:
    """The tokens of a tidied answer. Raises: CannotRead."""
    text = _ONE_SIDED.sub("", _COLOURED.sub("", _ROW_SPACE.sub(r"\1", text)))
    if any(name in text for name in (r"\mu", r"\Omega", r"\AA", r"\mathring")):
        for command, sign in _UNIT_COMMANDS:
            text = command.sub(sign, text)
    found = _Lexer(text).read()
    if len(found) > MAX_TOKENS:
        raise CannotRead(f"more than {MAX_TOKENS} signs")
    return found


def _spans(text: str) -> list[tuple[bool, str]]:
    """`text` as pieces that are mathematics (True) or prose, by its dollar signs and LaTeX brackets."""
    ends = list(_SPAN_ENDS.finditer(text))
    dollars = [end for end in ends if end[0].startswith("$")]
    if not ends or (len(dollars) == len(ends) and len(dollars) % 2):
        return [(True, text)]
    pieces: list[tuple[bool, str]] = []
    inside, start = False, 0
    for end in ends:
        pieces.append((inside, text[start : end.start()]))
        inside = not inside if end[0].startswith("$") else end[0] in (r"\(", r"\[")
        start = end.end()
    pieces.append((inside, text[start:]))
    return [(is_maths, piece) for is_maths, piece in pieces if piece.strip()]


def split(found: list[Token], separates: Callable[[Token], bool]) -> list[tuple[list[Token], str]]:
    """`found` at each separator that stands in no bracket, each part with the separator behind it."""
    parts: list[tuple[list[Token], str]] = []
    depth, start = 0, 0
    bars = 0
    for index, token in enumerate(found):
        if token.kind in ("sign", "command"):
            if token.text in OPENERS or token.text.startswith("begin:"):
                depth += 1
            elif token.text in CLOSERS or token.text.startswith("end:"):
                depth = max(0, depth - 1)
            elif token.text == "|":
                bars += 1
        if depth == 0 and separates(token):
            parts.append((found[start:index], token.text))
            start = index + 1
    parts.append((found[start:], ""))
    return parts


class _Lexer:
    """Reads tokens in one pass; `mode` is "maths", "prose" (outside of dollar signs) or "plain" (no dollar signs at all)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[Token] = []
        self.depth: list[str] = []  # open brackets that hold lists

    def read(self) -> list[Token]:
        pieces = _spans(self.text)
        if len(pieces) == 1 and pieces[0][0]:
            has_latex = "\\" in self.text or "^" in self.text
            self._piece(pieces[0][1], "maths" if has_latex or "$" in self.text else "plain")
        else:
            after_maths = False
            for is_maths, piece in pieces:
                if after_maths and is_maths and self._stand_apart(piece):
                    self._add("sign", ",", True)
                self._piece(piece, "maths" if is_maths else "prose", spaced=True)
                after_maths = is_maths
        return self.out

    def _stand_apart(self, piece: str) -> bool:
        """Return True if two formulas with nothing between them are two answers, not one that was broken in two."""
        ended = self.out[-1] if self.out else None
        goes_on = (
            ended is not None
            and ended.kind in ("sign", "command")
            and ended.text in ("+", "-", "=", ",", ";", "cdot", "times", "<", ">", "(")
        )
        return not goes_on and not re.match(
            r"\s*(?:[-+=<>*/,;.^!)]|\\(?:cdot|times|pm|le|ge|ne|approx|cup|text|mathrm|quad|in)\b)", piece
        )

    def _add(self, kind: Kind, text: str, spaced: bool, upright: bool = False, places: int | None = None) -> None:
        self.out.append(Token(kind, text, spaced, places, upright))

    def _piece(self, text: str, mode: str, spaced: bool = False, upright: bool = False) -> None:
        at, end = 0, len(text)
        while at < end:
            sign = text[at]
            if sign in " \n\t~":
                spaced, at = True, at + 1
                continue
            start = at
            if sign.isdigit() or (sign == "." and text[at + 1 : at + 2].isdigit()):
                at = self._number(text, at, spaced, upright)
            elif sign == "\\":
                at, kept = self._command(text, at, mode, spaced)
                if not kept:
                    spaced = True
                    continue
            elif not text.isascii() and (found := self._greek_unit(text, at)):
                self._add("unit", unit_name(found), spaced, upright)
                at += len(found)
            elif sign.isascii() and sign.isalpha():
                run = _WORD.match(text, at)
                assert run is not None
                at = self._letters(text, run[0], at, mode, spaced, upright)
            elif match := (_CJK.match(text, at) or _OTHER_LETTER.match(text, at)):
                self._add("word", _CJK_JOINS.get(match[0], match[0].casefold()), spaced)
                at = match.end()
            else:
                self._sign(sign, spaced)
                at += 1
            spaced = False
            assert at > start

    def _sign(self, sign: str, spaced: bool) -> None:
        if sign in "([":
            self.depth.append(sign)
        elif sign in ")]" and self.depth:
            self.depth.pop()
        self._add("sign", sign, spaced)

    def _number(self, text: str, at: int, spaced: bool, upright: bool) -> int:
        if comma := _DECIMAL_COMMA.match(text, at):
            whole, decimals = (comma[1], comma[2]) if comma[1] else (comma[3], comma[4])
            grouped = comma[1] and len(decimals) == 3 and comma[1] != "0"
            if not grouped and not self.depth:
                self._add("number", f"{whole}.{decimals}", spaced, upright, len(decimals))
                return comma.end()
        match = _NUMBER.match(text, at)
        assert match is not None
        whole = match["whole"] or ""
        if not whole.isdigit() and match["whole"]:
            separators = {re.sub(r"[\\!{}]", "", part).strip() for part in re.split(r"\d+", whole)[1:-1]}
            in_list = bool(self.depth) and separators == {","} and "!" not in whole and "{" not in whole
            if (
                len(separators) > 1
                or (in_list and ", " not in self.text)
                or (whole.startswith("0") and separators == {","})
            ):
                match = _PLAIN.match(text, at)
                assert match is not None
                whole = match["whole"] or ""
            elif text[match.start() - 1 : match.start()].isdigit():
                raise CannotRead("two numbers side by side")
        digits = re.sub(r"\D", "", whole) or "0"
        point = match["bare"] or match["point"] or ""
        if point == "." and not re.match(r"\s*\\(?:overline|dot|bar)", text[match.end() : match.end() + 12]):
            if (
                not re.match(r"\s*(?:\\?[)\]},;$]|\\text|\\q|\\end|\\\\|\Z)", text[match.end() : match.end() + 6])
                and not text[match.end() : match.end() + 1].isspace()
            ):
                raise CannotRead("a number with a point behind it")
            point = ""
            end = match.end()
            self._add("number", digits, spaced, upright)
            return end
        if re.match(r"\.\d", text[match.end() : match.end() + 2]):
            raise CannotRead("a number with two points")
        value = digits + point
        exponent = _EXPONENT.match(text, match.end())
        if exponent:
            if len(exponent[1].lstrip("+-0")) > 3:
                raise CannotRead("an exponent of more than 3 digits")
            self._add("number", f"{value}e{int(exponent[1])}", spaced, upright, max(0, len(point) - 1))
            return exponent.end()
        self._add("number", value, spaced, upright, len(point) - 1 if len(point) > 1 else None)
        if point == ".":  # a repeating decimal: its digits come next
            self.out[-1] = replace(self.out[-1], text=digits + ".", places=0)
        return match.end()

    def _letters(self, text: str, run: str, at: int, mode: str, spaced: bool, upright: bool) -> int:
        if mode == "prose" or upright:
            is_symbol = (upright or len(run) > 1) and run in ALL_SYMBOLS
            is_symbol |= (
                upright
                and is_rare_symbol(run)
                and (text[at + len(run) :][:1] in ("/", "^", "·") or text[:at][-1:] in ("/", "·"))
            )
            if (is_symbol and self._takes_unit(run, text[at + len(run) :])) or (
                len(run) > 1 and is_unit_word(run) and self._behind_value(spaced)
            ):
                self._add("unit", unit_name(run), spaced, upright)
                return at + len(run)
            if len(run) == 1 and (mode != "prose" or not re.match(r"\s+[A-Za-z]{2}", text[at + 1 : at + 8])):
                self._add("letter", run, spaced, upright)
                return at + 1
            self._add("word", run.casefold(), spaced, upright)
            return at + len(run)
        if ("'" in run or "’" in run) and not (len(run) > 4 and mode == "plain"):
            run = re.split("['’]", run)[0]
        if len(run) == 1:
            if (
                run == "U"
                and self.out
                and self.out[-1].text in (")", "]")
                and text[at + 1 :].lstrip(" ")[:1] in ("(", "[")
            ):
                self._add("command", "cup", spaced)
            else:
                self._add("letter", run, spaced)
            return at + 1
        after = text[at + len(run) : at + len(run) + 1]
        if run in _NAMES:
            self._add("command", {"infinity": "infty", "inf": "infty", "oo": "infty"}.get(run, run), spaced)
            return at + len(run)
        if run in FUNCTIONS and not (
            run == "min" and self._behind_value(spaced) and text[at + 3 : at + 4] not in ("(", "{")
        ):
            self._add("command", run, spaced)
            return at + len(run)
        is_inch = run.lower() == "in" and self._behind_value(spaced) and self._unit_place(text, at + 2)
        if run.lower() in _KEYWORDS and (mode == "plain" or spaced) and not is_inch:
            self._add("word", run.casefold(), spaced)
            return at + len(run)
        if is_unit_word(run) and self._behind_value(spaced) and (len(run) > 1):
            self._add("unit", unit_name(run), spaced)
            return at + len(run)
        if after != "_" and self._reads_like_a_word(run, mode):
            self._add("word", run.casefold(), spaced)
            return at + len(run)
        name = (
            next((name for name in sorted(FUNCTIONS | _NAMES, key=len, reverse=True) if run.startswith(name)), None)
            if len(run) > 2
            else None
        )
        if name is not None and len(name) > 1 and mode != "prose" and len(run) - len(name) <= 2:
            self._add("command", {"infinity": "infty", "inf": "infty", "oo": "infty"}.get(name, name), spaced)
            for letter in run[len(name) :]:
                self._add("letter", letter, False)
            return at + len(run)
        for index, letter in enumerate(run):
            self._add("letter", letter, spaced and not index)
        return at + len(run)

    def _behind_value(self, spaced: bool) -> bool:
        last = self.out[-1] if self.out else None
        if last is None:
            return False
        return (
            last.kind == "number"
            or (last.kind == "sign" and last.text in ")]}/'²³")
            or (last.kind == "command" and last.text in ("pi", "cdot", "%", "}"))
            or last.kind == "unit"
            or (last.kind == "letter" and spaced)
            or (
                last.kind == "word"
                and last.text in ("per", "square", "cubic", "sq", "cu", "hundred", "thousand", "million", "billion")
            )
        )

    def _unit_place(self, text: str, at: int) -> bool:
        return text[at:].strip(" .") == "" or self.out[-1].kind == "number"

    @staticmethod
    def _reads_like_a_word(run: str, mode: str) -> bool:
        if len(run) < 3 or not _VOWEL.search(run):
            return run.lower() in _SHORT_WORDS and mode == "plain"
        lower = run.lower()
        ascending = all(a < b for a, b in itertools.pairwise(lower))
        return not (ascending and len(run) <= 4 and run.islower()) and not (run.isupper() and len(run) <= 4)

    def _command(self, text: str, at: int, mode: str, spaced: bool) -> tuple[int, bool]:
        """Return the end of a command, and True if it made a token (else it is white space)."""
        match = re.compile(r"\\([A-Za-z]+)\*?|\\(.)", re.DOTALL).match(text, at)
        if match is None:
            return at + 1, False  # a backslash at the very end
        name, end = match[1] or match[2], match.end()
        name = _RENAMED.get(name, name)
        if name in _DROPPED:
            if name in ("left", "right") and text[end : end + 1] == ".":
                end += 1
            return end, False
        if name == "!" or name in _SPACES:
            if name in ("quad", "qquad"):
                self._add("command", "quad", True)
                return end, True
            if name == "hspace":
                close = re.match(r"\*?\s*\{[^{}]*\}", text[end:])
                end += close.end() if close else 0
            return end, False
        if name in ("\n", "~"):
            return end, False
        if name in ("begin", "end"):
            inside, end = _argument(text, end)
            if inside is None:
                raise CannotRead("an environment without its name")
            if inside in ("array", "tabular") and name == "begin":
                columns, after = _argument(text, end)
                end = after if columns is not None else end
            self._add("command", f"{name}:{inside.rstrip('*')}", spaced)
            return end, True
        if name in _TEXTS:
            return self._set_in_text(text, end, name, spaced)
        if name in _SEE_THROUGH:
            inside, after = _argument(text, end)
            if inside is None:
                return end, False
            self._piece(inside, "maths" if mode != "prose" else mode, spaced)
            return after, True
        if name in ("phantom", "hphantom", "vphantom"):
            raise CannotRead("holds a phantom")
        if name in "{[":
            self.depth.append("{")
            self._add("command", name, spaced)
        elif name in "}]":
            if self.depth:
                self.depth.pop()
            self._add("command", name, spaced)
        elif name in ("|", "Vert", "lVert", "rVert"):
            self._add("sign", "‖", spaced)
        elif name in "<>:" or name in ("£", "€"):
            self._add("sign", name, spaced)
        else:
            self._add("command", name, spaced)
        return end, True

    def _set_in_text(self, text: str, at: int, name: str, spaced: bool) -> tuple[int, bool]:
        r"""Read the content of `\text{...}`: a letter of mathematics, a unit, words, or mathematics between dollar signs."""
        inside, end = _argument(text, at)
        if inside is None:
            return at, False
        inside = re.sub(r"(?<=[A-Za-z])\.(?=\s|\Z)", "", inside.replace("~", " "))
        inside = re.sub(r"\\mu\s+(?=[A-Za-z])", "μ", re.sub(r"\\Omega(?![A-Za-z])", "Ω", inside))
        words = inside.strip()
        bare = re.sub(r"\\[,;:! ]", " ", words).strip()
        while (nested := re.fullmatch(r"\\(?:text|mathrm|textbf|textit|mbox|rm)\s*\{([^{}]*)\}", bare)) is not None:
            bare = nested[1].strip()
        spaced = spaced or inside[:1].isspace()
        if not bare:
            return end, False
        if bare in ("i", "e", "d", "j") and not self._unit_in_front():
            self._add("letter", bare, spaced, upright=True)
        elif bare in FUNCTIONS and not (is_unit_word(bare) and (self._behind_value(True) or self._unit_in_front())):
            self._add("command", bare, spaced)
        elif (
            (is_unit_symbol(bare) or (name == "mathrm" and is_rare_symbol(bare)))
            and not re.match(r"\s*[_(]", text[end:])
            and self._takes_unit(bare)
        ):
            self._add("unit", unit_name(bare), spaced, upright=True)
        elif len(bare) == 1 and bare.isalpha() and not _CJK.match(bare):
            self._add("letter", bare, spaced, upright=True)
        elif name in ("mathrm", "operatorname", "mathit") and re.fullmatch(r"[A-Za-z]{2}", bare) and bare.isupper():
            for index, letter in enumerate(bare):
                self._add("letter", letter, spaced and not index)
        elif "$" in inside:
            self._mixed(inside)
        else:
            self._piece(inside, "prose", spaced, upright=True)
        return end, True

    def _mixed(self, inside: str) -> None:
        for is_maths, piece in _spans(inside):
            self._piece(piece, "maths" if is_maths else "prose", True)

    def _greek_unit(self, text: str, at: int) -> str:
        found = _GREEK_UNIT.match(text, at)
        return found[0] if found and is_unit_symbol(found[0]) and self._takes_unit(found[0]) else ""

    def _takes_unit(self, symbol: str, behind: str = "") -> bool:
        """Return True if a symbol that stands here, in front of `behind`, measures what is in front of it."""
        if self._unit_in_front():
            return True
        last = self.out[-1] if self.out else END
        is_degree = "circ" in (last.text, *(token.text for token in self.out[-2:-1] if last.text == "}"))
        if is_degree or (last.kind == "letter" and symbol in _DOUBTFUL):
            return False
        if len(symbol) == 1 and re.match(
            r"-[a-z]{3}" if symbol not in _DOUBTFUL else r"-[a-z]{3}|\s+[A-Za-z]{2}", behind
        ):
            return False
        return self._behind_value(True)

    def _unit_in_front(self) -> bool:
        r"""A unit and a sign that joins units, as `km /`, `N \cdot`, `J / (`; or a fraction of units that begins here."""
        out = self.out[:-1] if [token.text for token in self.out[-2:]] == ["/", "("] else self.out
        last, *before = (*reversed(out[-7:]), END)
        if last.kind == "unit":
            return True
        if last.text in ("/", "cdot", "-", "times", "*"):
            return _ends_in_unit(before)
        if last.text != "{" or len(before) < 2:
            return False
        is_above = before[0].text == "frac" and (before[1].kind == "number" or before[1].text in (")", "}"))
        return is_above or (before[0].text == "}" and _ends_in_unit(before[1:]))


def _ends_in_unit(reversed_tokens: list[Token]) -> bool:
    """Return True for a unit, or a unit with its exponent, read from its end."""
    texts = [token.text for token in reversed_tokens]
    for skipped in (0, 2, 4, 5):
        exponent = texts[:skipped]
        if skipped < len(texts) and reversed_tokens[skipped].kind == "unit":
            return not exponent or "^" == exponent[-1]
    return False


def _argument(text: str, at: int) -> tuple[str | None, int]:
    """The argument in braces that begins at `at`, and where it ends; None where there is none."""
    while at < len(text) and text[at] == " ":
        at += 1
    if at >= len(text) or text[at] != "{":
        return None, at
    depth, start = 0, at + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        depth += (text[at] == "{") - (text[at] == "}")
        at += 1
        if depth == 0:
            return text[start : at - 1], at
    raise CannotRead("a brace that is never closed")


def number_value(token: Token) -> Fraction:
    """The exact value of a number token."""
    return Fraction(token.text.rstrip(".") or "0")
