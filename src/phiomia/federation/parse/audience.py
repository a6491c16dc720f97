"""Whom a document is addressed to, and what that makes of a post."""

from typing import Final, NamedTuple

from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.parse.values import PUBLIC, Document, id_of, values

MOST: Final = 1_000


class Audience(NamedTuple):
    """Addressees by id; `hidden` were addressed without the others' knowledge. Everybody is not among them."""

    public_in: str = ""  # "to", "cc" or empty
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    @property
    def everyone_named(self) -> tuple[str, ...]:
        """All addressees by id, each once."""
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.hidden)))


def parse_audience(*documents: Document) -> Audience:
    """The addressees in the first of the documents that names any: an object's own go before its activity's."""
    for document in documents:
        to, cc = _read(document, "to"), _read(document, "cc")
        hidden = _read(document, "bto") | _read(document, "bcc")
        if to or cc or hidden:
            public_in = "to" if to.keys() & PUBLIC else "cc" if cc.keys() & PUBLIC else ""
            return Audience(public_in, _people(to), _people(cc), _people(hidden))
    return Audience()


def visibility_of(audience: Audience, followers_url: str) -> Visibility:
    """What the addressees make of a post whose author's followers have that address."""
    if audience.public_in:
        return Visibility.PUBLIC if audience.public_in == "to" else Visibility.UNLISTED
    if followers_url and followers_url in (*audience.to, *audience.cc):
        return Visibility.PRIVATE
    return Visibility.DIRECT


def _read(document: Document, name: str) -> dict[str, None]:
    found = (one if isinstance(one, str) and one in PUBLIC else id_of(one) for one in values(document.get(name), MOST))
    return {one: None for one in found if one}


def _people(addresses: dict[str, None]) -> tuple[str, ...]:
    return tuple(one for one in addresses if one not in PUBLIC)
