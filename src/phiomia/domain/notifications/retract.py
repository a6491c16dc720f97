"""Taking notifications back, when what they told of is undone. Those about a deleted status go with its row."""

from sqlalchemy import delete

from phiomia.domain.notifications.models import notifications
from phiomia.domain.notifications.requests import forget_requests
from phiomia.platform.db import P, Query, WriteSession

_of_type = notifications.c.type == P("type", str)
_of_sender = notifications.c.from_account_id == P("sender")
_of_status = notifications.c.status_id == P("status")
_of_recipient = notifications.c.account_id == P("recipient")

_ABOUT_STATUS = Query(delete(notifications).where(_of_type, _of_sender, _of_recipient, _of_status))
_ABOUT_NONE = Query(
    delete(notifications).where(_of_type, _of_sender, _of_recipient, notifications.c.status_id.is_(None))
)
_of_event = notifications.c.event_id == P("event")
_ABOUT_EVENT = Query(delete(notifications).where(_of_type, _of_sender, _of_recipient, _of_event))
_EVENT_FROM_SENDER = Query(delete(notifications).where(_of_type, _of_sender, _of_event))
_FROM_ALL = Query(delete(notifications).where(_of_type, _of_status))
_FROM_SENDER = Query(delete(notifications).where(_of_type, _of_sender, _of_status))
_SENDER = Query(delete(notifications).where(_of_sender, _of_recipient))


async def retract(
    session: WriteSession, recipient_id: int, type_: str, from_account_id: int, status_id: int | None = None
) -> None:
    """Takes back what `notify` with the same values wrote."""
    pair = {"recipient": recipient_id, "sender": from_account_id, "type": str(type_)}
    if status_id is None:
        await session.execute(_ABOUT_NONE, **pair)
    else:
        await session.execute(_ABOUT_STATUS, **pair, status=status_id)


async def retract_from_all(session: WriteSession, type_: str, status_id: int) -> None:
    """Takes back what everybody was told of a status in one kind of notification."""
    await session.execute(_FROM_ALL, type=str(type_), status=status_id)


async def retract_from(session: WriteSession, type_: str, from_account_id: int, status_id: int) -> None:
    """Takes back what anybody was told of what one account did to a status."""
    await session.execute(_FROM_SENDER, type=str(type_), sender=from_account_id, status=status_id)


async def retract_event(
    session: WriteSession, recipient_id: int, type_: str, from_account_id: int, event_id: int
) -> None:
    """Takes back what one account was told of something that is no status."""
    pair = {"recipient": recipient_id, "sender": from_account_id, "type": str(type_)}
    await session.execute(_ABOUT_EVENT, **pair, event=event_id)


async def retract_event_from(session: WriteSession, type_: str, from_account_id: int, event_id: int) -> None:
    """Takes back what everybody was told of something of one account's that is no status."""
    await session.execute(_EVENT_FROM_SENDER, type=str(type_), sender=from_account_id, event=event_id)


async def retract_sender(session: WriteSession, recipient_id: int, from_account_id: int) -> None:
    """Takes back everything one account was told of another."""
    await forget_requests(session, recipient_id, [from_account_id])
    await session.execute(_SENDER, recipient=recipient_id, sender=from_account_id)
