"""Which handler carries out which activity."""

from collections.abc import Mapping
from typing import Final

from phiomia.federation.inbox.context import Activity, Handler, InboxContext, Outcome, ignored

HANDLERS: Final[Mapping[str, Handler]] = {}


async def dispatch(context: InboxContext, activity: Activity) -> Outcome:
    """Carries out an activity; what is not understood is ignored."""
    handle = HANDLERS.get(activity.type)
    if handle is None:
        return ignored(f"activities of type {activity.type!r} mean nothing here")
    return await handle(context, activity)
