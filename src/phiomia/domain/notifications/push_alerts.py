"""Which notifications are pushed: their types as bits."""

from collections.abc import Collection
from typing import Final

# The bits are stored: new types are added at the end.
TYPES: Final = (
    "mention",
    "status",
    "reblog",
    "follow",
    "follow_request",
    "favourite",
    "poll",
    "update",
    "admin.sign_up",
    "admin.report",
    "quote",
    "quoted_update",
)
_BITS: Final = {type_: 1 << place for place, type_ in enumerate(TYPES)}


def bit_of(type_: str) -> int:
    """The bit of a type; 0 for one that is never pushed."""
    return _BITS.get(type_, 0)


def to_bits(types: Collection[str]) -> int:
    """The bits of several types."""
    return sum(_BITS[type_] for type_ in set(types))


def to_types(bits: int) -> dict[str, bool]:
    """Each type with whether its bit is set."""
    return {type_: bool(bits & bit) for type_, bit in _BITS.items()}
