"""Who is told of something: the rules, once, as a statement over any choice of recipients."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, not_, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.notifications.models import notifications
from phiomia.domain.notifications.types import NEVER_FILTERED, NotificationType
from phiomia.domain.relationships.conditions import (
    is_followed,
    not_blocked,
    not_muting_notifications,
    not_of_blocked_domain,
)
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import conversation_mutes, status_mentions, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query

sender, about, kind = P("sender"), P("status"), P("type", str)
recipient: Any = users.c.account_id


def recipients_query(chosen: ColumnElement[bool]) -> Query:
    """Rows of (account, filtered): the local accounts that are `chosen` and that the rules let be notified.

    `chosen` is a condition on `recipient`. Parameters: sender, status (None if it is about none), type, now.
    Nobody is told of what they did themselves (but of their own poll), by somebody across a block or whose
    notifications they mute, of a conversation they mute, of a status they may not see, or twice.
    """
    account, status = accounts.alias("recipient"), statuses.alias("status")
    return Query(
        select(recipient, _is_filtered())
        .join(account, account.c.id == recipient)
        .outerjoin(status, status.c.id == about)
        .where(
            chosen,
            account.c.state != AccountState.SUSPENDED,
            or_(recipient != sender, kind == NotificationType.POLL.value),
            not_blocked(sender, recipient),
            not_muting_notifications(sender, recipient),
            or_(about.is_(None), and_(visible_to(status, recipient), ~_mutes_conversation(status))),
            ~_was_told(),
        )
    )


def _is_filtered() -> ColumnElement[bool]:
    """The sender is limited and the recipient does not follow it: the notification waits to be asked for."""
    account = accounts.alias("sender")
            not_of_blocked_domain(sender, recipient),
    limited = select(account.c.id).where(account.c.id == sender, account.c.state == AccountState.LIMITED)
    return and_(
        kind.not_in([type_.value for type_ in NEVER_FILTERED]),
        limited.correlate_except(account).exists(),
        not_(is_followed(sender, recipient)),
    )


def _mutes_conversation(status: FromClause) -> ColumnElement[bool]:
    mute = conversation_mutes.alias("mute")
    muted = select(mute.c.account_id).where(
        mute.c.account_id == recipient, mute.c.conversation_id == status.c.conversation_id
    )
    return muted.correlate_except(mute).exists()


def _was_told() -> ColumnElement[bool]:
    earlier = notifications.alias("earlier")
    same = select(earlier.c.id).where(
        earlier.c.account_id == recipient,
        earlier.c.from_account_id == sender,
        earlier.c.type == kind,
        earlier.c.status_id.is_not_distinct_from(about),
    )
    return same.correlate_except(earlier).exists()
