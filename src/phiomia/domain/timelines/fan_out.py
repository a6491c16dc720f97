"""A new status goes into the feeds of those who follow: one statement, however many they are."""

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, func, literal, or_, select, union

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.conditions import not_blocked_or_muted, not_muted
from phiomia.domain.relationships.models import follows, list_accounts, lists
from phiomia.domain.statuses.models import status_mentions, status_tags, statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.models import tag_follows
from phiomia.domain.timelines.models import home_feed
from phiomia.domain.users.models import users
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.ids import id_at

_STATUS = P("status")
_new = statuses.alias("n")
_original = statuses.alias("o")
_reply_follow = follows.alias("rf")
_feed = home_feed.alias("recent")


def _recipients() -> Select[tuple[int]]:
    """Local followers of the author who should see the status."""
    follower = follows.c.account_id
    reply_is_theirs: ColumnElement[bool] = or_(
        _new.c.in_reply_to_account_id.is_(None),
        _new.c.in_reply_to_account_id == _new.c.account_id,
        _new.c.in_reply_to_account_id == follower,
        select(_reply_follow.c.id)
        .where(_reply_follow.c.account_id == follower, _reply_follow.c.target_id == _new.c.in_reply_to_account_id)
        .exists(),
    )
    addressed = (
        select(status_mentions.c.status_id)
        .where(status_mentions.c.status_id == _new.c.id, status_mentions.c.account_id == follower)
        .exists()
    )
    language_wanted = or_(
        follows.c.languages.is_(None),
        _new.c.language.is_(None),
        follows.c.languages.like(literal('%"').concat(_new.c.language).concat(literal('"%'))),
    )
    boost_wanted = or_(
        _new.c.reblog_of_id.is_(None),
        and_(
            follows.c.show_boosts,
            _original.c.account_id != follower,
            not_blocked_or_muted(_original.c.account_id, follower),
            # The same status is not shown again while it is among the recent ones.
            ~select(_feed.c.status_id)
            .where(
                _feed.c.original_id == _new.c.reblog_of_id,
                _feed.c.account_id == follower,
                _feed.c.status_id > P("recent"),
            )
            .exists(),
        ),
    )
    in_exclusive_list = (
        select(lists.c.id)
        .select_from(lists.join(list_accounts, list_accounts.c.list_id == lists.c.id))
        .where(lists.c.account_id == follower, lists.c.exclusive, list_accounts.c.account_id == _new.c.account_id)
        .exists()
    )
    return (
        select(follower)
        .select_from(
            _new.join(follows, follows.c.target_id == _new.c.account_id)
            .join(users, users.c.account_id == follower)
            .outerjoin(_original, _original.c.id == _new.c.reblog_of_id)
        )
        .where(
            _new.c.id == _STATUS,
            or_(_new.c.visibility < Visibility.DIRECT, addressed),
            ~in_exclusive_list,
            reply_is_theirs,
            language_wanted,
            boost_wanted,
            not_muted(_new.c.account_id, follower),
        )
    )


def _recipients_by_tag() -> Select[tuple[int]]:
    """Members who follow a hashtag of the status, when anybody may see it; boosts bring nothing to them."""
    member = tag_follows.c.account_id
    return (
        select(member)
        .select_from(
            _new.join(status_tags, status_tags.c.status_id == _new.c.id)
            .join(tag_follows, tag_follows.c.tag_id == status_tags.c.tag_id)
            .join(accounts, accounts.c.id == _new.c.account_id)
        )
        .where(
            _new.c.id == _STATUS,
            _new.c.visibility == Visibility.PUBLIC,
            _new.c.reblog_of_id.is_(None),
            accounts.c.state == AccountState.ACTIVE,
            not_blocked_or_muted(_new.c.account_id, member),
        )
    )


def _rows(recipients: CompoundSelect[tuple[int]]) -> Select[tuple[int, int, int]]:
    followers = recipients.subquery()
    shown = statuses.alias("shown")
    original = select(
        # What a boost shows is the boosted status.
        shown.c.reblog_of_id
    ).where(shown.c.id == _STATUS)
    return select(
        followers.c.account_id, _STATUS.label("status_id"), func.coalesce(original.scalar_subquery(), _STATUS)
    )


def _put(*recipients: Select[tuple[int]]) -> Query:
    return Query(
        lambda insert: (
            insert(home_feed)
            .from_select(["account_id", "status_id", "original_id"], _rows(union(*recipients)).where(literal(True)))
            .on_conflict_do_nothing()
            .returning(home_feed.c.account_id)
        )
    )


_author = select(_new.c.account_id).where(_new.c.id == _STATUS)
_FAN_OUT = _put(_recipients(), _recipients_by_tag())
_FAN_OUT_WITH_OWN = _put(_author, _recipients(), _recipients_by_tag())
_OWN = Query(
    lambda insert: (
        insert(home_feed)
        .values(account_id=P("account"), status_id=_STATUS, original_id=P("original"))
        .on_conflict_do_nothing()
    )
)
_LISTS = Query(
    select(lists.c.id)
    .select_from(
        list_accounts.join(lists, lists.c.id == list_accounts.c.list_id).join(
            _new, _new.c.account_id == list_accounts.c.account_id
        )
    )
    .where(_new.c.id == _STATUS, _new.c.visibility < Visibility.DIRECT)
)

_LISTS_OF_AUTHOR = Query(select(list_accounts.c.list_id).where(list_accounts.c.account_id == P("author")))


async def fan_out(session: WriteSession, status_id: int) -> list[int]:
    """Puts a status into the home feeds of those who follow its author or its hashtags; gives whose these are."""
    now = now_ms()
    return await session.column(_FAN_OUT, status=status_id, now=now, recent=id_at(now - DAY))


async def fan_out_with_own(session: WriteSession, status_id: int) -> list[int]:
    """The same with the author's own feed, in one statement."""
    now = now_ms()
    return await session.column(_FAN_OUT_WITH_OWN, status=status_id, now=now, recent=id_at(now - DAY))


async def put_into_own_feed(session: WriteSession, account_id: int, status_id: int, original_id: int) -> None:
    """An author sees their own status at home."""
    await session.execute(_OWN, account=account_id, status=status_id, original=original_id)


async def lists_with(session: WriteSession, status_id: int) -> list[int]:
    """The lists that hold the author of a status."""
    return await session.column(_LISTS, status=status_id)


async def lists_with_author(session: WriteSession, account_id: int) -> list[int]:
    """The lists that hold somebody: where their statuses were, once those are gone."""
    return await session.column(_LISTS_OF_AUTHOR, author=account_id)
