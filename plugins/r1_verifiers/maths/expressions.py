r"""Expressions: sums, products, powers, functions, brackets and matrices, read from tokens by recursive descent.

Nothing is evaluated. The depth is bounded, and so is the number of tokens; time is linear in both.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from functools import reduce

from .evaluate import letters
from .lexer import CLOSERS, END, FUNCTIONS, OPENERS, Token, number_value
from .piecewise import read_cases, trimmed
from .signs import MAX_LENGTH, CannotRead
from .types import Apply, Bracketed, Constant, Matrix, Node, Number, Quantity, Symbol, Value

MAX_DEPTH = 12  # brackets inside each other
_CLEAR_DIGITS = 6  # digits that tell a value from any other
_MAX_NESTED = 80  # operators inside each other
RELATIONS = {
    "=": "=", "<": "<", ">": ">", "le": "<=", "ge": ">=", "neq": "!=", "approx": "~", "in": "in", "notin": "notin", "subset": "subset",
    "subseteq": "subseteq", "equiv": "==", "sim": "sim", "cong": "cong", "perp": "perp", "parallel": "parallel", "rightarrow": "->", "propto": "propto",
    "supset": "supset", "supseteq": "supseteq", "ll": "<<", "gg": ">>", "mapsto": "->", "Rightarrow": "=>", "Leftrightarrow": "<=>",
}  # fmt: skip
_CONSTANTS = {"pi": "pi", "infty": "infinity", "emptyset": "empty"}
_COUNTS = {"C": "binom", "A": "permutations", "P": "permutations"}
_COUNTED = frozenset("nmkNM")  # letters of which there may be a number of things
_SETS = {"RR", "ZZ", "NN", "QQ", "CC"}
# Marks of a set of numbers, and the sets that they make of one.
_MARKS = {"*": "*", "cdot": "*", "times": "*", "star": "*", "neq0": "*", "+": "+", ">0": "+", "ge1": "+", "-": "-", "<0": "-", "ge0": "0", "0": "0"}  # fmt: skip
_MARKED = {"NN*": "ZZ+", "NN+": "ZZ+", "NN*+": "ZZ+", "NN+*": "ZZ+", "NN0": "NN", "ZZ0": "NN", "ZZ*+": "ZZ+", "ZZ+*": "ZZ+", "RR*+": "RR+", "RR+*": "RR+", "RR+0": "RR0"}  # fmt: skip
_ACCENTS = frozenset(
    [
        "vec",
        "overrightarrow",
        "overline",
        "hat",
        "widehat",
        "bar",
        "tilde",
        "widetilde",
        "dot",
        "ddot",
        "mathcal",
        "mathscr",
        "mathfrak",
        "overleftarrow",
    ]
)
_BIG = frozenset(["sum", "prod", "int", "iint", "iiint", "oint", "lim", "limsup", "liminf", "bigcup", "bigcap", "sup"])
_SHAPES = {"arcctg": "arccot", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot", "cosec": "csc", "arctg": "arctan"}  # fmt: skip
GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "omicron",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
        "partial",
        "nabla",
        "aleph",
        "Re",
        "Im",
        "angle",
        "triangle",
        "square",
        "mho",
        "measuredangle",
        "varpi",
        "varrho",
        "varsigma",
        "wp",
        "star",
        "circ",
        "prime",
        "blacksquare",
        "Box",
        "checkmark",
        "top",
        "imath",
        "jmath",
        "odot",
    ]
)
_CALLED = frozenset("fgFGPpQq")
_BY_ROWS = frozenset(["cases", "dcases", "array", "aligned"])  # environments of a function by cases or a system
PARENS = {"(": ")", "[": "]"}


class Expressions:
    """A parser over a list of tokens. `statement` is supplied by the class of statements, which reads the content of brackets."""

    def __init__(self, tokens: list[Token], depth: int = 0) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = depth
        self.nested = 0
        self.bars = 0
        if depth > MAX_DEPTH:
            raise CannotRead(f"more than {MAX_DEPTH} brackets deep")

    def inner(self, tokens: list[Token]) -> Value:
        """The value of all of `tokens`, which stood in brackets."""
        raise NotImplementedError

    def items(self, tokens: list[Token]) -> tuple[Value, ...]:
        """The values of `tokens` between its separators."""
        raise NotImplementedError

    def alternatives(self, tokens: list[Token]) -> list[list[Token]]:
        """`tokens` at each "or", with commas for "and"."""
        raise NotImplementedError

    # tokens

    def peek(self, ahead: int = 0) -> Token:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else END

    def take(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def sees(self, kind: str, *texts: str) -> bool:
        token = self.peek()
        return token.kind == kind and token.text in texts

    def ends(self) -> bool:
        return self.at >= len(self.tokens)

    def closing(self, at: int) -> int:
        """Return the position that closes the bracket at `at`. Any closing bracket closes any other: `(1,2]` is an interval."""
        depth = 0
        for index in range(at, len(self.tokens)):
            token = self.tokens[index]
            if token.kind in ("sign", "command"):
                if token.text in OPENERS:
                    depth += 1
                elif token.text in CLOSERS:
                    depth -= 1
                    if depth == 0:
                        return index
        raise CannotRead("a bracket that is never closed")

    # sums and products

    def expression(self) -> Node:
        """A sum. Stops at whatever cannot go on with it."""
        left: Node | None = None
        while True:
            token = self.peek()
            signs = 0
            sign = "+"
            while (token.kind == "sign" and token.text in "+-") or (
                token.kind == "command" and token.text in ("pm", "mp")
            ):
                if signs and token.text != "-" and sign != "+":
                    raise CannotRead("signs side by side")
                if token.text == "-" and sign == "-":
                    sign = "+"
                elif token.text != "+":
                    sign = token.text
                signs += 1
                self.take()
                token = self.peek()
            if left is not None and not signs:
                return left
            if signs > 2:
                raise CannotRead("signs side by side")
            term = self.term()
            if sign == "-":
                term = (
                    Number(-term.value, term.places, term.digits) if isinstance(term, Number) else Apply("neg", (term,))
                )
            elif sign in ("pm", "mp"):
                term = Apply(sign, (term,))
            left = term if left is None else Apply("add", (left, term))

    def term(self) -> Node:
        left = self.factor()
        while True:
            token = self.peek()
            if (token.kind == "sign" and token.text in "*/") or (
                token.kind == "command" and (token.text in ("cdot", "times", "div") or self.is_sum_of_groups(left))
            ):
                after = self.peek(1)
                if after.kind in ("unit", "word", "end"):
                    if after.kind == "end":
                        raise CannotRead("ends with an operator")
                    return left
                self.take()
                right = self.signed_factor()
                left = Apply("div" if token.text in ("/", "div") else "mul", (left, right))
            elif self.begins_factor(token) and not self.is_condition() and not self.is_unit_fraction():
                if token.kind == "number" and isinstance(left, Number):
                    raise CannotRead("two numbers side by side")
                left = self.beside(left)
            else:
                return left

    def is_sum_of_groups(self, left: Node) -> bool:
        r"""Return True at the sign of `\mathbb{Z} \oplus \mathbb{Z}_2`, which is their product."""
        return self.sees("command", "oplus") and any(
            isinstance(part, Constant) and part.name[:2] in _SETS for part in (left, *getattr(left, "args", ()))
        )

    def beside(self, left: Node) -> Node:
        """A product without a sign."""
        right = self.factor()
        if isinstance(right, Bracketed) and right.opening in "([" and right.closing != PARENS.get(right.opening):
            raise CannotRead("a value in front of an interval")
        if isinstance(left, Symbol) and isinstance(right, Bracketed) and len(right.items) > 1 and "(" in right.opening:
            return Apply("call", (left, right))
        return Apply("mul", (left, right))

    def signed_factor(self) -> Node:
        if self.sees("sign", "-"):
            self.take()
            return Apply("neg", (self.factor(),))
        if self.sees("sign", "+"):
            self.take()
        return self.factor()

    def begins_factor(self, token: Token) -> bool:
        if token.kind in ("number", "letter"):
            return True
        if token.kind == "sign":
            return token.text in "([{" or (token.text == "|" and not self.bars) or (token.text == "‖" and not self.bars)
        if token.kind == "command":
            return self.is_operand(token.text)
        return False

    @staticmethod
    def is_operand(name: str) -> bool:
        return (
            name in FUNCTIONS or name in _CONSTANTS or name in _SETS or name in _ACCENTS or name in _BIG or name in GREEK
            or name in ("frac", "sqrt", "binom", "{", "langle", "lfloor", "lceil", "mathbb", "ldots", "[")
            or name.startswith("begin:")
        )  # fmt: skip

    def is_unit_fraction(self) -> bool:
        r"""`\frac{\text{km}}{\text{h}}` is a unit."""
        return (
            self.sees("command", "frac")
            and self.peek(1).text == "{"
            and (self.peek(2).kind == "unit" or (self.peek(2).kind == "word" and self.peek(3).text == "}"))
        )

    def is_condition(self) -> bool:
        """A bracket that holds a relation is no factor: `x^2 (x > 0)`."""
        if not self.sees("sign", "("):
            return False
        depth = 0
        for index in range(self.at, len(self.tokens)):
            token = self.tokens[index]
            if token.kind in ("sign", "command"):
                depth += (token.text in OPENERS) - (token.text in CLOSERS)
                if depth == 0:
                    return False
                if depth == 1 and (token.text in RELATIONS or token.text in ("mod", "bmod", "pmod")):
                    return True
            elif depth == 1 and token.kind == "word" and index == self.at + 1:
                return True
        return False

    def factor(self) -> Node:
        self.nested += 1
        if self.nested > _MAX_NESTED:
            raise CannotRead("operators nested too deep")
        base = self.postfix(self.primary())
        self.nested -= 1
        return base

    def postfix(self, base: Node) -> Node:
        while True:
            token = self.peek()
            if token.kind == "sign" and token.text == "^":
                base = self.raised(base)
            elif token.kind == "sign" and token.text == "!":
                self.take()
                if self.sees("sign", "!"):
                    self.take()
                    base = Apply("double_factorial", (base,))
                else:
                    base = Apply("factorial", (base,))
            elif token.kind == "command" and token.text == "%" and self.begins_factor(self.peek(1)):
                self.take()
                base = Apply("percent", (base,))
            elif token.kind == "sign" and token.text == "'" and not isinstance(base, Number):
                self.take()
                base = Apply("prime", (base,))
            else:
                return base

    def raised(self, base: Node) -> Node:
        self.take()
        token, after = self.peek(), self.peek(1)
        if token.kind == "command" and token.text == "circ":
            self.take()
            return self.degrees(base)
        if token.kind == "sign" and token.text == "{" and after.text == "circ" and self.peek(2).text == "}":
            self.at += 3
            return self.degrees(base)
        if token.text in ("prime", "star", "top") and token.kind == "command":
            self.take()
            return Apply("transpose" if token.text == "top" else "prime", (base,))
        exponent = self.script()
        if isinstance(exponent, Symbol) and exponent.name in ("prime", "T", "top"):
            return Apply("prime" if exponent.name == "prime" else "transpose", (base,))
        return Apply("pow", (base, exponent))

    def degrees(self, base: Node) -> Node:
        """Degrees of an angle, or of Celsius or Fahrenheit where that letter stands behind them."""
        if (
            self.peek().kind == "letter"
            and self.peek().text in "CF"
            and (self.peek().upright or self.peek(1).kind == "end")
        ):
            return Apply(f"degrees{self.take().text}", (base,))
        return Apply("degrees", (base,))

    def script(self) -> Node:
        """Return a superscript or subscript: in braces, or one sign with its minus."""
        if self.sees("sign", "{"):
            return self.braced()
        if self.sees("sign", "-"):
            self.take()
            return Apply("neg", (self.script(),))
        if self.sees("sign", "("):
            return self.primary()
        if self.sees("command", "frac", "sqrt", "pi", "infty") or self.peek().kind in ("number", "letter"):
            token = self.peek()
            if token.kind == "letter":
                self.take()
                return _letter(token)
            return self.primary(alone=True)
        if self.peek().kind == "command" and self.is_operand(self.peek().text):
            return self.primary()
        raise CannotRead("an exponent that cannot be read")

    def braced(self) -> Node:
        """Return the content of an argument's braces."""
        end = self.closing(self.at)
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        if not inside:
            raise CannotRead("empty braces")
        value = self.inner(inside)
        return as_node(value)

    def argument(self) -> Node:
        """The argument of a command: in braces, or one digit, letter or command."""
        token = self.peek()
        if token.kind == "sign" and token.text == "{":
            return self.braced()
        if token.kind == "number":
            if token.places is None and len(token.text) > 1:
                self.tokens = [*self.tokens[: self.at], Token("number", token.text[0], token.spaced), Token("number", token.text[1:]), *self.tokens[self.at + 1 :]]  # fmt: skip
            return self.number_alone()
        if token.kind == "letter":
            self.take()
            return _letter(token)
        if token.kind == "sign" and token.text == "-":
            self.take()
            return Apply("neg", (self.argument(),))
        if token.kind == "command" and self.is_operand(token.text):
            return self.primary()
        raise CannotRead("a command without its argument")

    def number_alone(self) -> Number:
        return _number(self.take())

    # the factors of a product

    def primary(self, alone: bool = False) -> Node:
        token = self.peek()
        if token.kind == "number":
            return self.number(alone)
        if token.kind == "letter":
            return self.letter()
        if token.kind == "sign":
            if token.text in "([":
                return self.bracket()
            if token.text == "{":
                return self.brace_group()
            if token.text in "|‖":
                return self.bars_group()
            if token.text in "_^":
                return self.counting_in_front()
        if token.kind == "command":
            return self.command()
        if token.kind == "end":
            raise CannotRead("ends where a value should stand")
        raise CannotRead(f"{token.text!r:.20} where a value should stand")

    def number(self, alone: bool) -> Node:
        token = self.take()
        after = self.peek()
        if (
            after.kind == "command"
            and after.text in ("overline", "dot", "bar")
            and "." in token.text + "."
            and not alone
        ) and (repeating := self.repeating(token)) is not None:
            return repeating
        if not alone and (repeating := self.in_round_brackets(token)) is not None:
            return repeating
        value = _number(token)
        if token.places and after.kind == "command" and after.text == "ldots" and self.peek(1).kind != "number":
            self.take()
            return _going_on(token)
        if after.kind == "sign" and after.text == "_" and not alone:
            raise CannotRead("a number with an index")
        if alone or token.places is not None or "e" in token.text:
            return value
        if after.kind == "command" and after.text == "frac" and not self.is_unit_fraction():
            start = self.at
            part = self.command()
            whole_fraction = (
                isinstance(part, Apply)
                and part.name == "div"
                and all(isinstance(arg, Number) and arg.places is None for arg in part.args)
            )
            if whole_fraction and not self.sees("sign", "^"):
                above, below = (arg.value for arg in part.args if isinstance(arg, Number))  # type: ignore[union-attr]
                if below == 0:
                    raise CannotRead("divides by zero")
                return Number(value.value + above / below)
            self.at = start
        elif (
            after.kind == "number"
            and after.places is None
            and self.peek(1).text == "/"
            and self.peek(2).kind == "number"
            and after.spaced
        ):
            above, below = number_value(after), number_value(self.peek(2))
            if 0 < above < below and value.value.denominator == 1:
                self.at += 3
                return Number(value.value + above / below)
        return value

    def repeating(self, token: Token) -> Node | None:
        r"""`0.4\overline{3}` and `0.\dot{1}\dot{2}` as fractions. Between two dots there may be digits; behind the last none."""
        if "." not in token.text:
            return None
        start, digits, dotted = self.at, "", 0
        if self.sees("command", "overline", "bar"):
            self.take()
            digits = self.digits_in_braces()
        else:
            while self.sees("command", "dot"):
                self.take()
                digits += self.digits_in_braces(1)
                dotted += 1
                if self.peek().kind == "number" and not self.peek().spaced:
                    digits += self.take().text
                    if dotted > 1 or not self.sees("command", "dot"):
                        raise CannotRead("a decimal that repeats to no known end")
        if not digits.isdigit():
            self.at = start
            return None
        places = len(token.text.partition(".")[2])
        return Number(number_value(token) + Fraction(int(digits), (10 ** len(digits) - 1) * 10**places))

    def in_round_brackets(self, token: Token) -> Node | None:
        """`0.1(6)`, alone and without a space, as a fraction; None where the brackets hold a factor."""
        inside = self.tokens[self.at + 1 : self.at + 3]
        is_alone = self.depth == 0 and [one.text for one in self.tokens[: self.at - 1]] in ([], ["-"])
        if not is_alone or self.at + 3 != len(self.tokens) or not token.places or any(one.spaced for one in inside):
            return None
        if self.peek().text != "(" or self.peek().spaced or not inside[0].text.isdigit() or inside[1].text != ")":
            return None
        self.at += 3
        digits = inside[0].text
        return Number(number_value(token) + Fraction(int(digits), (10 ** len(digits) - 1) * 10**token.places))

    def digits_in_braces(self, most: int = MAX_LENGTH) -> str:
        """The digits that an accent stands over: those in braces, or of digits without braces the first `most`."""
        if self.peek().kind == "number":
            token = self.take()
            if len(token.text) > most:
                self.at -= 1
                self.tokens = [*self.tokens[: self.at], replace(token, text=token.text[most:], spaced=False), *self.tokens[self.at + 1 :]]  # fmt: skip
            return token.text[:most]
        if self.sees("sign", "{") and self.peek(1).kind == "number" and self.peek(2).text == "}":
            text = self.peek(1).text
            self.at += 3
            return text
        return ""

    def letter(self) -> Node:
        token = self.take()
        if token.text in "CAP" and self.sees("sign", "_", "^") and (count := self.counting(token.text)) is not None:
            return count
        if token.text in "CP" and self.sees("sign", "(") and (pair := self.number_pair()) is not None:
            return Apply(_COUNTS[token.text], pair)
        if token.text * 2 in _SETS and (marked := self.marked_letter(token.text * 2)) is not None:
            return marked
        symbol = self.indexed(_letter(token), token.text)
        while self.sees("sign", "'"):
            self.take()
            symbol = Symbol(f"{_name(symbol)}'")
        if isinstance(symbol, Symbol) and symbol.name[0] in "PE" and self.sees("sign", "(") and self.is_event():
            end = self.closing(self.at)
            said = "".join(inside.text for inside in self.tokens[self.at : end + 1])
            self.at = end + 1
            return Symbol(f"{symbol.name}{said}")
        if (
            isinstance(symbol, Symbol)
            and symbol.name[0] in _CALLED
            and self.sees("sign", "(")
            and not self.is_condition()
        ):
            end = self.closing(self.at)
            arguments = self.items(self.tokens[self.at + 1 : end])
            self.at = end + 1
            return Apply("call", (symbol, Bracketed("(", ")", arguments)))
        return symbol

    def marked_letter(self, name: str) -> Constant | None:
        """`N^*` and `Z_+` without markup; None for a letter with an index or an exponent."""
        start = self.at
        found = self.number_set(name) if self.sees("sign", "^", "_") else Constant(name)
        if found.name[2:] in ("+", "*", "-"):
            return found
        self.at = start
        return None

    def number_set(self, name: str) -> Constant:
        r"""A set of numbers with what marks it: `\mathbb{N}^*`, `\mathbb{Z}_{>0}`, `\mathbb{Z}_6`, `\mathbb{Z}/6\mathbb{Z}`."""
        marks = ""
        while self.sees("sign", "^", "_"):
            start = self.at
            sign = self.take().text
            text = self.script_text()
            if text in _MARKS and not (text == "0" and name != "NN"):
                marks += _MARKS[text]
            elif sign == "_":
                return Constant(f"{name}{marks}_{text}")
            else:
                self.at = start
                break
        if name == "ZZ" and not marks and self.sees("sign", "/") and self.peek(1).kind in ("number", "letter"):
            modulus = self.peek(1).text
            self.at += 2
            if self.sees("command", "ZZ") or (
                self.sees("command", "mathbb") and "Z" in (self.peek(1).text, self.peek(2).text)
            ):
                self.command()
            return Constant(f"ZZ_{modulus}")
        return Constant(_MARKED.get(name + marks, name + marks))

    def is_event(self) -> bool:
        """A bracket behind `P` that holds an event, as `P(X = 4)` or `P(A \\mid B)`."""
        end = self.closing(self.at)
        return any(
            token.text in RELATIONS or token.text in ("|", "mid", "cap", "cup") for token in self.tokens[self.at : end]
        )

    def number_pair(self) -> tuple[Node, Node] | None:
        tokens = self.tokens[self.at + 1 : self.at + 5]
        if (
            len(tokens) == 4
            and [token.text for token in tokens[1::2]] == [",", ")"]
            and all(token.kind == "number" for token in tokens[::2])
        ):
            self.at += 5
            return _number(tokens[0]), _number(tokens[2])
        return None

    def counting(self, name: str) -> Node | None:
        """`C_{10}^3`, `C_n^2`, `A_5^2`: combinations and arrangements; None where the letter is a variable with an index."""
        start = self.at
        scripts: dict[str, Node] = {}
        try:
            for _ in range(2):
                if self.sees("sign", "_", "^") and self.peek().text not in scripts:
                    sign = self.take().text
                    scripts[sign] = self.script()
        except CannotRead:
            scripts = {}
        found = _counted(name, scripts.get("_"), scripts.get("^"))
        if found is None:
            self.at = start
        return found

    def counting_in_front(self) -> Node:
        """`_{10}C_3`, `^nC_2`. Raises: CannotRead."""
        self.take()
        total = self.script()
        token = self.take()
        if token.text in ("C", "P") and self.sees("sign", "_", "^"):
            self.take()
            return Apply(_COUNTS[token.text], (total, self.script()))
        raise CannotRead("an index in front of a value")

    def indexed(self, base: Node, text: str) -> Node:
        if not self.sees("sign", "_"):
            return base
        self.take()
        return Symbol(f"{text}_{self.script_text()}")

    def script_text(self) -> str:
        """Return a subscript as text: it is part of a name."""
        if self.sees("sign", "{"):
            end = self.closing(self.at)
            inside = self.tokens[self.at + 1 : end]
            self.at = end + 1
        else:
            inside = [self.take()]
        if not inside or inside[0].kind == "end":
            raise CannotRead("an index that is empty")
        return "".join(token.text for token in inside if token.text not in "{}")

    def bracket(self) -> Node:
        opening = self.peek().text
        end = self.closing(self.at)
        closing = self.tokens[end].text
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        if not inside:
            return Bracketed(opening, closing, ())
        items = self.items(inside)
        if len(items) == 1 and PARENS.get(opening) == closing and isinstance(items[0], Node):
            return (
                items[0]
                if not (isinstance(items[0], Number) and self.sees("sign", "^"))
                else Apply("paren", (items[0],))
            )
        return Bracketed(opening, closing, items)

    def brace_group(self) -> Node:
        end = self.closing(self.at)
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        if not inside:
            return self.primary() if not self.ends() else Constant("empty")
        depth = 0
        for index, token in enumerate(inside):
            depth += (token.text in OPENERS) - (token.text in CLOSERS) if token.kind in ("sign", "command") else 0
            if depth == 0 and token.text == "choose":
                return Apply("binom", (as_node(self.inner(inside[:index])), as_node(self.inner(inside[index + 1 :]))))
        items = self.items(inside)
        if len(items) == 1:
            return as_node(items[0])
        return Bracketed("{", "}", items)

    def bars_group(self) -> Node:
        bar = self.take().text
        self.bars += 1
        value = self.expression()
        self.bars -= 1
        if self.take().text != bar:
            raise CannotRead("a bar that is never closed")
        return Apply("norm" if bar == "‖" else "abs", (value,))

    def command(self) -> Node:
        token = self.take()
        name = token.text
        if name == "frac":
            above = self.argument()
            below = self.argument()
            return Apply("div", (above, below))
        if name == "sqrt":
            return self.root()
        if name == "binom":
            return Apply("binom", (self.argument(), self.argument()))
        if name in _CONSTANTS:
            return Constant(_CONSTANTS[name])
        if name in _SETS:
            return self.number_set(name)
        if name == "mathbb":
            letter = self.script_text()
            return self.number_set(letter * 2) if letter * 2 in _SETS else Symbol(letter)
        if name in ("{", "langle", "lfloor", "lceil", "["):
            return self.command_group(name)
        if name in FUNCTIONS:
            return self.function(_SHAPES.get(name, name))
        if name in _BIG:
            return self.big_operator(name)
        if name in ("vec", "overrightarrow") and (one := self.one_letter()) is not None:
            return one
        if name in _ACCENTS:
            inside = self.script_text() if not self.ends() else ""
            return self.indexed(Symbol(f"{name} {inside}"), f"{name} {inside}")
        if name.startswith("begin:"):
            return self.matrix(name[6:])
        if name == "ldots":
            return Symbol("...")
        if name in GREEK:
            symbol = self.indexed(Symbol(name), name)
            while self.sees("sign", "'"):
                self.take()
                symbol = Symbol(f"{_name(symbol)}'")
            return symbol
        raise CannotRead(f"the command \\{name:.20}")

    def one_letter(self) -> Node | None:
        """The letter under an arrow, which is the vector that a bold letter is."""
        if self.sees("sign", "{") and self.peek(1).kind == "letter" and self.peek(2).text == "}":
            token = self.peek(1)
            self.at += 3
            return self.indexed(_letter(token), token.text)
        return None

    def root(self) -> Node:
        order: Node = Number(Fraction(2))
        if self.sees("sign", "["):
            end = self.closing(self.at)
            order = as_node(self.inner(self.tokens[self.at + 1 : end]))
            self.at = end + 1
        if self.sees("sign", "("):
            return Apply("root", (as_node(self.bracket()), order))
        if self.peek().kind == "number":
            return Apply("root", (self.number_alone(), order))
        return Apply("root", (self.argument(), order))

    def command_group(self, name: str) -> Node:
        self.at -= 1
        end = self.closing(self.at)
        closing = self.tokens[end].text
        inside = self.tokens[self.at + 1 : end]
        self.at = end + 1
        if name in ("lfloor", "lceil"):
            return Apply("floor" if name == "lfloor" else "ceil", (as_node(self.inner(inside)),))
        if not inside:
            return Constant("empty")
        if name == "{":
            built = self.set_builder(inside)
            return built if built is not None else Bracketed("{", "}", self.items(inside))
        return Bracketed(name, closing, self.items(inside))

    def set_builder(self, inside: list[Token]) -> Node | None:
        depth = 0
        for index, token in enumerate(inside):
            if token.kind in ("sign", "command"):
                depth += (token.text in OPENERS) - (token.text in CLOSERS)
                if depth == 0 and index and token.text in ("|", "mid", ":") and self.may_build(inside, index):
                    element = self.inner(inside[:index])
                    sets: list[Node] = [
                        Bracketed("{|", "}", (element, *self.items(part)))
                        for part in self.alternatives(inside[index + 1 :])
                    ]
                    return reduce(lambda one, other: Apply("cup", (one, other)), sets)
        return None

    @staticmethod
    def may_build(inside: list[Token], index: int) -> bool:
        bars = sum(token.text == "|" for token in inside)
        return inside[index].text != "|" or bars % 2 == 1

    def function(self, name: str) -> Node:
        exponent: Node | None = None
        base: Node | None = None
        for _ in range(2):
            if self.sees("sign", "^") and exponent is None:
                self.take()
                exponent = self.script()
            elif self.sees("sign", "_") and base is None:
                self.take()
                if name == "log":
                    base = self.argument()
                else:
                    base = Symbol(self.script_text())
        arguments = self.function_arguments()
        inverse = (
            isinstance(exponent, Number)
            and exponent.value == -1
            or (isinstance(exponent, Apply) and exponent == Apply("neg", (Number(Fraction(1)),)))
        )
        if inverse and name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"):
            name, exponent = ("ar" if name.endswith("h") else "arc") + name, None
        if name in ("max", "min", "gcd", "lcm") and len(arguments) == 1 and isinstance(arguments[0], Bracketed):
            arguments = tuple(as_node(item) for item in arguments[0].items)
        if base is not None:
            arguments = (*arguments, base)
            name = f"{name}_"
        value: Node = Apply(name, arguments)
        return value if exponent is None else Apply("pow", (value, exponent))

    def function_arguments(self) -> tuple[Node, ...]:
        if self.sees("sign", "(", "[", "{"):
            if self.sees("sign", "{"):
                return (self.postfix(self.braced()),)
            end = self.closing(self.at)
            items = self.items(self.tokens[self.at + 1 : end])
            self.at = end + 1
            return tuple(as_node(item) for item in items)
        value = self.signed_factor()
        while True:
            token = self.peek()
            if (
                not self.begins_factor(token)
                or (token.kind == "sign" and token.text in "([|‖")
                or token.text in FUNCTIONS
            ):
                return (value,)
            if token.kind == "number" and isinstance(value, Number):
                raise CannotRead("two numbers side by side")
            value = Apply("mul", (value, self.factor()))

    def big_operator(self, name: str) -> Node:
        limits: dict[str, Value] = {}
        for _ in range(2):
            for sign in "_^":
                if self.sees("sign", sign) and sign not in limits:
                    self.take()
                    if self.sees("sign", "{"):
                        end = self.closing(self.at)
                        limits[sign] = self.inner(self.tokens[self.at + 1 : end])
                        self.at = end + 1
                    else:
                        limits[sign] = self.script()
        is_negative = self.sees("sign", "-")
        if is_negative:
            self.take()
        body = self.term()
        rest = Apply("neg", (body,)) if is_negative else body
        none = Constant("none")
        group = Bracketed("", "", (limits.get("_", none), limits.get("^", none)))
        return Apply(name, (rest, group))

    def matrix(self, name: str) -> Node:
        depth = 1
        cell: list[Token] = []
        cells: list[list[list[Token]]] = [[]]
        while True:
            if self.ends():
                raise CannotRead("a matrix that is never closed")
            token = self.take()
            if token.kind == "command" and token.text.startswith("begin:"):
                depth += 1
            elif token.kind == "command" and token.text.startswith("end:"):
                depth -= 1
                if depth == 0:
                    break
            if depth == 1 and token.kind == "sign" and token.text == "&":
                cells[-1].append(cell)
                cell = []
            elif depth == 1 and token.kind == "command" and token.text == "\\":
                cells[-1].append(cell)
                cells.append([])
                cell = []
            elif not (token.kind == "command" and token.text == "hline"):
                cell.append(token)
        cells[-1].append(cell)
        if cells[-1] == [[]]:
            cells.pop()
        if name in _BY_ROWS:
            if (by_cases := read_cases(cells, self.inner, "cases" in name)) is not None:
                return by_cases
            cells = [[trimmed(one) for one in row] for row in cells]
        read = tuple(tuple(self.inner(one) if one else Constant("none") for one in row) for row in cells)
        if not read:
            raise CannotRead("an empty matrix")
        matrix = Matrix(read)
        return Apply("det", (matrix,)) if name == "vmatrix" else matrix


