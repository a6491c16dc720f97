"""Documents as bytes, ready to be sent, kept by revision.

When a post goes round, thousands of servers ask for it within a minute: all but the first get bytes that are there.
"""

from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
from isal import igzip

from phiomia.entities.kept import Kept
from phiomia.platform.paging import HIGHEST_ID

# Smaller ones don't become so much smaller that packing and unpacking pays.
_WORTH_PACKING: Final = 1024


class Rendered(NamedTuple):
    """A document's bytes, also packed if that pays. `until` (ms): then time alone will have changed it."""

    rev: int
    body: bytes
    packed: bytes | None
    etag: str
    until: int


def encode(document: Any, rev: int = 0, until: int = HIGHEST_ID) -> Rendered:
    """The bytes of a document, or of anything that becomes JSON."""
    body = msgspec.json.encode(document)
    packed = igzip.compress(body, 1) if len(body) >= _WORTH_PACKING else None
    return Rendered(rev, body, packed, f'W/"{blake2b(body, digest_size=12).hexdigest()}"', until)


class Shelf:
    """Rendered documents of one kind, by the id of their thing."""

    __slots__ = ("_kept",)

    def __init__(self, most: int) -> None:
        self._kept: Kept[Rendered] = Kept(most)

    def find(self, key: int, rev: int, now: int) -> Rendered | None:
        """The document, if it was rendered from this very revision."""
        kept = self._kept.get(key)
        return kept if kept is not None and kept.rev == rev and kept.until > now else None

    def put(self, key: int, rendered: Rendered) -> Rendered:
        """Keeps a document, and gives it back."""
        self._kept.put(key, rendered)
        return rendered

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()


class Shelves:
    """All that one process keeps. `answers` are those that time alone makes old."""

    def __init__(self, statuses: int, accounts: int) -> None:
        self.notes = Shelf(statuses)
        self.activities = Shelf(max(1, statuses // 4))
        self.actors = Shelf(accounts)
        self.handles = Shelf(accounts)
        self.answers: dict[str, Rendered] = {}

    def clear(self) -> None:
        """Forgets everything, as after a start."""
        for shelf in (self.notes, self.activities, self.actors, self.handles):
            shelf.clear()
        self.answers.clear()
