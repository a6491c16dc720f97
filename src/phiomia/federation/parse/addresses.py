"""Which of several addresses to take."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from phiomia.federation.parse.values import address, natural, values

_MOST: Final = 32


class Link(NamedTuple):
    """One address of a thing, with what is said of it."""

    href: str
    media_type: str
    width: int
    height: int


def links(value: Any) -> Iterator[Link]:
    """The addresses in a property `url`: words, Links, or a list of both."""
    for one in values(value, _MOST):
        if isinstance(one, dict):
            href = address(one.get("href")) or address(one.get("url"))
            media_type = one.get("mediaType") or one.get("mimeType")
        else:
            href, media_type = address(one), ""
        if href:
            size = one if isinstance(one, dict) else {}
            yield Link(
                href,
                media_type.lower() if isinstance(media_type, str) else "",
                natural(size.get("width")) or 0,
                natural(size.get("height")) or 0,
            )


def page_of(value: Any) -> str:
    """The address for people: the one of HTML, else the first; empty if there is none."""
    found = list(links(value))
    pages = [link for link in found if link.media_type.split(";")[0] == "text/html"]
    return next((link.href for link in (*pages, *found)), "")
