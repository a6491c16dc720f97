"""Flag: another server reports one of ours."""

from phiomia.domain.moderation.report import RemoteReport, file_remote_report
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored
from phiomia.federation.parse.values import ids, words
from phiomia.platform.db import ReadSession, WriteSession

_COMMENT = 5_000
_MOST_OBJECTS = 200


async def handle_flag(context: InboxContext, activity: Activity) -> Outcome:
    """Files a report for each account of ours that is meant, with the posts of it that are named."""
    if context.rules.rejects_reports(activity.actor.domain):
        return ignored("no reports are taken from that server")
    named = ids(activity.object, _MOST_OBJECTS)
    async with context.db.read() as session:
        about = await _find(session, context, named)
    if not about:
        return ignored("about nobody here")
    comment = words(activity.raw.get("content"), _COMMENT)

    async def file(session: WriteSession) -> bool:
        filed = False
        for number, (target_id, status_ids) in enumerate(about.items()):
            # One Flag may be about several; each report has a name of its own.
            uri = f"{activity.id}#{number}" if number else activity.id
            report = RemoteReport(uri, activity.actor.id, activity.actor.domain, target_id, comment, status_ids)
            filed = await file_remote_report(session, report) or filed
        return filed

    return PROCESSED if await context.db.write(file) else ignored("filed before")


async def _find(session: ReadSession, context: InboxContext, named: list[str]) -> dict[int, list[int]]:
    """Our accounts that are meant, each with those of its posts that are."""
    people = await ours.find_accounts(session, context.links, named)
    about: dict[int, list[int]] = {account_id: [] for account_id in people.values()}
    for uri in named:
        if uri in people or not ours.is_ours(context.links, uri):
            continue
        status = await ours.find_status(session, context.links, uri)
        if status is not None and status.local:
            about.setdefault(status.account_id, []).append(status.id)
    return about
