"""Puts what somebody sent among the other notifications, once its recipient has let the sender through."""

from sqlalchemy import literal, select, update

from phiomia.domain.notifications.models import notifications
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import append_stream
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.context import HasDatabase
from phiomia.platform.jobs.handlers import Handler

_BATCH = 500


class Unfilter(Job, frozen=True):
    """Show what a sender sent before they were let through."""

    TYPE = "notifications.unfilter"
    QUEUE = "local"

    account_id: int
    from_account_id: int


_some = (
    select(notifications.c.id)
    .where(
        notifications.c.account_id == P("account"),
        notifications.c.from_account_id == P("sender"),
        notifications.c.filtered,
    )
    .limit(literal(_BATCH))
)
_SHOW = Query(update(notifications).values(filtered=False).where(notifications.c.id.in_(_some.scalar_subquery())))


async def run_unfilter(context: HasDatabase, job: Unfilter) -> None:
    """Handler of Unfilter: in small transactions; apps are told once to load the list again."""

    async def show(session: WriteSession) -> int:
        shown = await session.execute(_SHOW, account=job.account_id, sender=job.from_account_id)
        if shown < _BATCH:
            await append_stream(session, "notifications_merged", {"account": job.account_id})
        return shown

    while await context.db.write(show) == _BATCH:
        pass


HANDLERS = (Handler(Unfilter, run_unfilter),)
