"""Whether anybody here has a reason to read what another server sends unasked."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.models import follows
from phiomia.domain.statuses.models import statuses
from phiomia.domain.tags.models import tag_follows, tags
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, ReadSession, any_of, listed


def _followed_here(account: ColumnElement[int]) -> ColumnElement[bool]:
    return (
        select(follows.c.id)
        .join(users, users.c.account_id == follows.c.account_id)
        .where(follows.c.target_id == account)
        .correlate_except(follows, users)
        .exists()
    )


_FOLLOWED = Query(select(_followed_here(P("account"))))
_PARENT = Query(
    select(accounts.c.domain == "", _followed_here(accounts.c.id))
    .join(statuses, statuses.c.account_id == accounts.c.id)
    .where(statuses.c.id == P("parent"))
)
_TAGGED = Query(
    select(tag_follows.c.tag_id)
    .join(tags, tags.c.id == tag_follows.c.tag_id)
    .where(any_of(tags.c.name, listed("names", str)))
    .limit(1)
)


async def is_followed_here(session: ReadSession, account_id: int) -> bool:
    """Whether a member follows the account."""
    return bool(await session.value(_FOLLOWED, account=account_id))


async def answers_somebody_here(session: ReadSession, parent_id: int) -> bool:
    """Whether what is answered was written here, or by somebody whom a member follows."""
    row = await session.one(_PARENT, parent=parent_id)
    return row is not None and bool(row[0] or row[1])


async def is_tag_followed(session: ReadSession, tag_names: Sequence[str]) -> bool:
    """Whether a member follows one of the hashtags."""
    return bool(tag_names) and await session.value(_TAGGED, names=list(tag_names)) is not None
