"""JSON inside the database: small lists and tables in text columns."""

from typing import Any

import msgspec

_strings = msgspec.json.Decoder(list[str])


def decode_strings(text: str) -> list[str]:
    """A list of strings."""
    return _strings.decode(text)


def decode(text: str) -> Any:
    """Any JSON."""
    return msgspec.json.decode(text)


def encode(value: object) -> str:
    """JSON as text, for a column."""
    return msgspec.json.encode(value).decode()
