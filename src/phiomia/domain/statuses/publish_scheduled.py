"""Publishing what was scheduled, once its time has come."""

from typing import Protocol

import msgspec
from sqlalchemy import delete, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import DomainError, NotFound
from phiomia.domain.statuses.compose import Places, StatusText, compose
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.models import scheduled_statuses
from phiomia.domain.statuses.quote_policy import CHOICES
from phiomia.domain.statuses.schedule import free_media
from phiomia.domain.statuses.scheduled import COLUMNS, ScheduledView
from phiomia.domain.statuses.visibility import WORDS, Visibility
from phiomia.domain.users.models import users
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Database, P, Query, WriteSession
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.context import HasConfig, HasDatabase
from phiomia.platform.log import get_logger

_BATCH = 50
_DUE = Query(
    select(*COLUMNS)
    .where(scheduled_statuses.c.scheduled_at <= P("now"))
    .order_by(scheduled_statuses.c.scheduled_at)
    .limit(_BATCH)
)
# Whoever takes the row publishes; everybody else finds none.
_TAKE = Query(
    delete(scheduled_statuses)
    .where(scheduled_statuses.c.id == P("id"), scheduled_statuses.c.scheduled_at <= P("now"))
    .returning(scheduled_statuses.c.id)
)
_MAY_POST = Query(
    select(users.c.id)
    .join(accounts, accounts.c.id == users.c.account_id)
    .where(
        users.c.account_id == P("account"),
        users.c.disabled_at.is_(None),
        accounts.c.state < AccountState.SUSPENDED,
    )
)
log = get_logger("scheduled")


class PublishScheduled(Job, frozen=True):
    """Publish the statuses whose time has come."""

    TYPE = "statuses.publish_scheduled"
    QUEUE = "local"


class Context(HasDatabase, HasConfig, Protocol):
    """What the handler needs of the worker's context."""

    @property
    def links(self) -> Places:
        """Where things are."""
        ...


async def run_publish_scheduled(context: Context, _job: PublishScheduled) -> None:
    """Handler of PublishScheduled: each in a transaction of its own."""
    while True:
        async with context.db.read() as session:
            due = await session.views(ScheduledView, _DUE, now=now_ms())
        for view in due:
            await publish(context.db, context.links, context.config.domain, view)
        if len(due) < _BATCH:
            return


async def publish(db: Database, places: Places, domain: str, view: ScheduledView) -> int | None:
    """Publishes one; gives its id, or None when somebody else did or it can't be any more."""
    typed = _typed(view)
    alone = msgspec.structs.replace(typed, in_reply_to_id=None, quoted_status_id=None)
    # What it was to answer or quote may be gone by now: then it stands alone.
    for chosen in (typed, alone):
        try:
            async with db.read() as session:
                draft = await compose(session, view.account_id, chosen, places, domain)
            return await db.write(lambda session, draft=draft: _write(session, view, draft))  # type: ignore[misc]
        except NotFound:
            continue
        except DomainError as error:
            log.warning("a scheduled post can't be published", account=view.account_id, reason=str(error))
            break
    await db.write(lambda session: _give_up(session, view))
    return None


async def _write(session: WriteSession, view: ScheduledView, draft: StatusDraft) -> int | None:
    if await session.value(_TAKE, id=view.id, now=now_ms()) is None:
        return None
    await free_media(session, view.id)
    # Who was suspended or frozen since may post nothing, also not what they wrote before.
    if await session.value(_MAY_POST, account=view.account_id) is None:
        return None
    return await create_status(session, draft)


async def _give_up(session: WriteSession, view: ScheduledView) -> None:
    if await session.value(_TAKE, id=view.id, now=now_ms()) is not None:
        await free_media(session, view.id)


def _typed(view: ScheduledView) -> StatusText:
    asked = view.asked()
    poll = asked.poll
    return StatusText(
        text=asked.text,
        spoiler_text=asked.spoiler_text,
        visibility=WORDS.get(asked.visibility or "public", Visibility.PUBLIC),
        sensitive=bool(asked.sensitive),
        language=asked.language,
        in_reply_to_id=int(asked.in_reply_to_id) if asked.in_reply_to_id else None,
        media_ids=[int(one) for one in asked.media_ids or ()],
        poll=PollDraft(poll.options, poll.expires_in, poll.multiple, poll.hide_totals) if poll else None,
        application_id=asked.application_id or None,
        quoted_status_id=int(asked.quoted_status_id) if asked.quoted_status_id else None,
        quote_policy=CHOICES.get(asked.quote_approval_policy, 0),
    )
