"""Puts a finished document on its way: one row for it, one job for each inbox."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from phiomia.domain.peers.parcels import add_parcel
from phiomia.domain.peers.reach import Reach, load_reach
from phiomia.domain.peers.receipts import DeliveryState, expect_receipts
from phiomia.domain.statuses.recipients import is_status
from phiomia.federation.outbox.audience import without_blocked
from phiomia.federation.outbox.deliver import RETRY_QUEUE, Deliver, Outbox
from phiomia.platform.clock import now_ms
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import Hosted, defer_hosted


class Post(NamedTuple):
    """Something to be sent. No `account_id`: the server itself signs. `status_id`: whose receipts are kept."""

    document: Mapping[str, Any] | bytes
    account_id: int | None
    status_id: int | None = None
    for_followers: bool = False
    without_host: str = ""


async def send(outbox: Outbox, post: Post, inboxes: Iterable[str]) -> int:
    """Puts it on its way to the inboxes; gives their number."""
    placed = await without_blocked(sorted(set(inboxes)), outbox.rules, post.without_host)
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
        reached = await load_reach(session, sorted({host for _, host in placed}))
        await _expect(session, post.status_id, placed, reached)
        await defer_hosted(session, _jobs(parcel_id, placed, reached))

    await outbox.db.write(write)
    return len(placed)


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
