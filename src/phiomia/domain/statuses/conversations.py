"""Direct statuses make conversations: for each local participant one per thread and company."""

import msgspec
from sqlalchemy import delete, select, update

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.events import StatusCreated
from phiomia.domain.statuses.models import conversations, status_mentions, statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.events import append_stream
from phiomia.platform.ids import new_id
from phiomia.platform.json import encode
from phiomia.platform.paging import Page, Paged

_PARTICIPANTS = Query(select(status_mentions.c.account_id).where(status_mentions.c.status_id == P("id")))
_LOCAL = Query(select(users.c.account_id).where(any_of(users.c.account_id, listed("ids"))))
_THREAD = Query(select(statuses.c.conversation_id).where(statuses.c.id == P("id")))
_KEEP = Query(
    lambda insert: (
        insert(conversations)
        .values(
            id=P("id"),
            account_id=P("account"),
            conversation_id=P("thread"),
            participants=P("participants", str),
            last_status_id=P("status"),
            unread=P("unread", bool),
        )
        .on_conflict_do_update(
            index_elements=["account_id", "conversation_id", "participants"],
            set_={"last_status_id": P("status"), "unread": P("unread", bool)},
        )
        .returning(conversations.c.id)
    )
)


class ConversationView(msgspec.Struct, frozen=True):
    """A conversation of an account. The order is that of the columns below."""

    id: int
    unread: bool
    participants: str
    last_status_id: int | None


_COLUMNS = [conversations.c[name] for name in ConversationView.__struct_fields__]
_LISTED = Paged(
    select(*_COLUMNS).where(conversations.c.account_id == P("account"), conversations.c.last_status_id.is_not(None)),
    conversations.c.last_status_id,
)
_OWN = Query(select(*_COLUMNS).where(conversations.c.account_id == P("account"), conversations.c.id == P("id")))
_own = (conversations.c.account_id == P("account"), conversations.c.id == P("id"))
_SET_UNREAD = Query(update(conversations).where(*_own).values(unread=P("is_unread", bool)))
_DELETE = Query(delete(conversations).where(*_own))


async def keep_conversations(session: WriteSession, event: StatusCreated) -> None:
    """After a direct status: each local participant's conversation shows it, unread except for the author."""
    if event.visibility != Visibility.DIRECT:
        return
    people = sorted({event.account_id, *await session.column(_PARTICIPANTS, id=event.status_id)})
    thread = await session.value(_THREAD, id=event.status_id)
    for account_id in await session.column(_LOCAL, ids=people):
        conversation_id = await session.value(
            _KEEP,
            id=new_id(),
            account=account_id,
            thread=thread,
            participants=encode([other for other in people if other != account_id]),
            status=event.status_id,
            unread=account_id != event.account_id,
        )
        await append_stream(session, "conversation", {"id": conversation_id, "account": account_id})


async def list_conversations(session: ReadSession, account_id: int, page: Page) -> list[ConversationView]:
    """An account's conversations, the one with the newest status first; the cursor is that status."""
    return await _LISTED.views(session, ConversationView, page, account=account_id)


async def load_conversation(session: ReadSession, account_id: int, conversation_id: int) -> ConversationView:
    """One of the account's own. Raises NotFound."""
    found = await session.views(ConversationView, _OWN, account=account_id, id=conversation_id)
    if not found:
        raise NotFound
    return found[0]


async def mark_read(session: WriteSession, account_id: int, conversation_id: int) -> None:
    """The account has read it. Raises NotFound."""
    if not await session.execute(_SET_UNREAD, account=account_id, id=conversation_id, is_unread=False):
        raise NotFound


async def mark_unread(session: WriteSession, account_id: int, conversation_id: int) -> None:
    """The account wants to come back to it. Raises NotFound."""
    if not await session.execute(_SET_UNREAD, account=account_id, id=conversation_id, is_unread=True):
        raise NotFound


async def hide_conversation(session: WriteSession, account_id: int, conversation_id: int) -> None:
    """Takes it off the account's list until somebody writes in it again; its statuses stay. Raises NotFound."""
    if not await session.execute(_DELETE, account=account_id, id=conversation_id):
        raise NotFound
