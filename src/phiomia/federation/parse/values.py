"""The smallest questions to a document: one value or many, an id or an object, words, addresses."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

PUBLIC: Final = frozenset({"https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"})
MOST_VALUES: Final = 256
MOST_URL: Final = 2_048

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_NOT_IN_URL: Final = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff<>\"\\^`{|}]")

Document = Mapping[str, Any]


class Rejected(ValueError):
    """The document is not what it was taken for; the text says why."""


def values(value: Any, most: int = MOST_VALUES) -> Iterator[Any]:
    """The value or values, whether they came as a list or alone; what comes after `most` of them is left."""
    if isinstance(value, list):
        return (one for one in islice(value, most) if one is not None)
    return iter(()) if value is None else iter((value,))


def first(value: Any) -> Any:
    """The value, or the first of a list."""
    return next(values(value, 1), None)


def objects(value: Any, most: int = MOST_VALUES) -> Iterator[Document]:
    """Those values that are objects."""
    return (one for one in values(value, most) if isinstance(one, dict))


def types(document: Any) -> frozenset[str]:
    """The object's types: a type may be a list."""
    if not isinstance(document, dict):
        return frozenset()
    return frozenset(one for one in values(document.get("type"), 8) if isinstance(one, str))


def id_of(value: Any) -> str:
    """The id of what is named by id, by link or embedded; empty if it has none that is an address."""
    value = first(value)
    if isinstance(value, dict):
        value = value.get("id") or value.get("href")
    return address(value)


def ids(value: Any, most: int = MOST_VALUES) -> list[str]:
    """The ids of all values that have one, each once."""
    return list(dict.fromkeys(found for one in values(value, most) if (found := id_of(one))))


def address(value: Any) -> str:
    """An http address as it was written; empty if the value is none."""
    if not isinstance(value, str) or len(value) > MOST_URL or not value[:8].lower().startswith(("https://", "http://")):
        return ""
    value = value.strip()
    return value if host_of(value) else ""


@lru_cache(4_096)
def host_of(url: str) -> str:
    """The host of an address in lower case, with the port unless it is the usual one; empty if it has none.

    A host has one spelling here, so that rules hold for all its ids: names are in ASCII and end without a dot.
    """
    if _NOT_IN_URL.search(url):
        return ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if not host or "@" in parts.netloc or parts.scheme not in ("https", "http"):
        return ""
    if not host.isascii() or host.endswith(".") or "%" in host:
        return ""
    usual = 443 if parts.scheme == "https" else 80
    return host if port is None or port == usual else f"{host}:{port}"


def same_host(one: str, other: str) -> bool:
    """Whether both addresses lie on one host."""
    return bool(host := host_of(one)) and host == host_of(other)


def words(value: Any, most: int) -> str:
    """Text that can be stored, cut at `most` characters; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    value = value[:most]
    return value if value.isascii() and "\0" not in value else _UNSTORABLE.sub("\ufffd", value)


def natural(value: Any) -> int | None:
    """A whole number that a counter can hold, not below zero; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**31:
        return None
    return int(value)


def truth(value: Any) -> bool:
    """Whether a value means yes; some write it as a word."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def total_of(collection: Any) -> int | None:
    """How many items a collection says to have."""
    return natural(collection.get("totalItems")) if isinstance(collection, dict) else None