def as_node(value: Value) -> Node:
    """A value as a part of an expression. Raises: CannotRead where it cannot be one."""
    if isinstance(value, Node):
        return value
    if isinstance(value, Quantity) and value.unit == "degree":
        return Apply("degrees", (value.value,))
    if isinstance(value, Quantity) and value.unit == "%":
        return Apply("percent", (value.value,))
    return Bracketed("(", ")", (value,))


def _letter(token: Token) -> Node:
    if token.text == "i":
        return Constant("i")
    if token.text == "e":
        return Constant("e")
    return Symbol(token.text)


def _counted(name: str, total: Node | None, chosen: Node | None) -> Node | None:
    """The number of choices that `C` with its scripts is; None where those make a name and its power."""
    if total is None or chosen is None or chosen in (Symbol("T"), Symbol("prime"), Symbol("...")):
        return None
    is_number = isinstance(total, Number) and isinstance(chosen, Number | Symbol)
    is_number = is_number and (isinstance(chosen, Number) or name == "C")
    is_letter = name == "C" and isinstance(total, Symbol) and len(total.name) == 1 and isinstance(chosen, Symbol)
    is_counted = name == "C" and bool(letters(total)) and letters(total) | letters(chosen) <= _COUNTED
    return Apply(_COUNTS[name], (total, chosen)) if is_number or is_letter or is_counted else None


def _name(node: Node) -> str:
    return node.name if isinstance(node, Symbol | Constant) else "?"


def _going_on(token: Token) -> Number:
    """A decimal with dots behind it: its repeating value where it visibly repeats, else the digits that are written."""
    digits = token.text.partition(".")[2]
    for start in range(len(digits)):
        times = 2 if start == 0 or len(digits) < _CLEAR_DIGITS else 3
        tail = digits[start:]
        for size in range(1, len(tail) // times + 1):
            period = tail[:size]
            if tail == (period * len(tail))[: len(tail)]:
                cut = Fraction(token.text[: len(token.text) - len(tail)])
                return Number(cut + Fraction(int(period), (10**size - 1) * 10**start))
    return _number(token)


def _number(token: Token) -> Number:
    value = number_value(token)
    digits = len(re.sub(r"e.*|\D", "", token.text).lstrip("0"))
    return Number(value, token.places, digits)
