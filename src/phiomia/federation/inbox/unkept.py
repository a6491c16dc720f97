"""Activities that are understood, but for which there is no place here."""

from phiomia.federation.inbox.context import Activity, InboxContext, Outcome, ignored


async def handle_interaction_request(_context: InboxContext, _activity: Activity) -> Outcome:
    """Ignores requests to reply, like or boost: posts here need no permission for that."""
    return ignored("no permission is needed here")
