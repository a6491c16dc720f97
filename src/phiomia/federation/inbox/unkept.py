"""Activities that are understood, but for which there is no place here."""

from phiomia.federation.inbox.context import Activity, InboxContext, Outcome, ignored
from phiomia.federation.parse.values import ids, words
from phiomia.platform.log import get_logger

_log = get_logger(__name__)
_COMMENT = 5_000


async def handle_flag(context: InboxContext, activity: Activity) -> Outcome:
    """Leaves a report from another server in the log, for the operator."""
    if context.rules.rejects_reports(activity.actor.domain):
        return ignored("no reports are taken from that server")
    _log.warning(
        "a report from another server",
        server=activity.actor.domain,
        about=ids(activity.object, 20),
        comment=words(activity.raw.get("content"), _COMMENT),
    )
    return ignored("written to the log: there is no desk for reports")


async def handle_quote_request(_context: InboxContext, _activity: Activity) -> Outcome:
    """Ignores a QuoteRequest: posts here let nobody quote them, and unanswered quotes stay hidden."""
    return ignored("quotes are not kept")


async def handle_interaction_request(_context: InboxContext, _activity: Activity) -> Outcome:
    """Ignores requests to reply, like or boost: posts here need no permission for that."""
    return ignored("no permission is needed here")
