"""Answers that a status of another server got there: fetched when somebody here opens its thread."""

from urllib.parse import urlsplit

from sqlalchemy import select

from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.visibility import Visibility
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.view import is_waiting
from phiomia.platform.limits import REPLIES_AT_ONCE, REPLIES_NOT_BEFORE_SECONDS


class FindReplies(Job, frozen=True):
    """Fetch answers that a status of another server got there; `most` of them."""

    TYPE = "federation.find_replies"
    QUEUE = "pull"
    TRIES = 2

    status_id: int
    most: int = REPLIES_AT_ONCE
    url: str = ""  # of the collection, if it is known


_FAR = Query(
    select(statuses.c.uri).where(
        statuses.c.id == P("id"),
        statuses.c.local.is_(False),
        statuses.c.visibility <= Visibility.UNLISTED,
        statuses.c.created_at < P("before"),
    )
)


async def find_home(session: ReadSession, status_id: int) -> str:
    """The server that may know of more answers than we do; empty for what is ours, quite new or not for everybody."""
    before = now_ms() - REPLIES_NOT_BEFORE_SECONDS * SECOND
    return urlsplit(await session.value(_FAR, id=status_id, before=before) or "").netloc.lower()


async def wish_replies(session: WriteSession, status_id: int, host: str, url: str = "", most: int = 0) -> None:
    """Lets the answers be fetched; one wish at a time."""
    job = FindReplies(status_id, most or REPLIES_AT_ONCE, url)
    await defer(session, job, unique=_key(status_id), host=host)


async def is_finding(session: ReadSession, status_id: int) -> bool:
    """Whether answers are being fetched, or will be soon."""
    return await is_waiting(session, _key(status_id))


def _key(status_id: int) -> str:
    return f"{FindReplies.TYPE}:{status_id}"
