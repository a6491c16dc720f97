"""Avatars, headers and thumbnails: one picture, or the same one in several sizes."""

from typing import Any, Final, NamedTuple

from phiomia.federation.parse.addresses import links
from phiomia.federation.parse.values import address, natural, values, words

_MOST_SIZES: Final = 16
_DESCRIPTION: Final = 1_500


class PictureDraft(NamedTuple):
    """Where a picture is, and what it shows; both empty if there is none."""

    url: str = ""
    description: str = ""


def parse_picture(value: Any) -> PictureDraft:
    """The widest of the pictures given."""
    best, width = PictureDraft(), -1
    for one in values(value, _MOST_SIZES):
        url, size = _read(one)
        if url and size > width:
            described = (one.get("summary") or one.get("name")) if isinstance(one, dict) else ""
            best, width = PictureDraft(url, words(described, _DESCRIPTION)), size
    return best


def _read(one: Any) -> tuple[str, int]:
    if not isinstance(one, dict):
        return address(one), 0
    found = next(iter(links(one.get("url"))), None) or next(iter(links(one)), None)
    return ("", 0) if found is None else (found.href, natural(one.get("width")) or found.width)
