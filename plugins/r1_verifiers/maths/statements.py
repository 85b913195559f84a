r"""Statements: a value with its unit, relations between values, ratios, and lists of them, read from tokens."""

from __future__ import annotations

from fractions import Fraction

from .expressions import GREEK, RELATIONS, Expressions, as_node
from .lexer import Token, number_value, split
from .meaning import meaning, says_again
from .signs import CannotRead
from .types import Apply, Bracketed, CompositeQuantity, Conditioned, Node, Number, Quantity, Ratio, Relation, Value
from .units import CURRENCIES, POWERS, SCALES, factors, is_unit_word, unit_name

CONDITIONS = frozenset(
    ["where", "for", "when", "if", "with", "such", "given", "provided", "whenever", "assuming", "as"]
)
_NOT_UNITS = frozenset(
    [
        "and",
        "or",
        "not",
        "more",
        "less",
        "than",
        "at",
        "least",
        "most",
        "about",
        "times",
        "plus",
        "minus",
        "over",
        "by",
        "to",
        "is",
        "the",
        "am",
        "pm",
        "are",
        "be",
        "equals",
        "equal",
        "if",
        "where",
        "for",
        "when",
        "then",
        "so",
        "because",
        "since",
        "but",
        "however",
        "therefore",
        "thus",
        "hence",
        "possibly",
        "maybe",
        "perhaps",
        "either",
        "neither",
        "nor",
        "no",
        "none",
        "both",
        "factorial",
        "modulo",
        "mod",
        "choose",
        "otherwise",
        "else",
        "unless",
        "wrong",
        "incorrect",
    ]
)
_DOUBTS = frozenset(["or", "maybe", "possibly", "perhaps", "not", "otherwise", "else", "unless", "alternatively"])
_JOINS = {"/": "/", "per": "/", "cdot": "*", "*": "*", "times": "*", "-": "*", ".": "*"}
_MAX_UNIT_WORDS = 6
_ABOUT = {"about", "approximately", "roughly", "around", "nearly"}
_BEHIND_SET = frozenset(["^", "_", ",", ";", ")", "]", "}", ".", "|", "mid", "quad", "setminus", "cup", "cap"])
_NOTHING = Apply("nothing", ())


