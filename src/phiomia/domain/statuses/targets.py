"""What a verb acts upon: the status that was meant, if the actor may see it. A boost stands for what it shares."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select

from phiomia.domain.errors import NotAllowed, NotFound
from phiomia.domain.relationships.conditions import exists_pair
from phiomia.domain.relationships.models import blocks
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.platform.db import P, Query, ReadSession


class Target(NamedTuple):
    """A status, and what a verb asks about it."""

    id: int
    account_id: int
    visibility: int
    local: bool
    conversation_id: int
    author_blocked: bool


_given = statuses.alias("given")


def meant(name: str = "id") -> ColumnElement[int]:
    """The id of the status that the parameter stands for."""
    given = P(name)
    return func.coalesce(select(_given.c.reblog_of_id).where(_given.c.id == given).scalar_subquery(), given)


_TARGET = Query(
    select(
        statuses.c.id,
        statuses.c.account_id,
        statuses.c.visibility,
        statuses.c.local,
        statuses.c.conversation_id,
        exists_pair(blocks, P("actor"), statuses.c.account_id),
    ).where(statuses.c.id == meant(), visible_to(statuses, P("actor")))
)


async def find_target(session: ReadSession, actor_id: int, status_id: int) -> Target:
    """The status that is meant. Raises NotFound, also for what the actor may not see."""
    row = await session.one(_TARGET, id=status_id, actor=actor_id)
    if row is None:
        raise NotFound
    return Target(*row)


async def find_unblocked_target(session: ReadSession, actor_id: int, status_id: int) -> Target:
    """The same for verbs that tell the author. Raises NotFound, NotAllowed (the actor blocks the author)."""
    target = await find_target(session, actor_id, status_id)
    if target.author_blocked:
        raise NotAllowed
    return target
