"""Reads the name of a colour profile."""

import struct
from typing import Final

_TAGS_AT: Final = 128
_MOST_TAGS: Final = 100


def describe_profile(profile: bytes) -> str:
    """The description an ICC profile gives of itself, empty where it gives none.

    Most pictures carry sRGB, and recognising it by name spares them a conversion that would change nothing.
    """
    try:
        return _read_text(_find_tag(profile, b"desc"))
    except struct.error:
        return ""


def _find_tag(profile: bytes, wanted: bytes) -> bytes:
    (count,) = struct.unpack_from(">I", profile, _TAGS_AT)
    for index in range(min(count, _MOST_TAGS)):
        name, offset, size = struct.unpack_from(">4sII", profile, _TAGS_AT + 4 + 12 * index)
        if name == wanted:
            return profile[offset : offset + size]
    return b""


def _read_text(tag: bytes) -> str:
    if tag[:4] == b"desc":
        (length,) = struct.unpack_from(">I", tag, 8)
        return tag[12 : 12 + length].rstrip(b"\0").decode("latin-1")
    if tag[:4] == b"mluc":
        length, offset = struct.unpack_from(">II", tag, 20)
        # UTF-16, whose codec cannot be loaded in the jail any more; for Latin letters this is the same.
        return tag[offset : offset + length].replace(b"\0", b"").decode("latin-1")
    return ""
