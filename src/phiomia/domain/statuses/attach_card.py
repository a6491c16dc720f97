"""The link in a status whose preview is shown, and the one job that fetches the preview of a new link."""

import html
import random
import re
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import select, update

from phiomia.domain.statuses.card_views import CardState
from phiomia.domain.statuses.events import StatusCreated, StatusEdited
from phiomia.domain.statuses.models import cards, statuses
from phiomia.platform.clock import DAY, SECOND, now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.session import Row
from phiomia.platform.ids import new_id
from phiomia.platform.jobs.defer import Job, defer

_LONGEST: Final = 2_000
_STALE: Final = 14 * DAY
# Every server that gets the status asks for the link: not all in the same second.
_SPREAD_MS: Final = 60 * SECOND
_ANCHOR: Final = re.compile(r"<a ([^<>]{1,4000})>")
_HREF: Final = re.compile(r'href="([^"]+)"')
_NAMES: Final = re.compile(r'class="[^"]*\b(?:mention|hashtag)\b')

_CONTENT = Query(
    select(statuses.c.content, statuses.c.media_count, statuses.c.card_id, statuses.c.local).where(
        statuses.c.id == P("id")
    )
)
_KNOWN = Query(select(cards.c.id, cards.c.state, cards.c.fetched_at).where(cards.c.url == P("address", str)))
_INSERT = Query(
    lambda insert: (
        insert(cards)
        .values(id=P("id"), url=P("address", str), state=int(CardState.WAITING), created_at=P("now"))
        .on_conflict_do_nothing(index_elements=["url"])
    )
)
_ATTACH = Query(update(statuses).where(statuses.c.id == P("id")).values(card_id=P("card")))


class FetchCard(Job, frozen=True):
    """Fetch the preview of a link."""

    TYPE = "statuses.fetch_card"
    QUEUE = "pull"
    TRIES = 3

    card_id: int


async def attach_card(session: WriteSession, event: StatusCreated | StatusEdited) -> None:
    """The status shows the preview of the first link in it; an unknown or old one is fetched once, a little later."""
    row = await _read_content(session, event)
    if row is None:
        return
    content, media_count, before, local = row
    config = getattr(session.services, "config", None)
    own = {config.web_domain.lower(), config.domain.lower()} if config is not None else set()
    url = "" if media_count else find_link(content, own)
    card_id = await _find_card(session, url, bool(local)) if url else None
    if card_id != before:
        await session.execute(_ATTACH, id=event.status_id, card=card_id)


async def _read_content(session: WriteSession, event: StatusCreated | StatusEdited) -> Row | None:
    if isinstance(event, StatusCreated) and event.draft is not None:
        return (event.draft.content, event.draft.media_count, None, event.local)
    return await session.one(_CONTENT, id=event.status_id)


def find_link(content: str, own_hosts: set[str]) -> str:
    """The address of the first link in the HTML of a status that leads out of the network; empty if there is none."""
    # What quotes a post shows that one.
    if "<a " not in content or 'class="quote-inline"' in content:
        return ""
    for match in _ANCHOR.finditer(content):
        found = _HREF.search(match[1])
        if found is None or _NAMES.search(match[1]):
            continue
        url = html.unescape(found[1])
        if len(url) <= _LONGEST and _leads_out(url, own_hosts):
            return url
    return ""


def _leads_out(url: str, own_hosts: set[str]) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(host) and host.lower() not in own_hosts and url.isprintable()


async def _find_card(session: WriteSession, url: str, local: bool) -> int:
    now = now_ms()
    row = await session.one(_KNOWN, address=url)
    if row is None:
        await session.execute(_INSERT, id=new_id(), address=url, now=now)
        row = await session.one(_KNOWN, address=url)
        assert row is not None
    card_id, state, fetched_at = row
    if state == CardState.WAITING or (fetched_at or 0) < now - _STALE:
        wait = 0 if local else random.randrange(_SPREAD_MS)
        await defer(session, FetchCard(card_id), run_at=now + wait, unique=f"{FetchCard.TYPE}:{card_id}")
    return int(card_id)
