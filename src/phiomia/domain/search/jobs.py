"""Later work on the indexes of words."""

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.search.index import index_account, index_status
from phiomia.domain.search.merge import MergeSearchIndexes, run_merge
from phiomia.domain.statuses.models import statuses
from phiomia.platform.clock import DAY
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.jobs.context import HasDatabase
from phiomia.platform.jobs.defer import Job, defer
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic

_BATCH = 100


class IndexStatus(Job, frozen=True):
    """Let a status be found by what it says, and by whom it concerns, now."""

    TYPE = "search.index_status"
    QUEUE = "scheduled"

    status_id: int


class IndexAccount(Job, frozen=True):
    """Let an account be found by its names of now."""

    TYPE = "search.index_account"
    QUEUE = "scheduled"

    account_id: int


class IndexStatusesOf(Job, frozen=True):
    """Index every status of an account, some at a time, newest first: whether others may find them has changed."""

    TYPE = "search.index_statuses_of"
    QUEUE = "scheduled"

    account_id: int
    below: int = 2**63 - 1


_IS_MEMBER = Query(select(accounts.c.id).where(accounts.c.id == P("account"), accounts.c.domain == ""))
_OWN = Query(
    select(statuses.c.id)
    .where(statuses.c.account_id == P("account"), statuses.c.id < P("below"))
    .order_by(statuses.c.id.desc())
    .limit(P("limit"))
)


async def note_interest(session: WriteSession, status_id: int, account_id: int | None = None) -> None:
    """To be called when somebody favourites, bookmarks or boosts a status, or no longer does: they may now find it.

    With the account, nothing is done for those who live elsewhere: they don't search here.
    """
    if account_id is None or await session.value(_IS_MEMBER, account=account_id):
        await defer(session, IndexStatus(status_id))


async def run_index_status(context: HasDatabase, job: IndexStatus) -> None:
    """Handler of IndexStatus."""
    await context.db.write(lambda session: index_status(session, job.status_id))


async def run_index_account(context: HasDatabase, job: IndexAccount) -> None:
    """Handler of IndexAccount."""
    await context.db.write(lambda session: index_account(session, job.account_id))


async def run_index_statuses_of(context: HasDatabase, job: IndexStatusesOf) -> None:
    """Handler of IndexStatusesOf."""

    async def index_some(session: WriteSession) -> None:
        ids = await session.column(_OWN, account=job.account_id, below=job.below, limit=_BATCH)
        for status_id in ids:
            await index_status(session, status_id)
        if len(ids) == _BATCH:
            await defer(session, IndexStatusesOf(job.account_id, ids[-1]))

    await context.db.write(index_some)


HANDLERS = (
    Handler(IndexStatus, run_index_status),
    Handler(IndexAccount, run_index_account),
    Handler(IndexStatusesOf, run_index_statuses_of),
    Handler(MergeSearchIndexes, run_merge),
)
PERIODIC = (Periodic("search.merge", DAY, MergeSearchIndexes),)
