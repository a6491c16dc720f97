"""Other servers hear of reports that members want to be forwarded."""

from typing import NamedTuple

from phiomia.domain.accounts.queries import load_accounts
from phiomia.domain.errors import NotFound
from phiomia.domain.moderation.events import ReportFiled
from phiomia.domain.moderation.report import ReportView, list_forwarded_to, load_report
from phiomia.domain.statuses.documents import load_references
from phiomia.domain.statuses.recipients import list_inboxes_of
from phiomia.federation.documents import activities, ids
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.telling import Context, scan
from phiomia.platform.db import ReadSession, WriteSession
from phiomia.platform.jobs import Job, defer


class SendFlag(Job, frozen=True):
    """Tell servers of a report. Who made it is not told."""

    TYPE = "outbox.send_flag"

    report_id: int
    domains: list[str]


class _Flag(NamedTuple):
    view: ReportView
    target: str
    statuses: list[str]
    inboxes: list[str]


async def tell_reported(session: WriteSession, event: ReportFiled) -> None:
    """A report goes to the servers that its author has chosen."""
    if event.domains:
        await defer(session, SendFlag(event.report_id, list(event.domains)))


async def send_flag(context: Context, job: SendFlag) -> None:
    """Handler of SendFlag."""
    outbox = context.outbox

    async def load(session: ReadSession) -> _Flag | None:
        try:
            view = await load_report(session, job.report_id)
        except NotFound:
            return None
        target = (await load_accounts(session, [view.target_id]))[view.target_id]
        references = await load_references(session, view.status_ids) if view.status_ids else {}
        inboxes = await list_inboxes_of(session, await list_forwarded_to(session, view, job.domains))
        addresses = [ids.status(outbox.links, reference) for reference in references.values()]
        return _Flag(view, outbox.links.actor(target), addresses, inboxes)

    found = await scan(outbox, load)
    if found is not None:
        actor, view = ids.instance_actor(outbox.links), found.view
        document = activities.flag(actor, found.target, found.statuses, view.comment, view.id)
        await send(outbox, Post(document, None), found.inboxes)
