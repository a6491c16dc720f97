"""Links on profiles: a page that links back with rel=me is the account's own."""

import asyncio
import re
from collections.abc import Collection
from html import unescape
from typing import Any, Final, Protocol

from sqlalchemy import select, update

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.accounts.models import accounts
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.http import Fetcher, FetchFailed
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.context import HasDatabase
from phiomia.platform.json import decode, encode

_BYTES: Final = 1024 * 1024
_LINK: Final = re.compile(r"<(?:a|link)\b([^<>]{1,4096}+)>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(
    r"""\b(rel|href)\s{0,8}=\s{0,8}(?:"([^"]{0,512})"|'([^']{0,512})'|([^\s"'>]{1,512}))""", re.IGNORECASE
)

_ACCOUNT = Query(
    select(accounts.c.username, accounts.c.fields).where(accounts.c.id == P("account"), accounts.c.domain == "")
)
_LOCKED = Query(select(accounts.c.fields).where(accounts.c.id == P("account")).with_for_update())
_WRITE = Query(update(accounts).where(accounts.c.id == P("account")).values(fields=P("verified", str)))


class VerifyLinks(Job, frozen=True):
    """Look whether the pages that a profile names link back to it."""

    TYPE = "accounts.verify_links"
    QUEUE = "pull"
    TRIES = 3

    account_id: int


class Way(Protocol):
    """The way to other servers."""

    @property
    def fetcher(self) -> Fetcher:
        """Asks."""
        ...


class Places(Protocol):
    """Where profiles are."""

    @property
    def base(self) -> str:
        """The server's address."""
        ...


class Context(HasDatabase, Protocol):
    """What the handler needs of the worker's context."""

    @property
    def outside(self) -> Way:
        """The way out."""
        ...

    @property
    def links(self) -> Places:
        """Where things are."""
        ...


async def want_verification(session: WriteSession, event: AccountUpdated) -> None:
    """A member's new links are looked at soon."""
    _, urls = await _find_unverified(session, event.account_id)
    if urls:
        await defer(session, VerifyLinks(event.account_id), unique=f"{VerifyLinks.TYPE}:{event.account_id}")


async def run_verify_links(context: Context, job: VerifyLinks) -> None:
    """Handler of VerifyLinks."""
    async with context.db.read() as session:
        username, urls = await _find_unverified(session, job.account_id)
    own = {f"{context.links.base}/@{username}".lower(), f"{context.links.base}/users/{username}".lower()}
    verified = [url for url in urls if await _links_back(context.outside.fetcher, url, own)]
    if verified:
        await context.db.write(lambda session: _write(session, job.account_id, verified))


async def _find_unverified(session: ReadSession, account_id: int) -> tuple[str, list[str]]:
    row = await session.one(_ACCOUNT, account=account_id)
    if row is None or row[1] == "[]":
        return "", []
    found = [field["value"].strip() for field in decode(row[1]) if not field.get("verified_at")]
    return row[0], [url for url in dict.fromkeys(found) if url.startswith(("https://", "http://"))]


async def _links_back(fetcher: Fetcher, url: str, own: Collection[str]) -> bool:
    try:
        answer = await fetcher.fetch(
            url, headers={"Accept": "text/html"}, content_type=lambda kind: "html" in kind.lower(), body_bytes=_BYTES
        )
    except FetchFailed:
        return False  # it stays unverified, and is looked at again with the next change
    return answer.ok and await asyncio.to_thread(has_link_to, answer.body.decode("utf-8", "replace"), own)


def has_link_to(page: str, own: Collection[str]) -> bool:
    """Whether an HTML page links with rel=me to one of the addresses, which are given in lower case."""
    for match in _LINK.finditer(page):
        found = {one[1].lower(): unescape(one[2] or one[3] or one[4] or "") for one in _ATTRIBUTE.finditer(match[1])}
        if "me" in found.get("rel", "").lower().split() and found.get("href", "").rstrip("/").lower() in own:
            return True
    return False


async def _write(session: WriteSession, account_id: int, verified: Collection[str]) -> None:
    text: Any = await session.value(_LOCKED, account=account_id)
    fields = decode(text) if text else []
    now = now_ms()
    for field in fields:
        if field["value"].strip() in verified and not field.get("verified_at"):
            field["verified_at"] = now
    await session.execute(_WRITE, account=account_id, verified=encode(fields))
