"""Notifying members: of what was done to one of them, or of one status that concerns many."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, union

from phiomia.domain.notifications.events import Notified
from phiomia.domain.notifications.group import group_key
from phiomia.domain.notifications.models import notifications
from phiomia.domain.notifications.requests import ask_to_be_heard
from phiomia.domain.notifications.retract import retract_event_from, retract_from_all
from phiomia.domain.notifications.rules import about, recipient, recipients_query, sender
from phiomia.domain.notifications.types import ASKING, NotificationType
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import poll_votes, polls, quotes, status_mentions, statuses
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.users.models import users
from phiomia.domain.users.roles import Role
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, any_of, insert_into, listed
from phiomia.platform.db.session import Row
from phiomia.platform.events import append_stream, record
from phiomia.platform.ids import new_exact_id

# An entry of the streaming log stays small, whoever is notified.
_PAIRS_AN_ENTRY = 500


def _among(*sources: Select[tuple[int]]) -> ColumnElement[bool]:
    chosen: ColumnElement[bool] = recipient.in_(union(*sources) if len(sources) > 1 else sources[0])
    return chosen


_ONE = recipients_query(recipient == P("recipient"))
_MENTIONED = recipients_query(
    _among(select(status_mentions.c.account_id).where(status_mentions.c.status_id == about, ~status_mentions.c.silent))
)
_SOME = recipients_query(any_of(recipient, listed("recipients")))
_WITH_BELL = recipients_query(
    _among(select(follows.c.account_id).where(follows.c.target_id == sender, follows.c.notify))
)
_BOOSTERS = recipients_query(_among(select(statuses.c.account_id).where(statuses.c.reblog_of_id == about)))
_STAFF = recipients_query(users.c.role > Role.NONE)
_POLLED = recipients_query(
    _among(
        select(poll_votes.c.account_id)
        .join(polls, polls.c.id == poll_votes.c.poll_id)
        .where(polls.c.status_id == about),
        select(statuses.c.account_id).where(statuses.c.id == about),
    )
)
_quotes_it = and_(quotes.c.quoted_id == about, quotes.c.state == QuoteState.ACCEPTED)
_QUOTERS = recipients_query(_among(select(quotes.c.account_id).where(_quotes_it)))
_NEWEST_QUOTES = Query(
    select(quotes.c.account_id, func.max(quotes.c.status_id))
    .select_from(quotes.join(users, users.c.account_id == quotes.c.account_id))
    .where(_quotes_it)
    .group_by(quotes.c.account_id)
)
_FORGET_QUOTED_UPDATES = Query(
    delete(notifications).where(
        notifications.c.type == P("type", str),
        notifications.c.status_id.in_(select(quotes.c.status_id).where(quotes.c.quoted_id == about)),
    )
)
_STATUS = Query(
    select(
        statuses.c.account_id,
        statuses.c.visibility,
        statuses.c.in_reply_to_account_id,
        statuses.c.reblog_of_id,
    ).where(statuses.c.id == about)
)
_INSERT = insert_into(
    notifications,
    "id",
    "account_id",
    "from_account_id",
    "status_id",
    "type",
    "group_key",
    "filtered",
    "created_at",
    "event_id",
)


async def notify(
    session: WriteSession, recipient_id: int, type_: str, from_account_id: int, status_id: int | None = None
) -> None:
    """Tells one account that another did something, unless the rules say no. Call it late in a transaction."""
    asked = {"sender": from_account_id, "status": status_id, "event": None, "type": str(type_), "now": now_ms()}
    rows = await session.all(_ONE, recipient=recipient_id, **asked)
    await _write(session, type_, from_account_id, status_id, rows)


async def notify_oneself(session: WriteSession, account_id: int, type_: str, event_id: int) -> None:
    """Tells one account of what has happened to it."""
    asked = {"sender": account_id, "status": None, "event": event_id, "type": str(type_), "now": now_ms()}
    rows = await session.all(_ONE, recipient=account_id, **asked)
    await _write(session, type_, account_id, None, rows, event_id=event_id)


async def notify_of_collection(
    session: WriteSession, recipients: Sequence[int], type_: str, owner_id: int, collection_id: int
) -> None:
    """Tells some accounts what the owner of a collection that they are in has done."""
    asked = {"sender": owner_id, "status": None, "event": collection_id, "type": str(type_), "now": now_ms()}
    rows = await session.all(_SOME, recipients=list(recipients), **asked)
    await _write(session, type_, owner_id, None, rows, event_id=collection_id)


async def notify_redescribed(
    session: WriteSession, recipients: Sequence[int], owner_id: int, collection_id: int
) -> None:
    """Tells those who are in a collection that it has changed, in place of what an earlier change told them."""
    await retract_event_from(session, NotificationType.COLLECTION_UPDATE, owner_id, collection_id)
    await notify_of_collection(session, recipients, NotificationType.COLLECTION_UPDATE, owner_id, collection_id)


async def notify_staff(session: WriteSession, type_: str, from_account_id: int, event_id: int | None = None) -> None:
    """Tells those who run the server of what an account did."""
    asked = {"sender": from_account_id, "status": None, "event": event_id, "type": str(type_), "now": now_ms()}
    rows = await session.all(_STAFF, **asked)
    await _write(session, type_, from_account_id, None, rows, event_id=event_id)


async def notify_mentioned(session: WriteSession, status_id: int) -> None:
    """Tells the local accounts that a status names."""
    await _notify_many(session, _MENTIONED, NotificationType.MENTION, status_id)


async def notify_followers_with_bell(session: WriteSession, status_id: int) -> None:
    """Tells the followers who asked to hear of each new status; not of boosts, or of answers to others."""
    status = await _load(session, status_id)
    if status is not None and status.is_news:
        await _tell(session, _WITH_BELL, NotificationType.STATUS, status.account_id, status_id)


async def notify_poll_ended(session: WriteSession, status_id: int) -> None:
    """Tells the local voters, and the author, that the poll of a status is over."""
    await _notify_many(session, _POLLED, NotificationType.POLL, status_id)


async def notify_edited(session: WriteSession, status_id: int) -> None:
    """Tells those who boosted a status that it has changed, in place of what an earlier edit told them."""
    await retract_from_all(session, NotificationType.UPDATE, status_id)
    await _notify_many(session, _BOOSTERS, NotificationType.UPDATE, status_id)


async def notify_quoters(session: WriteSession, status_id: int) -> None:
    """Tells those who quote a status that it has changed, each with the newest quote of theirs."""
    quoting = {row[0]: row[1] for row in await session.all(_NEWEST_QUOTES, status=status_id)}
    if not quoting:
        return
    status = await _load(session, status_id)
    if status is None:
        return
    await session.execute(_FORGET_QUOTED_UPDATES, status=status_id, type=str(NotificationType.QUOTED_UPDATE))
    sender_id, type_ = status.account_id, NotificationType.QUOTED_UPDATE
    asked = {"sender": sender_id, "status": status_id, "event": None, "type": str(type_), "now": now_ms()}
    rows = await session.all(_QUOTERS, **asked)
    await _write(session, type_, sender_id, status_id, rows, quoting)


class _Status(NamedTuple):
    account_id: int
    visibility: int
    in_reply_to_account_id: int | None
    reblog_of_id: int | None

    @property
    def is_news(self) -> bool:
        """Whether followers count it as a new post of the author."""
        answers_other = self.in_reply_to_account_id not in (None, self.account_id)
        return self.reblog_of_id is None and self.visibility != Visibility.DIRECT and not answers_other


async def _load(session: WriteSession, status_id: int) -> _Status | None:
    return await session.view(_Status, _STATUS, status=status_id)


async def _notify_many(session: WriteSession, query: Query, type_: str, status_id: int) -> None:
    status = await _load(session, status_id)
    if status is not None:
        await _tell(session, query, type_, status.account_id, status_id)


async def _tell(session: WriteSession, query: Query, type_: str, sender_id: int, status_id: int) -> None:
    asked = {"sender": sender_id, "status": status_id, "event": None, "type": str(type_), "now": now_ms()}
    rows = await session.all(query, **asked)
    await _write(session, type_, sender_id, status_id, rows)


async def _write(
    session: WriteSession,
    type_: str,
    sender_id: int,
    status_id: int | None,
    recipients: Sequence[Row],
    shown: Mapping[int, int] | None = None,
    event_id: int | None = None,
) -> None:
    """`shown`: the status that a recipient is shown, where that is not the one that the rules were asked about."""
    shown = shown or {}
    now = now_ms()
    ids = [new_exact_id() for _ in recipients]
    await session.execute_many(
        _INSERT,
        [
            {
                "id": id_,
                "account_id": account_id,
                "from_account_id": sender_id,
                "status_id": shown.get(account_id, status_id),
                "type": str(type_),
                "group_key": group_key(type_, id_, status_id, now),
                "filtered": bool(filtered),
                "created_at": now,
                "event_id": event_id,
            }
            for id_, (account_id, filtered) in zip(ids, recipients, strict=True)
        ],
    )
    waiting = [account_id for account_id, filtered in recipients if filtered]
    if waiting and status_id is not None and type_ in ASKING:
        await ask_to_be_heard(session, waiting, sender_id, status_id)
    pairs = [(id_, account_id) for id_, (account_id, filtered) in zip(ids, recipients, strict=True) if not filtered]
    if pairs:
        await record(session, Notified(str(type_), sender_id, status_id, pairs))
        await _stream(session, pairs)


async def _stream(session: WriteSession, pairs: Sequence[tuple[int, int]]) -> None:
    if len(pairs) == 1:
        await append_stream(session, "notification", {"id": pairs[0][0], "account": pairs[0][1]})
        return
    for start in range(0, len(pairs), _PAIRS_AN_ENTRY):
        await append_stream(session, "notification", {"ids": pairs[start : start + _PAIRS_AN_ENTRY]})
