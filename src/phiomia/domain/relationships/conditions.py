"""SQL conditions on what holds between a viewer and the account in a column of another statement.

    select(...).where(not_blocked_or_muted(statuses.c.account_id, P("viewer")))

Each is a correlated subquery answered by one lookup in an index of pairs. The parameter `now` (milliseconds)
belongs to those that ask for mutes: a mute whose time is over does not count, though its row may still be there.
With a viewer of 0, who is nobody, nothing is blocked, muted or followed.
"""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Table, and_, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.models import account_domain_blocks, blocks, follows, mutes
from phiomia.platform.db import P

AccountId = ColumnElement[Any]


def is_blocked_between(one: AccountId, other: AccountId) -> ColumnElement[bool]:
    """Either of the two blocks the other."""
    return or_(exists_pair(blocks, one, other), exists_pair(blocks, other, one))


def not_blocked(account: AccountId, viewer: AccountId) -> ColumnElement[bool]:
    """Neither of the two blocks the other."""
    return and_(~exists_pair(blocks, viewer, account), ~exists_pair(blocks, account, viewer))


def not_muted(account: AccountId, viewer: AccountId) -> ColumnElement[bool]:
    """The viewer does not mute the account now. Needs the parameter `now`."""
    muted = _inside(mutes)
    return ~_exists(muted, viewer, account, lasts(muted))


def not_muting_notifications(account: AccountId, recipient: AccountId) -> ColumnElement[bool]:
    """The recipient does not mute the account's notifications now. Needs the parameter `now`."""
    muted = _inside(mutes)
    return ~_exists(muted, recipient, account, and_(muted.c.hide_notifications, lasts(muted)))


def not_blocked_or_muted(account: AccountId, viewer: AccountId) -> ColumnElement[bool]:
    """The account may show up in front of the viewer unasked. Needs the parameter `now`."""
    return and_(not_blocked(account, viewer), not_muted(account, viewer), not_of_blocked_domain(account, viewer))


def not_of_blocked_domain(account: AccountId, viewer: AccountId) -> ColumnElement[bool]:
    """The viewer does not block the whole server of the account."""
    return ~is_of_blocked_domain(account, viewer)


def is_of_blocked_domain(account: AccountId, viewer: AccountId) -> ColumnElement[bool]:
    """The viewer blocks the whole server of the account."""
    block, there = _inside(account_domain_blocks), _inside(accounts)
    found = (
        select(block.c.id)
        .select_from(block.join(there, there.c.domain == block.c.domain))
        .where(block.c.account_id == viewer, there.c.id == account)
    )
    return found.correlate_except(block, there).exists()


def is_followed(account: AccountId, viewer: AccountId) -> ColumnElement[bool]:
    """The viewer follows the account."""
    return exists_pair(follows, viewer, account)


def lasts(table: FromClause) -> ColumnElement[bool]:
    """A row of mutes still counts. Needs the parameter `now`."""
    return or_(table.c.expires_at.is_(None), table.c.expires_at > P("now"))


def exists_pair(table: Table, account: AccountId, target: AccountId) -> ColumnElement[bool]:
    """`table` has a row in which `account` does it to `target`."""
    return _exists(_inside(table), account, target)


@cache
def _inside(table: Table) -> FromClause:
    # An alias, kept in the subquery: the statement around it may read the same table for another reason. One for all
    # such subqueries, as none holds another: a start would copy all columns of `accounts` for each.
    return table.alias()


def _exists(pair: FromClause, account: AccountId, target: AccountId, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    found = select(pair.c.id).where(pair.c.account_id == account, pair.c.target_id == target, *more)
    return found.correlate_except(pair).exists()
