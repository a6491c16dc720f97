"""The job that fetches the preview of a link."""

import asyncio
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.resolver import Lookup
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.statuses.attach_card import FetchCard
from phiomia.domain.statuses.card_views import CardState
from phiomia.domain.statuses.models import cards, statuses
from phiomia.domain.statuses.read_page import Page, Preview, read_oembed, read_page
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.http import Fetcher, FetchFailed
from phiomia.platform.jobs.context import HasConfig, HasDatabase
from phiomia.platform.jobs.handlers import Retry
from phiomia.platform.json import decode_strings

_PAGE_BYTES = 1024 * 1024
_OEMBED_BYTES = 64 * 1024
_RENEWED = 500

_URL = Query(select(cards.c.url).where(cards.c.id == P("of_id")))
_FIELDS = tuple(Preview.__struct_fields__)
_WRITE = Query(
    update(cards)
    .where(cards.c.id == P("of_id"))
    .values(
        {name: column_parameter(cards, name, f"new_{name}") for name in _FIELDS}
        | {"state": P("new_state"), "author_id": P("author"), "claimed_author_id": P("claimed"), "fetched_at": P("now")}
    )
)
_EMPTY = Query(update(cards).where(cards.c.id == P("of_id")).values(state=P("new_state"), fetched_at=P("now")))
_STATE = Query(select(cards.c.state).where(cards.c.id == P("of_id")))
_page = (
    select(statuses.c.id)
    .where(statuses.c.card_id == P("card"), statuses.c.card_id.is_not(None), statuses.c.id > P("after"))
    .order_by(statuses.c.id)
    .limit(_RENEWED)
)
# Fragments of statuses hold the preview: these statuses are others now.
_RENEW = Query(update(statuses).where(statuses.c.id.in_(_page.scalar_subquery())).returning(statuses.c.id))
_AUTHOR = Query(
    select(accounts.c.id, accounts.c.attribution_domains).where(
        accounts.c.username_key == P("username", str),
        accounts.c.domain == P("domain", str),
        accounts.c.state < AccountState.SUSPENDED,
    )
)


class _Author(NamedTuple):
    """Who wrote a page: somebody who says so as well, or somebody whom only the page names."""

    known: int | None = None
    claimed: int | None = None


_NOBODY = _Author()


class Way(Protocol):
    """The way to other servers."""

    @property
    def fetcher(self) -> Fetcher:
        """Asks."""
        ...


class Context(HasDatabase, HasConfig, Protocol):
    """What the handler needs of the worker's context."""

    @property
    def outside(self) -> Way:
        """The way out."""
        ...

    @property
    def lookup(self) -> Lookup:
        """Who knows accounts of other servers."""
        ...


async def run_fetch_card(context: Context, job: FetchCard) -> None:
    """Handler of FetchCard."""
    async with context.db.read() as session:
        url = await session.value(_URL, of_id=job.card_id)
    if url is None:
        return
    try:
        page = await _fetch(context.outside.fetcher, url)
    except FetchFailed as error:
        if error.retry:
            raise Retry(f"{urlsplit(url).hostname}: {error}") from error
        page = None
    if page is None or not page.preview.title:
        await context.db.write(lambda session: _note_empty(session, job.card_id))
        return
    author = await _find_author(context, page.creator, url) if page.creator else _NOBODY
    found = page
    await context.db.write(lambda session: _write(session, job.card_id, found.preview, author))
    after: int | None = 0
    while after is not None:
        start = after
        after = await context.db.write(lambda session, start=start: _renew(session, job.card_id, start))  # type: ignore[misc]


async def _fetch(fetcher: Fetcher, url: str) -> Page | None:
    answer = await fetcher.fetch(url, headers={"Accept": "text/html"}, content_type=_is_html, body_bytes=_PAGE_BYTES)
    if not answer.ok:
        if answer.status >= 500 or answer.status == 429:
            raise FetchFailed(f"answered {answer.status}", retry=True)
        return None
    page = await asyncio.to_thread(read_page, answer.body, answer.headers.get("content-type", ""), answer.url)
    if not page.oembed_url:
        return page
    try:
        more = await fetcher.fetch(
            page.oembed_url, headers={"Accept": "application/json"}, body_bytes=_OEMBED_BYTES, seconds=5.0
        )
    except FetchFailed:
        return page  # the page has told enough
    if not more.ok:
        return page
    return msgspec.structs.replace(page, preview=read_oembed(more.body, page.preview, page.oembed_url))


def _is_html(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")


async def _find_author(context: Context, handle: str, url: str) -> _Author:
    """The account that the page names, and whether that says in turn that it writes there."""
    username, _, domain = handle.partition("@")
    host = (urlsplit(url).hostname or "").lower()
    if not username or not domain or "@" in domain or len(handle) > 300:
        return _NOBODY
    own = domain.lower() in (context.config.domain.lower(), context.config.web_domain.lower())
    if not own:
        await context.lookup.account(handle)
    async with context.db.read() as session:
        row = await session.one(_AUTHOR, username=username.lower(), domain="" if own else domain.lower())
    if row is None:
        return _NOBODY
    agrees = any(_covers(one, host) for one in decode_strings(row[1]))
    return _Author(known=int(row[0])) if agrees else _Author(claimed=int(row[0]))


def _covers(domain: str, host: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


async def _write(session: WriteSession, card_id: int, preview: Preview, author: _Author) -> None:
    values = {f"new_{name}": getattr(preview, name) for name in _FIELDS}
    shown = int(CardState.SHOWN)
    await session.execute(
        _WRITE, of_id=card_id, new_state=shown, author=author.known, claimed=author.claimed, now=now_ms(), **values
    )


async def _note_empty(session: WriteSession, card_id: int) -> None:
    # What was shown before stays: a page may be away for a while.
    state = await session.value(_STATE, of_id=card_id)
    kept = CardState.SHOWN if state == CardState.SHOWN else CardState.EMPTY
    await session.execute(_EMPTY, of_id=card_id, new_state=int(kept), now=now_ms())


async def _renew(session: WriteSession, card_id: int, after: int) -> int | None:
    ids = await session.column(_RENEW, card=card_id, after=after)
    return max(ids) if len(ids) == _RENEWED else None