class Statements(Expressions):
    """The parser of one statement, and of bracketed parts inside it."""

    def inner(self, tokens: list[Token]) -> Value:
        parser = Statements(tokens, self.depth + 1)
        value = parser.statement()
        parser.refuse_rest()
        return value

    def items(self, tokens: list[Token]) -> tuple[Value, ...]:
        return tuple(self.inner(part) for part, _ in split(tokens, self.separates) if part)

    def alternatives(self, tokens: list[Token]) -> list[list[Token]]:
        commas = [Token("sign", ",") if token.kind == "word" and token.text == "and" else token for token in tokens]
        return [part for part, _ in split(commas, lambda token: token.kind == "word" and token.text == "or")]

    @staticmethod
    def separates(token: Token) -> bool:
        return token.kind == "sign" and token.text in ",;"

    def refuse_rest(self) -> None:
        if not self.ends():
            raise CannotRead(f"{self.peek().text!r:.20} where nothing can follow")

    def statement(self) -> Value:
        """One value, relation or ratio, with the conditions that stand behind it."""
        value = self.relation()
        conditions: list[Value] = []
        while self.sees("sign", "(") and self.is_condition():
            end = self.closing(self.at)
            inside = [token for token in self.tokens[self.at + 1 : end] if token.kind != "word" or token.text == "mod"]
            said = self.items(inside)
            if (
                len(inside) < end - self.at - 1
                and any(token.kind == "number" for token in inside)
                and any(token.text in _DOUBTS for token in self.tokens[self.at + 1 : end])
                and not all(says_again(meaning(value), meaning(one)) for one in said)
            ):
                raise CannotRead("another value in brackets")
            is_about = any(token.text in _ABOUT for token in self.tokens[self.at + 1 : end])
            conditions += [Relation((_NOTHING, one), ("~",)) for one in said] if is_about else said
            self.at = end + 1
        if self.sees("command", "quad"):
            self.take()
            return self.conditioned(value, conditions) if not self.ends() else value
        return Conditioned(value, tuple(conditions)) if conditions else value

    def conditioned(self, value: Value, conditions: list[Value]) -> Value:
        raise CannotRead("two statements side by side")

    def relation(self) -> Value:
        sides: list[Value] = []
        signs: list[str] = []
        sign = self.relation_sign()
        if sign is not None:
            if sign not in ("=", "~"):
                raise CannotRead("a relation without its left side")
            sides.append(_NOTHING)
            signs.append(sign)
        elif self.peek().kind == "word" and self.peek().text in _ABOUT:
            self.take()
            sides.append(_NOTHING)
            signs.append("~")
        sides.append(self.function_defined() or self.side())
        while (sign := self.relation_sign()) is not None:
            signs.append(sign)
            if sign in ("in", "notin"):
                self.mark_set()
            sides.append(self.side())
        if self.sees("command", "pmod", "bmod", "mod"):
            self.take()
            modulus = self.braced() if self.sees("sign", "{") else self.factor()
            signs.append("mod")
            sides.append(modulus)
        elif self.sees("sign", "(") and self.peek(1).text in ("mod", "bmod", "pmod"):
            end = self.closing(self.at)
            inside = self.tokens[self.at + 2 : end]
            self.at = end + 1
            signs.append("mod")
            sides.append(self.inner(inside))
        return Relation(tuple(sides), tuple(signs)) if signs else sides[0]

    def function_defined(self) -> Node | None:
        """The left side `y(t)` of a definition, a letter with nothing but letters in brackets; None for any other side."""
        opens = next((at for at, token in enumerate(self.tokens[:6]) if token.kind == "sign" and token.text == "("), 0)
        head = self.tokens[:opens]
        if self.at or not head or (len(head) > 1 and head[1].text != "_"):
            return None
        if head[0].kind != "letter" and head[0].text not in GREEK:
            return None
        end = self.closing(opens)
        inside, after = self.tokens[opens + 1 : end], self.tokens[end + 1 : end + 2]
        if not inside or any(token.kind != ("sign" if at % 2 else "letter") for at, token in enumerate(inside)):
            return None
        if [token.text for token in after] != ["="] or end + 2 == len(self.tokens):
            return None
        self.at = end + 1
        return Apply("call", (Statements(head, self.depth).primary(), Bracketed("(", ")", self.items(inside))))

    def mark_set(self) -> None:
        r"""Take the letter behind `\in` for a set of numbers: `n \in N^*`, `k \in \mathbf{Z}`."""
        token, after = self.peek(), self.peek(1)
        if (
            token.kind == "letter"
            and token.text in "NZQRC"
            and (after.kind in ("end", "word") or after.text in _BEHIND_SET)
        ):
            self.tokens = [*self.tokens[: self.at], Token("command", token.text * 2), *self.tokens[self.at + 1 :]]

    def relation_sign(self) -> str | None:
        token, after = self.peek(), self.peek(1)
        if token.kind == "sign" and token.text in "<>!=:~" or (token.kind == "command" and token.text == "not"):
            pair = token.text + after.text
            found = {
                "<=": "<=",
                ">=": ">=",
                "!=": "!=",
                ":=": "=",
                "not=": "!=",
                "==": "=",
                "=>": "=>",
                "notin": "notin",
                "~=": "~",
                "=<": "<=",
            }.get(pair)
            if found and after.kind in ("sign", "command") and not (pair == "==" and after.spaced):
                self.at += 2
                return found
        if token.kind in ("sign", "command") and token.text in RELATIONS:
            self.take()
            if token.text == "=" and self.sees("command", "approx"):
                self.take()
                return "~"
            return RELATIONS[token.text]
        return None

    # values with units

    def side(self) -> Value:
        """An expression or a set of numbers, with its unit; or a ratio."""
        if (composite := self.composite()) is not None:
            return composite
        currency = self.currency()
        value: Value = self.expression()
        while self.sees("command", "cup", "cap", "setminus", "wedge", "vee"):
            name = self.take().text
            value = Apply(name, (as_node(value), self.expression()))
        if currency is None and self.sees("sign", ":") or (self.peek().kind == "word" and self.peek().text == "to"):
            return self.ratio(as_node(value))
        unit = self.unit()
        scale = unit.partition(" ")[0]
        if scale in SCALES and isinstance(value, Node):
            power = SCALES[scale]
            value = (
                Number(value.value * 10**power)
                if isinstance(value, Number)
                else Apply("mul", (value, Number(Fraction(10**power))))
            )
            unit = unit[len(scale) :].strip()
        if currency:
            unit = (
                currency
                if not unit or unit == "dollar"
                else f"{currency} {unit}"
                if not unit.startswith("/")
                else currency + unit
            )
        return Quantity(value, unit) if unit and isinstance(value, Node) else value

    def currency(self) -> str | None:
        at = 1 if self.sees("sign", "-") else 0
        token = self.peek(at)
        if (
            token.kind not in ("sign", "command")
            or token.text not in CURRENCIES
            or self.peek(at + 1).kind not in ("number", "sign", "command", "letter")
        ):
            return None
        self.tokens = [*self.tokens[: self.at + at], *self.tokens[self.at + at + 1 :]]
        return CURRENCIES[token.text]

    def ratio(self, first: Node) -> Value:
        start = self.at
        terms = [first]
        numerals = [self.tokens[self.at - 1]]
        while self.sees("sign", ":") or (self.peek().kind == "word" and self.peek().text == "to"):
            self.take()
            numerals.append(self.peek())
            terms.append(self.expression())
        if len(terms) < 2:
            self.at = start
            return first
        is_clock = (
            all(token.kind == "number" and token.text.isdigit() for token in numerals)
            and all(isinstance(term, Number) for term in terms)
            and len(numerals) < 4
            and len(numerals[0].text) <= 2
            and int(numerals[0].text) <= 24
            and all(len(token.text) == 2 and int(token.text) < 60 for token in numerals[1:])
        )
        return Ratio(tuple(terms), is_clock)

    def composite(self) -> Value | None:
        """Numbers that each have their unit: `2 h 30 min`, `45° 30'`. None where there are not two of them."""
        parts: list[tuple[Fraction, str]] = []
        at = self.at
        sign = 1
        if self.sees("sign", "-"):
            at, sign = at + 1, -1
        while True:
            part = self.measured(at, [unit for _, unit in parts])
            if part is None:
                break
            value, unit, at = part
            parts.append((value, unit))
            if (
                at < len(self.tokens)
                and (self.tokens[at].text in ("and", ","))
                and self.measured(at + 1, [unit]) is not None
            ):
                at += 1
        if len(parts) < 2 or len({unit for _, unit in parts}) < len(parts):
            return None
        self.at = at
        return CompositeQuantity(tuple(Quantity(Number(sign * value), unit) for value, unit in parts))

    def measured(self, at: int, units: list[str]) -> tuple[Fraction, str, int] | None:
        tokens = self.tokens[at : at + 7]
        if len(tokens) < 2 or tokens[0].kind != "number":
            return None
        value, after = _number_of(tokens[0]), tokens[1]
        at += 2
        texts = [token.text for token in tokens[1:]]
        if after.kind == "unit":
            return value, after.text, at
        if texts[:2] == ["^", "circ"]:
            return value, "degree", at + 1
        if texts[:4] == ["^", "{", "circ", "}"]:
            return value, "degree", at + 3
        minute, second = ("arcmin", "arcsec") if "degree" in units or "arcmin" in units else ("ft", "in")
        if texts[:1] in (["'"], ["′"]):
            return (value, second, at + 1) if texts[1:2] in (["'"], ["′"]) else (value, minute, at)
        if texts[:1] in (['"'], ["″"]):
            return value, second, at
        if texts[:5] == ["^", "{", "prime", "prime", "}"]:
            return value, second, at + 4
        if texts[:4] == ["^", "{", "prime", "}"]:
            return value, minute, at + 3
        if texts[:2] == ["^", "prime"]:
            return value, minute, at + 1
        if after.kind == "letter" and is_unit_word(after.text) and tokens[2:3] and tokens[2].kind == "number":
            return value, unit_name(after.text), at
        if after.kind == "letter" and is_unit_word(after.text) and units and (at >= len(self.tokens)):
            return value, unit_name(after.text), at
        return None

    def unit(self) -> str:
        """The unit that stands behind a value, `%` included; "" where there is none."""
        if self.sees("command", "%") or self.sees("sign", "%"):
            self.take()
            return "%"
        for sign, name in CURRENCIES.items():
            if self.sees("sign", sign) or self.sees("command", sign):
                self.take()
                return name
        if self.sees("command", "circ") or (self.sees("sign", "^") and self.peek(1).text == "circ"):
            self.at += 1 if self.sees("command", "circ") else 2
            return "degree"
        if self.sees("sign", "'"):
            self.take()
            if not self.sees("sign", "'"):
                return "arcmin"
            self.take()
            return "arcsec"
        if self.is_unit_fraction():
            return self.unit_fraction()
        unit, power, words = "", "", 0
        while True:
            token = self.peek()
            if unit and token.text in _JOINS and token.kind != "end" and self.unit_follows(1):
                self.take()
                unit = unit.rstrip("/*") + _JOINS[token.text]
                continue
            if unit and token.text == "/" and self.peek(1).text == "(" and self.unit_follows(2):
                self.take()
                unit += "/" + self.unit_in_brackets()
                continue
            if token.text == "more" and self.peek(1).kind == "word" and self.peek(1).text not in _NOT_UNITS:
                self.take()
                continue
            is_letter = token.kind == "letter" and unit.endswith(("/", "*")) and is_unit_word(token.text)
            if token.kind == "word" and (token.text in CONDITIONS or token.text in _NOT_UNITS):
                break
            if not (token.kind in ("unit", "word") or is_letter):
                break
            self.take()
            words += 1
            if words > _MAX_UNIT_WORDS:
                raise CannotRead("a sentence behind a value")
            if token.text == "per" and unit:
                unit += "/"
            elif token.text in POWERS and words > 1 and token.text.endswith("ed"):
                unit += f"^{POWERS[token.text]}"
            elif token.text in POWERS:
                if not unit and self.peek().kind not in ("unit", "word", "letter"):
                    raise CannotRead("a power in words")
                power = f"^{POWERS[token.text]}"
            else:
                name = token.text if token.kind == "unit" else unit_name(token.text)
                if unit == "degree" and name in ("C", "F", "degreeC", "degreeF"):
                    unit, name = "", f"degree{name[-1]}"
                joint = "" if not unit or unit[-1] in "/*" else "*" if token.kind == "unit" and factors(unit) else " "
                unit, power = unit + joint + name + (self.unit_power() or power), ""
        return unit.rstrip("/* ")

    def unit_in_brackets(self) -> str:
        end = self.closing(self.at)
        inside = Statements(self.tokens[self.at + 1 : end], self.depth + 1)
        unit = inside.unit()
        inside.refuse_rest()
        self.at = end + 1
        return unit

    def unit_fraction(self) -> str:
        r"""`\frac{\text{km}}{\text{h}}` as `km/h`."""
        self.take()
        return f"{self.unit_in_brackets()}/{self.unit_in_brackets()}"

    def unit_follows(self, ahead: int) -> bool:
        token = self.peek(ahead)
        return (
            token.kind == "unit"
            or (token.kind == "letter" and is_unit_word(token.text))
            or (token.kind == "word" and token.text not in _NOT_UNITS)
        )

    def unit_power(self) -> str:
        if not self.sees("sign", "^"):
            return ""
        start = self.at
        self.take()
        exponent = self.script()
        if isinstance(exponent, Number) and exponent.value.denominator == 1:
            return f"^{exponent.value}"
        if isinstance(exponent, Apply) and exponent.name == "neg" and isinstance(exponent.args[0], Number):
            return f"^-{exponent.args[0].value}"
        self.at = start
        return ""


def _number_of(token: Token) -> Fraction:
    return number_value(token)
