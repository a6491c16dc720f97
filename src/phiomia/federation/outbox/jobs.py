"""The kinds of jobs of what goes out, with their handlers."""

from typing import Final

from phiomia.domain.peers.parcels import trim_parcels
from phiomia.federation.outbox import acts, collections, featured, marks, profiles, quotes, relays, statuses
from phiomia.federation.outbox.deliver import Deliver, run_deliver
from phiomia.federation.outbox.flags import SendFlag, send_flag
from phiomia.federation.outbox.forward import ForwardReply, forward_reply
from phiomia.federation.outbox.post import SendOn, send_on
from phiomia.federation.outbox.telling import Context
from phiomia.platform.clock import HOUR
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic


class TrimOutbox(Job, frozen=True):
    """Forget what nobody tries to deliver any more."""

    TYPE = "outbox.trim"
    QUEUE = "scheduled"


async def trim_outbox(context: Context, _job: TrimOutbox) -> None:
    """Handler of TrimOutbox."""
    await context.outbox.db.write(trim_parcels)


HANDLERS: Final = (
    Handler(Deliver, run_deliver),
    Handler(SendOn, send_on),
    *statuses.HANDLERS,
    *marks.HANDLERS,
    *acts.HANDLERS,
    *profiles.HANDLERS,
    *featured.HANDLERS,
    *collections.HANDLERS,
    *quotes.HANDLERS,
    *relays.HANDLERS,
    Handler(SendFlag, send_flag),
    Handler(ForwardReply, forward_reply),
    Handler(TrimOutbox, trim_outbox),
)
PERIODIC: Final = (Periodic("outbox.trim", HOUR, TrimOutbox),)
