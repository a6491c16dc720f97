"""What stands in the collections around a status, for everybody, and what must be known before a status is shown."""

from typing import NamedTuple

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.statuses.documents import REFERENCES, StatusReference
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.policy import visible_to_anybody
from phiomia.platform.db import P, Query, ReadSession


class StatusHead(NamedTuple):
    """What has to be known of a status before anything of it is given away."""

    id: int
    rev: int
    local: bool
    visibility: int
    reblog_of_id: int | None
    account_id: int
    username: str
    account_state: int


_HEAD = Query(
    select(
        statuses.c.id,
        statuses.c.rev,
        statuses.c.local,
        statuses.c.visibility,
        statuses.c.reblog_of_id,
        statuses.c.account_id,
        accounts.c.username,
        accounts.c.state,
    )
    .select_from(statuses.join(accounts, accounts.c.id == statuses.c.account_id))
    .where(statuses.c.id == P("id"))
)
_PAGE = (
    REFERENCES.where(visible_to_anybody(statuses), statuses.c.reblog_of_id.is_(None), statuses.c.id > P("after"))
    .order_by(statuses.c.id)
    .limit(P("limit"))
)
_ANSWERS = _PAGE.where(statuses.c.in_reply_to_id == P("parent"))
_OWN_ANSWERS = Query(_ANSWERS.where(statuses.c.account_id == P("author")))
_OTHER_ANSWERS = Query(_ANSWERS.where(statuses.c.account_id != P("author")))
_CONVERSATION = Query(_PAGE.where(statuses.c.conversation_id == P("conversation")))


async def find_status_head(session: ReadSession, status_id: int) -> StatusHead | None:
    """A status's head, whoever asks."""
    return await session.view(StatusHead, _HEAD, id=status_id)


async def list_answers(
    session: ReadSession, status_id: int, author_id: int, after: int, limit: int, *, own: bool
) -> list[StatusReference]:
    """What answers a status, oldest first: by its author (`own`), or by others."""
    query = _OWN_ANSWERS if own else _OTHER_ANSWERS
    return await session.views(StatusReference, query, parent=status_id, author=author_id, after=after, limit=limit)


async def list_conversation(
    session: ReadSession, conversation_id: int, after: int, limit: int
) -> list[StatusReference]:
    """The statuses of a conversation, oldest first."""
    return await session.views(StatusReference, _CONVERSATION, conversation=conversation_id, after=after, limit=limit)
