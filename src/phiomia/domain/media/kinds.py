"""Kinds and states of media. The numbers are stored."""

from enum import IntEnum


class MediaKind(IntEnum):
    """What a file is."""

    UNKNOWN = 0
    IMAGE = 1
    GIFV = 2
    VIDEO = 3
    AUDIO = 4


class MediaState(IntEnum):
    """How far its processing is."""

    PROCESSING = 0
    READY = 1
    FAILED = 2
