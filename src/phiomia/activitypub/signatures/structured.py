"""The part of RFC 8941 (structured fields) that signatures use: dictionaries of items and inner lists."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass

Bare = str | int | bytes | bool
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
_BLANKS = re.compile(r"[ \t]*")
_SPACES = re.compile(r" *")
_MEMBERS = 64


class NotStructured(ValueError):
    """The text does not follow the grammar."""


class Token(str):
    """A word without quotation marks."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A value with parameters."""

    value: Bare
    parameters: tuple[tuple[str, Bare], ...] = ()

    def __str__(self) -> str:
        return _bare(self.value) + _parameters(self.parameters)


@dataclass(frozen=True, slots=True)
class InnerList:
    """Several items in brackets, with parameters."""

    items: tuple[Item, ...]
    parameters: tuple[tuple[str, Bare], ...] = ()
    value: None = None

    def __str__(self) -> str:
        return f"({' '.join(map(str, self.items))}){_parameters(self.parameters)}"


def dictionary(text: str) -> dict[str, Item | InnerList]:
    """The members of a dictionary; a name that comes twice is refused. Raises NotStructured."""
    reader = _Reader(text.strip(" "))
    members: dict[str, Item | InnerList] = {}
    while not reader.at_end:
        key = reader.take(_KEY, "a name").group()
        if key in members or len(members) == _MEMBERS:
            raise NotStructured(f"too many members, or {key!r} twice")
        members[key] = reader.member() if reader.skip("=") else Item(True, reader.parameters())
        reader.take(_BLANKS, "")
        if reader.at_end:
            break
        reader.need(",")
        reader.take(_BLANKS, "")
        if reader.at_end:
            raise NotStructured("a comma at the end")
    return members


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise NotStructured(f"{what} expected at {self._at}")
        self._at = found.end()
        return found

    def skip(self, mark: str) -> bool:
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def need(self, mark: str) -> None:
        if not self.skip(mark):
            raise NotStructured(f"{mark!r} expected at {self._at}")

    def member(self) -> Item | InnerList:
        if not self.skip("("):
            return self._item()
        items: list[Item] = []
        while True:
            self.take(_SPACES, "")
            if self.skip(")"):
                return InnerList(tuple(items), self.parameters())
            if len(items) == _MEMBERS:
                raise NotStructured("too many items")
            items.append(self._item())
            if not self._text.startswith((" ", ")"), self._at):
                raise NotStructured(f"a space expected at {self._at}")

    def parameters(self) -> tuple[tuple[str, Bare], ...]:
        found: dict[str, Bare] = {}
        while self.skip(";"):
            self.take(_SPACES, "")
            key = self.take(_KEY, "a name").group()
            if key in found or len(found) == _MEMBERS:
                raise NotStructured(f"too many parameters, or {key!r} twice")
            found[key] = self._value() if self.skip("=") else True
        return tuple(found.items())

    def _item(self) -> Item:
        return Item(self._value(), self.parameters())

    def _value(self) -> Bare:
        start = self._text[self._at : self._at + 1]
        if start == '"':
            return re.sub(r"\\(.)", r"\1", self.take(_STRING, "a string").group(1))
        if start == ":":
            try:
                return b64decode(self.take(_BYTES, "bytes").group(1), validate=True)
            except Base64Error as error:
                raise NotStructured(f"not base64: {error}") from error
        if start == "?":
            self._at += 1
            if self.skip("1"):
                return True
            self.need("0")
            return False
        if start == "-" or start.isdigit():
            return int(self.take(_INTEGER, "an integer").group())
        return Token(self.take(_TOKEN, "a value").group())


def _parameters(parameters: tuple[tuple[str, Bare], ...]) -> str:
    return "".join(f";{key}" if value is True else f";{key}={_bare(value)}" for key, value in parameters)


def _bare(value: Bare) -> str:
    if isinstance(value, bool):
        return "?1" if value else "?0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f":{b64encode(value).decode()}:"
    if isinstance(value, Token):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
