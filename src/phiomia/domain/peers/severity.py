"""How much of another server is kept out. The numbers are stored."""

from enum import IntEnum


class Severity(IntEnum):
    """Only single things are rejected; its people are limited; nothing is exchanged."""

    NOOP = 0
    SILENCE = 1
    SUSPEND = 2
