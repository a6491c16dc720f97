"""What a viewer's filters say of statuses, put into their entities behind the flags."""

import asyncio
import html
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from phiomia.domain.filters.known import KnownFilters
from phiomia.domain.filters.matching import Matcher, fold
from phiomia.domain.statuses.views import FeedRow
from phiomia.entities.filter import render_results
from phiomia.platform import limits
from phiomia.platform.clock import now_ms

NOTHING = b"[]"
_SLOT = b'"filtered":[]}'
_TEXTS = 2_000
_RESULTS = 100
_BREATH_S = 0.005
_encode = msgspec.json.encode
# What is stored has been sanitised: its elements are well formed, and text is what stands between them.
_REST = r'[^>"]*+(?:"[^"]*"[^>"]*+)*+>'
_BLOCK = re.compile(rf"<(?:/?(?:p|li|ul|ol|blockquote|pre)|br)\b{_REST}")
_ELEMENT = re.compile(f"<{_REST}")


class _Option(msgspec.Struct):
    title: str


class _Poll(msgspec.Struct):
    options: list[_Option] = []


class _Medium(msgspec.Struct):
    description: str | None = None


class _Tag(msgspec.Struct):
    name: str


class _Card(msgspec.Struct):
    title: str = ""


class _Shown(msgspec.Struct):
    """What of a status a person reads."""

    content: str
    spoiler_text: str = ""
    poll: _Poll | None = None
    media_attachments: list[_Medium] = []
    tags: list[_Tag] = []
    card: _Card | None = None
    reblog: "_Shown | None" = None


_read = msgspec.json.Decoder(_Shown).decode


class Filtering:
    """Holds statuses against filters, and keeps what it took to do so."""

    def __init__(self, known: KnownFilters) -> None:
        self.known = known
        self._texts: dict[int, tuple[int, str]] = {}

    async def mark(
        self, rows: Sequence[FeedRow], found: list[tuple[int, Any]], viewer: int | None, matcher: Matcher | None
    ) -> list[tuple[int, Any]]:
        """Statuses in pieces, the last two with the viewer's flags, and now with what the viewer's filters say."""
        if matcher is None or viewer is None:
            return found
        lines = {row.id: row for row in rows}
        marked: list[tuple[int, Any]] = []
        began = time.monotonic()
        for id_, pieces in found:
            marked.append((id_, self._mark_one(matcher, lines[id_], pieces, viewer)))
            if time.monotonic() - began > _BREATH_S:
                # Many keywords and long texts: others must not wait for the whole page.
                await asyncio.sleep(0)
                began = time.monotonic()
        return marked

    def results(self, matcher: Matcher, row: FeedRow, entity: Sequence[bytes], viewer: int) -> bytes:
        """What the filters of a viewer say of a status, whose entity is given in pieces: an array of FilterResult."""
        shown, rev, author = row.id, row.rev, row.account_id
        if row.original_id is not None:
            shown, rev, author = row.original_id, row.original_rev or 0, row.original_account_id or 0
        if author == viewer:
            return NOTHING
        matcher.keep_time(now_ms())
        kept = matcher.results.get(row.id)
        if kept is not None and kept[0] == rev:
            return kept[1]
        text = self._text(shown, rev, entity) if matcher.reads_text else ""
        matches = matcher.match(text, dict.fromkeys((row.id, shown)))
        made = _encode(render_results(matches)) if matches else NOTHING
        if len(matcher.results) >= _RESULTS:
            matcher.results.clear()
        matcher.results[row.id] = (rev, made)
        return made

    def _mark_one(self, matcher: Matcher, row: FeedRow, pieces: Sequence[bytes], viewer: int) -> Sequence[bytes]:
        made = self.results(matcher, row, pieces, viewer)
        if made is NOTHING:
            return pieces
        # A boost says the same as what it boosts.
        ends = [b"".join((end[:-3], made, b"}")) if end.endswith(_SLOT) else end for end in pieces[-2:]]
        return [*pieces[:-2], *ends]

    def _text(self, status_id: int, rev: int, entity: Sequence[bytes]) -> str:
        kept = self._texts.get(status_id)
        if kept is not None and kept[0] == rev:
            return kept[1]
        status = _read(b"".join(entity))
        text = fold("\n".join(_words(status.reblog or status)))[: limits.FILTERED_TEXT]
        if len(self._texts) >= _TEXTS:
            self._texts.clear()
        self._texts[status_id] = (rev, text)
        return text


def _words(status: _Shown) -> Iterator[str]:
    yield status.spoiler_text
    yield html.unescape(_ELEMENT.sub("", _BLOCK.sub("\n", status.content)))
    if status.poll is not None:
        yield from (option.title for option in status.poll.options)
    yield from (medium.description or "" for medium in status.media_attachments)
    yield from (f"#{tag.name}" for tag in status.tags)
    if status.card is not None:
        yield status.card.title
