"""The small language of manifests: `search_enabled and not sqlite` for conditions, `db_size*0.3 + 800` for amounts.

Names stand for facts of the server. There are numbers, texts in double quotes, `+ - * /`, comparisons, `and`, `or`,
`not` and parentheses, and nothing else: a manifest can't make the planner do anything but count.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

Value = bool | int | float | str

_TOKENS = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>\"[^\"]*\")|(?P<name>[A-Za-z_]\w*)|(?P<sign><=|>=|==|!=|[-+*/()<>]))"
)
_WORDS = ("and", "or", "not", "true", "false")
_DEEPEST = 50


class ConditionError(ValueError):
    """The text is no condition, or can't be decided with these facts."""


class UnknownFact(ConditionError):
    """A name stands for nothing that is known of this server."""


class _Token(NamedTuple):
    kind: str
    text: str


def is_true(text: str, facts: Mapping[str, Value]) -> bool:
    """Decides a condition. Raises ConditionError, UnknownFact."""
    value = _evaluate(text, facts)
    if not isinstance(value, bool):
        raise ConditionError(f"{text!r} is {value!r}, neither true nor false")
    return value


def amount(text: str, facts: Mapping[str, Value]) -> float:
    """Computes an amount. Raises ConditionError, UnknownFact."""
    value = _evaluate(text, facts)
    if isinstance(value, bool | str):
        raise ConditionError(f"{text!r} is {value!r}, no number")
    return float(value)


def check(text: str) -> frozenset[str]:
    """The names in it. Raises ConditionError when it can't be read."""
    tokens = _split(text)
    names: set[str] = set()
    reader = _Reader(text, tokens, None, names)
    reader.read_all()
    return frozenset(names)


def _evaluate(text: str, facts: Mapping[str, Value]) -> Value:
    return _Reader(text, _split(text), facts, set()).read_all()


def _split(text: str) -> list[_Token]:
    tokens, place = [], 0
    while text[place:].strip():
        found = _TOKENS.match(text, place)
        if found is None or found.lastgroup is None:
            raise ConditionError(f"{text!r} has {text[place:].strip()[0]!r}, which means nothing here")
        word = found[found.lastgroup]
        tokens.append(_Token("sign" if word in _WORDS else found.lastgroup, word))
        place = found.end()
    return tokens


class _Reader:
    """Reads from left to right and computes on the way; without facts it only looks whether it could."""

    def __init__(self, text: str, tokens: list[_Token], facts: Mapping[str, Value] | None, names: set[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._place = 0
        self._facts = facts
        self._names = names
        self._depth = 0

    def read_all(self) -> Value:
        value = self._either()
        if self._place < len(self._tokens):
            self._complain(f"ends before {self._tokens[self._place].text!r}")
        return value

    def _either(self) -> Value:
        value = self._both()
        while self._take("or"):
            right = self._both()
            value = self._truth(value) | self._truth(right)
        return value

    def _both(self) -> Value:
        value = self._denied()
        while self._take("and"):
            right = self._denied()
            value = self._truth(value) & self._truth(right)
        return value

    def _denied(self) -> Value:
        if not self._take("not"):
            return self._compared()
        self._deeper()
        value = self._denied()
        self._depth -= 1
        return not self._truth(value)

    def _compared(self) -> Value:
        left = self._sum()
        sign = self._take("<=", ">=", "==", "!=", "<", ">")
        if not sign:
            return left
        right = self._sum()
        if self._facts is None:
            return True
        if sign in ("==", "!="):
            return (left == right) == (sign == "==")
        a, b = self._number(left), self._number(right)
        return {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[sign]

    def _sum(self) -> Value:
        value = self._product()
        while sign := self._take("+", "-"):
            right = self._number(self._product())
            value = self._number(value) + (right if sign == "+" else -right)
        return value

    def _product(self) -> Value:
        value = self._single()
        while sign := self._take("*", "/"):
            right = self._number(self._single())
            if sign == "/" and right == 0 and self._facts is not None:
                self._complain("divides by zero")
            value = self._number(value) * (right if sign == "*" else 1 / (right or 1))
        return value

    def _single(self) -> Value:
        if self._take("("):
            self._deeper()
            value = self._either()
            self._depth -= 1
            if not self._take(")"):
                self._complain("lacks a closing parenthesis")
            return value
        for word, meaning in (("true", True), ("false", False)):
            if self._take(word):
                return meaning
        if self._place == len(self._tokens):
            self._complain("ends too early")
        token = self._tokens[self._place]
        self._place += 1
        if token.kind == "number":
            return float(token.text)
        if token.kind == "text":
            return token.text[1:-1]
        if token.kind == "name":
            return self._fact(token.text)
        self._complain(f"has {token.text!r} in the wrong place")

    def _fact(self, name: str) -> Value:
        self._names.add(name)
        if self._facts is None:
            return 1.0
        if name not in self._facts:
            raise UnknownFact(f"{self._text!r}: {name} is not known of this server")
        return self._facts[name]

    def _take(self, *signs: str) -> str:
        if self._place < len(self._tokens):
            token = self._tokens[self._place]
            if token.kind == "sign" and token.text in signs:
                self._place += 1
                return token.text
        return ""

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._complain("is nested too deeply")

    def _truth(self, value: Value) -> bool:
        if self._facts is not None and not isinstance(value, bool):
            self._complain(f"asks whether {value!r} is true")
        return bool(value)

    def _number(self, value: Value) -> float:
        if self._facts is None:
            return 1.0
        if isinstance(value, bool | str):
            self._complain(f"counts with {value!r}")
        return float(value)

    def _complain(self, what: str) -> NoReturn:
        raise ConditionError(f"{self._text!r} {what}")
