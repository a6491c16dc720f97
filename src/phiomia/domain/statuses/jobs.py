"""Work on statuses that recurs."""

from phiomia.domain.statuses.create_once import forget_keys
from phiomia.domain.statuses.end_polls import BATCH, end_polls
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.context import HasDatabase


class EndPolls(Job, frozen=True):
    """Announce the polls whose time is over."""

    TYPE = "statuses.end_polls"
    QUEUE = "local"


class ForgetIdempotencyKeys(Job, frozen=True):
    """Forget the idempotency keys that nobody will repeat."""

    TYPE = "statuses.forget_idempotency_keys"
    QUEUE = "scheduled"


async def run_end_polls(context: HasDatabase, _job: EndPolls) -> None:
    """Handler of EndPolls: in small transactions, for each poll notifies many."""
    while await context.db.write(end_polls) == BATCH:
        pass


async def run_forget_idempotency_keys(context: HasDatabase, _job: ForgetIdempotencyKeys) -> None:
    """Handler of ForgetIdempotencyKeys."""
    await context.db.write(forget_keys)
