"""What two servers say to each other about a quote: the question, the answer, and the consent that can be looked up."""

from typing import NamedTuple

from sqlalchemy import select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.statuses.models import quotes, statuses
from phiomia.domain.statuses.quote import settle_quote
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.platform.db import P, Query, ReadSession, WriteSession

_quoting, _quoted = statuses.alias("quoting"), statuses.alias("quoted")
_quoter, _author = accounts.alias("quoter"), accounts.alias("author")


class QuotePair(NamedTuple):
    """A quote with both statuses and their authors. Local ones have no uri."""

    status_id: int
    state: int
    quoted_uri: str
    approval_uri: str
    request_uri: str
    account_id: int
    username: str
    domain: str
    actor_uri: str
    uri: str
    quoted_id: int | None
    quoted_account_id: int | None
    quoted_username: str | None
    quoted_domain: str | None
    quoted_actor_uri: str | None
    quoted_status_uri: str | None


_PAIR = Query(
    select(
        quotes.c.status_id,
        quotes.c.state,
        quotes.c.quoted_uri,
        quotes.c.approval_uri,
        quotes.c.request_uri,
        _quoter.c.id,
        _quoter.c.username,
        _quoter.c.domain,
        _quoter.c.uri,
        _quoting.c.uri,
        _quoted.c.id,
        _author.c.id,
        _author.c.username,
        _author.c.domain,
        _author.c.uri,
        _quoted.c.uri,
    )
    .select_from(quotes.join(_quoting, _quoting.c.id == quotes.c.status_id))
    .join(_quoter, _quoter.c.id == _quoting.c.account_id)
    .outerjoin(_quoted, _quoted.c.id == quotes.c.quoted_id)
    .outerjoin(_author, _author.c.id == _quoted.c.account_id)
    .where(quotes.c.status_id == P("status"))
)
_FIND = Query(
    update(quotes)
    .where(quotes.c.status_id == P("status"), quotes.c.quoted_id.is_(None))
    .values(quoted_id=P("quoted"), quoted_account_id=P("author"))
)
_RENEW = Query(update(statuses).where(statuses.c.id == P("id")))
_ASKED = Query(update(quotes).where(quotes.c.status_id == P("status")).values(request_uri=P("request", str)))
_PROVEN = Query(
    update(quotes)
    .where(
        quotes.c.status_id == P("status"),
        quotes.c.state == int(QuoteState.PENDING),
        quotes.c.approval_uri != P("approval", str),
    )
    .values(approval_uri=P("approval", str))
)
_BY_APPROVAL = Query(
    select(quotes.c.status_id).where(
        quotes.c.approval_uri == P("uri", str), quotes.c.approval_uri != "", quotes.c.quoted_account_id == P("author")
    )
)


async def find_pair(session: ReadSession, status_id: int) -> QuotePair | None:
    """The quote that a status has."""
    return await session.view(QuotePair, _PAIR, status=status_id)


async def note_quoted(session: WriteSession, status_id: int, quoted_id: int, author_id: int) -> None:
    """What a status quotes has been found."""
    if await session.execute(_FIND, status=status_id, quoted=quoted_id, author=author_id):
        await session.execute(_RENEW, id=status_id)


async def note_proof(session: WriteSession, status_id: int, approval_uri: str) -> bool:
    """A quote that waits for consent names a proof now; False if it does not wait, or for nothing else."""
    return bool(await session.execute(_PROVEN, status=status_id, approval=approval_uri))


async def note_request(session: WriteSession, status_id: int, request_uri: str) -> None:
    """By what name a member was asked for consent."""
    await session.execute(_ASKED, status=status_id, request=request_uri)


async def withdraw_consent(session: WriteSession, author_id: int, approval_uri: str) -> bool:
    """The author's proof at an address is gone; False if no quote of theirs rests on it."""
    found = await session.column(_BY_APPROVAL, uri=approval_uri, author=author_id)
    for status_id in found:
        await settle_quote(session, status_id, QuoteState.REVOKED)
    return bool(found)
