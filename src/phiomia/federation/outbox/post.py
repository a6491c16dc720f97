"""Puts a finished document on its way: one row for it, one job for each inbox."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from phiomia.domain.peers.parcels import add_parcel
from phiomia.domain.peers.reach import Reach, load_reach
from phiomia.domain.peers.receipts import DeliveryState, expect_receipts
from phiomia.domain.statuses.recipients import is_status
from phiomia.federation.outbox.audience import without_blocked
from phiomia.federation.outbox.deliver import RETRY_QUEUE, Deliver, Outbox
from phiomia.federation.outbox.telling import Context
from phiomia.platform.clock import now_ms
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import Hosted, Job, defer_hosted, defer_many

# So many inboxes are written of in one transaction.
_AT_ONCE: Final = 1_000


class Post(NamedTuple):
    """Something to be sent. No `account_id`: the server itself signs. `status_id`: whose receipts are kept."""

    document: Mapping[str, Any] | bytes
    account_id: int | None
    status_id: int | None = None
    for_followers: bool = False
    without_host: str = ""


class SendOn(Job, frozen=True):
    """Put what has begun to be sent on its way to more inboxes, which stand with their hosts."""

    TYPE = "outbox.send_on"
    QUEUE = "scheduled"  # two at once: whoever else wants to write comes in between

    parcel_id: int
    status_id: int | None
    placed: tuple[tuple[str, str], ...]


async def send(outbox: Outbox, post: Post, inboxes: Iterable[str]) -> int:
    """Puts it on its way to the inboxes, what is too much for one transaction by jobs; gives their number."""
    placed = _fewest_first(await without_blocked(set(inboxes), outbox.rules, post.without_host))
    if not placed:
        return 0
    body = post.document if isinstance(post.document, bytes) else msgspec.json.encode(post.document)

    async def write(session: WriteSession) -> None:
        if post.status_id is not None and not await is_status(session, post.status_id):
            return  # deleted in the meantime
        parcel_id = await add_parcel(
            session,
            body,
            account_id=post.account_id,
            status_id=post.status_id,
            for_followers=post.for_followers,
        )
        await _put(session, parcel_id, post.status_id, placed[:_AT_ONCE])
        others = [tuple(placed[at : at + _AT_ONCE]) for at in range(_AT_ONCE, len(placed), _AT_ONCE)]
        await defer_many(session, [SendOn(parcel_id, post.status_id, some) for some in others])

    await outbox.db.write(write)
    return len(placed)


def _fewest_first(placed: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of a server with an inbox for each of many people come last: they would hold up the others."""
    counts = Counter(host for _, host in placed)
    return sorted(placed, key=lambda one: (counts[one[1]], one))


async def send_on(context: Context, job: SendOn) -> None:
    """Handler of SendOn."""

    async def write(session: WriteSession) -> None:
        if job.status_id is None or await is_status(session, job.status_id):
            await _put(session, job.parcel_id, job.status_id, job.placed)

    await context.outbox.db.write(write)


async def _put(session: WriteSession, parcel_id: int, status_id: int | None, placed: Sequence[tuple[str, str]]) -> None:
    reached = await load_reach(session, sorted({host for _, host in placed}))
    await _expect(session, status_id, placed, reached)
    await defer_hosted(session, _jobs(parcel_id, placed, reached))


async def _expect(
    session: WriteSession, status_id: int | None, placed: Sequence[tuple[str, str]], reached: Mapping[str, Reach]
) -> None:
    if status_id is None:
        return
    now = now_ms()
    lost = {one for one in placed if reached[one[1]].is_lost(now)}
    await expect_receipts(session, status_id, [one for one in placed if one not in lost], DeliveryState.WAITING)
    await expect_receipts(session, status_id, sorted(lost), DeliveryState.GONE)


def _jobs(parcel_id: int, placed: Sequence[tuple[str, str]], reached: Mapping[str, Reach]) -> Iterable[Hosted]:
    """A job for each inbox; those of hosts that rest wait, and those of lost ones are not made."""
    now = now_ms()
    for inbox, host in placed:
        reach = reached[host]
        if reach.is_lost(now):
            continue
        job = Deliver(parcel_id, inbox)
        if reach.failures:
            yield Hosted(job, host, max(reach.retry_at or now, now), RETRY_QUEUE)
        else:
            yield Hosted(job, host, reach.retry_at)
