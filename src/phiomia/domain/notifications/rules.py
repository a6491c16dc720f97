"""Who is told of something: the rules, once, as a statement over any choice of recipients."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, false, func, not_, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.notifications.models import notification_permissions, notification_policies, notifications
from phiomia.domain.notifications.policy import DEFAULTS, Answer
from phiomia.domain.notifications.types import FROM_ONESELF, NEVER_FILTERED, NotificationType
from phiomia.domain.relationships.conditions import (
    is_followed,
    not_blocked,
    not_muting_notifications,
    not_of_blocked_domain,
)
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import conversation_mutes, status_mentions, statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.users.models import users
from phiomia.platform.clock import DAY
from phiomia.platform.db import P, Query

sender, about, kind = P("sender"), P("status"), P("type", str)
recipient: Any = users.c.account_id

NEW_ACCOUNT = 30 * DAY
NEW_FOLLOWER = 3 * DAY
_chosen = notification_policies.alias("chosen")
_who = accounts.alias("who")


def recipients_query(chosen: ColumnElement[bool]) -> Query:
    """Rows of (account, filtered): the local accounts that are `chosen` and that the rules let be notified.

    `chosen` is a condition on `recipient`. Parameters: sender, status and event (None if it is about none), type, now.
    Nobody is told of what they did themselves (but of what ends by itself), by somebody across a block or whose
    notifications they mute, of a conversation they mute, of a status they may not see, what their policy drops, or
    twice.
    """
    # It is longer than any other statement, and made only where it is asked.
    return Query(lambda _insert: _select_recipients(chosen))


def _select_recipients(chosen: ColumnElement[bool]) -> Select[Any]:
    account, status = accounts.alias("recipient"), statuses.alias("status")
    return (
        select(recipient, _meets(Answer.FILTER, status))
        .join(account, account.c.id == recipient)
        .outerjoin(status, status.c.id == about)
        .outerjoin(_chosen, _chosen.c.account_id == recipient)
        .where(
            chosen,
            account.c.state != AccountState.SUSPENDED,
            or_(recipient != sender, kind.in_([type_.value for type_ in FROM_ONESELF])),
            not_blocked(sender, recipient),
            not_of_blocked_domain(sender, recipient),
            not_muting_notifications(sender, recipient),
            or_(about.is_(None), and_(visible_to(status, recipient), ~_mutes_conversation(status))),
            ~_was_told(),
            ~_meets(Answer.DROP, status),
        )
    )


def _meets(answer: Answer, status: FromClause) -> ColumnElement[bool]:
    """The sender is one of those to whom the recipient's policy gives that answer."""
    unknown = not_(is_followed(sender, recipient))
    groups = (
        ("for_limited_accounts", and_(_sender_is(_who.c.state == AccountState.LIMITED), unknown)),
        ("for_not_following", unknown),
        ("for_not_followers", ~_follows_for_long()),
        ("for_new_accounts", and_(_sender_is(_who.c.created_at > P("now") - NEW_ACCOUNT), unknown)),
        ("for_bots", and_(_sender_is(_who.c.bot), unknown)),
        ("for_private_mentions", and_(unknown, _is_unasked_letter(status))),
    )
    return and_(
        kind.not_in([type_.value for type_ in NEVER_FILTERED]),
        or_(*[and_(func.coalesce(_chosen.c[name], DEFAULTS[name]) == answer, holds) for name, holds in groups]),
        ~_was_let_through(),
        ~_is_staff(),
    )


def _sender_is(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(_who.c.id).where(_who.c.id == sender, condition).correlate_except(_who).exists()


def _follows_for_long() -> ColumnElement[bool]:
    follow = follows.alias("follower")
    found = select(follow.c.id).where(
        follow.c.account_id == sender, follow.c.target_id == recipient, follow.c.created_at <= P("now") - NEW_FOLLOWER
    )
    return found.correlate_except(follow).exists()


def _is_unasked_letter(status: FromClause) -> ColumnElement[bool]:
    """A direct mention in a conversation in which the recipient never wrote to the sender."""
    own, named = statuses.alias("own"), status_mentions.alias("named")
    asked = (
        select(own.c.id)
        .join(named, named.c.status_id == own.c.id)
        .where(
            own.c.conversation_id == status.c.conversation_id,
            own.c.account_id == recipient,
            named.c.account_id == sender,
        )
        .correlate_except(own, named)
        .exists()
    )
    return and_(
        kind == NotificationType.MENTION.value,
        func.coalesce(status.c.visibility == Visibility.DIRECT, false()),
        or_(status.c.in_reply_to_id.is_(None), ~asked),
    )


def _was_let_through() -> ColumnElement[bool]:
    permission = notification_permissions.alias("permission")
    found = select(permission.c.created_at).where(
        permission.c.account_id == recipient, permission.c.from_account_id == sender
    )
    return found.correlate_except(permission).exists()


def _is_staff() -> ColumnElement[bool]:
    """The sender has a say over the recipient on this server."""
    staff = users.alias("staff")
    found = select(staff.c.id).where(staff.c.account_id == sender, staff.c.role > users.c.role)
    return found.correlate_except(staff).exists()


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
        earlier.c.event_id.is_not_distinct_from(P("event")),
    )
    return same.correlate_except(earlier).exists()
