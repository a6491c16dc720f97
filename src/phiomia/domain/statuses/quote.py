"""Quoting a status: the author's policy says whether that stands at once, has to be asked for, or can't be."""

from typing import NamedTuple

from sqlalchemy import select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.conditions import exists_pair, is_followed
from phiomia.domain.relationships.models import blocks
from phiomia.domain.statuses.counters import count_quote
from phiomia.domain.statuses.events import QuoteChanged
from phiomia.domain.statuses.models import quotes, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.quote_draft import QuoteDraft
from phiomia.domain.statuses.quote_policy import may_quote
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.targets import meant
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.events import record

NOT_QUOTABLE = "The post you are trying to quote does not appear to exist."


class Quotable(NamedTuple):
    """A status that somebody wants to quote, and how the author stands to them."""

    id: int
    account_id: int
    local: bool
    visibility: int
    policy: int
    url: str
    uri: str
    username: str
    follows: bool
    followed: bool

    def answer_to(self, account_id: int) -> str:
        """What the author's policy says to an account: automatic, manual, unknown or denied."""
        return may_quote(
            self.policy,
            self.visibility,
            own=self.account_id == account_id,
            follows=bool(self.follows),
            followed=bool(self.followed),
        )


_actor = P("actor")
_author = accounts.alias("author")
_QUOTABLE = Query(
    select(
        statuses.c.id,
        statuses.c.account_id,
        statuses.c.local,
        statuses.c.visibility,
        statuses.c.quote_policy,
        statuses.c.url,
        statuses.c.uri,
        _author.c.username,
        is_followed(statuses.c.account_id, _actor),
        is_followed(_actor, statuses.c.account_id),
    )
    .join(_author, _author.c.id == statuses.c.account_id)
    .where(
        statuses.c.id == meant(),
        statuses.c.reblog_of_id.is_(None),
        visible_to(statuses, _actor),
        ~exists_pair(blocks, _actor, statuses.c.account_id),
    )
)
_INSERT = insert_into(
    quotes, "status_id", "account_id", "quoted_id", "quoted_account_id", "state", "quoted_uri", "approval_uri",
    "created_at",
)  # fmt: skip
_MARK = Query(update(statuses).where(statuses.c.id == P("id")).values(quoting=True))
_QUOTED_BY = Query(select(quotes.c.quoted_id, quotes.c.state).where(quotes.c.status_id == P("status")))
_GONE = Query(update(quotes).where(quotes.c.quoted_id == P("quoted")).values(state=int(QuoteState.DELETED)))
_RENEW_QUOTING = Query(
    update(statuses).where(
        statuses.c.id.in_(select(quotes.c.status_id).where(quotes.c.quoted_id == P("quoted")).scalar_subquery())
    )
)
_AUTHOR = Query(select(statuses.c.account_id, statuses.c.visibility).where(statuses.c.id == P("id")))
_OF_STATUS = Query(
    select(
        quotes.c.account_id,
        quotes.c.quoted_id,
        quotes.c.quoted_account_id,
        quotes.c.state,
        statuses.c.visibility,
    )
    .join(statuses, statuses.c.id == quotes.c.status_id)
    .where(quotes.c.status_id == P("status"))
    .with_for_update(of=quotes)
)
_SET_STATE = Query(
    update(quotes)
    .where(quotes.c.status_id == P("status"))
    .values(state=P("new_state"), approval_uri=P("approval", str))
)
_RENEW = Query(update(statuses).where(statuses.c.id == P("id")))


async def find_quotable(session: ReadSession, actor_id: int, status_id: int) -> Quotable:
    """The status that is meant, if the actor may see and quote it. Raises NotFound."""
    row = await session.one(_QUOTABLE, id=status_id, actor=actor_id)
    if row is None or Quotable(*row).answer_to(actor_id) == "denied":
        raise NotFound(NOT_QUOTABLE)
    return Quotable(*row)


async def write_quote(
    session: WriteSession, status_id: int, account_id: int, visibility: int, draft: QuoteDraft, *, local: bool
) -> None:
    """Notes what a new status quotes. Raises NotFound for what a member may not quote."""
    quoted_author: int | None = None
    state = draft.state
    quoted_id = draft.quoted_id
    if local:
        quotable = await find_quotable(session, account_id, draft.quoted_id or 0)
        quoted_id, quoted_author = quotable.id, quotable.account_id
        # Whether somebody elsewhere agrees is for their server to say, whatever their policy.
        at_once = quotable.local and quotable.answer_to(account_id) == "automatic"
        state = QuoteState.ACCEPTED if at_once else QuoteState.PENDING
    elif quoted_id is not None:
        row = await session.one(_AUTHOR, id=quoted_id)
        quoted_id, quoted_author = (None, None) if row is None else (quoted_id, row[0])
    await session.execute(
        _INSERT,
        status_id=status_id,
        account_id=account_id,
        quoted_id=quoted_id,
        quoted_account_id=quoted_author,
        state=int(state),
        quoted_uri=draft.quoted_uri,
        approval_uri=draft.approval_uri,
        created_at=now_ms(),
    )
    await session.execute(_MARK, id=status_id)
    if quoted_id is None or quoted_author is None:
        return
    if state == QuoteState.ACCEPTED:
        await count_quote(session, quoted_id, visibility, by=1)
    await record(session, QuoteChanged(status_id, account_id, quoted_id, quoted_author, int(state), None, local))


async def settle_quote(session: WriteSession, status_id: int, state: QuoteState, approval_uri: str = "") -> bool:
    """Brings the quote of a status into another state; False if it has no quote, or one in that state."""
    row = await session.one(_OF_STATUS, status=status_id)
    if row is None or row[3] == state:
        return False
    account_id, quoted_id, quoted_author, before, visibility = row
    await session.execute(_SET_STATE, status=status_id, new_state=int(state), approval=approval_uri)
    await session.execute(_RENEW, id=status_id)
    if quoted_id is None or quoted_author is None:
        return True
    if QuoteState.ACCEPTED in (before, state):
        await count_quote(session, quoted_id, visibility, by=1 if state == QuoteState.ACCEPTED else -1)
    await record(session, QuoteChanged(status_id, account_id, quoted_id, quoted_author, int(state), before))
    return True


async def forget_quotes(session: WriteSession, status_id: int, visibility: int) -> None:
    """Before a status is deleted: those that quote it say so, and what it quotes is quoted once less."""
    if await session.execute(_RENEW_QUOTING, quoted=status_id):
        await session.execute(_GONE, quoted=status_id)
    row = await session.one(_QUOTED_BY, status=status_id)
    if row is not None and row[0] is not None and row[1] == QuoteState.ACCEPTED:
        await count_quote(session, row[0], visibility, by=-1)
