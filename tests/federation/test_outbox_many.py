"""A server that has an inbox for each of its many people gets what it is owed without holding up anybody."""

from __future__ import annotations

from unittest.mock import patch

from phiomia.domain.peers.reach import let_rest, note_reachable
from phiomia.domain.peers.receipts import DeliveryState
from phiomia.domain.statuses.delete import delete_status
from phiomia.federation.outbox import post
from phiomia.federation.outbox.deliver import Deliver
from phiomia.platform.clock import HOUR, now_ms
from phiomia.platform.jobs import Hosted, defer_hosted
from phiomia.platform.jobs.hosts import MOVED_AT_ONCE

from .fake_peer import FakePeer
from .stage import Stage, staged

STATES = "SELECT state, attempts FROM deliveries WHERE status_id = :id"
NAMES = [f"fan{n}" for n in range(7)]


@staged
async def test_what_goes_to_many_inboxes_is_written_in_parts(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    for name in NAMES:
        await stage.follow(await stage.meet(peer.add_actor(name), shared=False), alice)
    await stage.settle()
    peer.requests.clear()
    with patch.object(post, "_AT_ONCE", 2):
        status_id = await stage.post(alice)
        await stage.settle()
    assert sorted(one.path for one in peer.requests) == [f"/users/{name}/inbox" for name in NAMES]
    assert await stage.rows(STATES, id=status_id) == [(DeliveryState.REACHED, 1)] * len(NAMES)


@staged
async def test_a_status_that_is_gone_goes_to_nobody_else(stage: Stage, peer: FakePeer) -> None:
    alice = await stage.world.account("alice")
    await stage.follow(await stage.meet(peer.add_actor("bob"), shared=False), alice)
    status_id = await stage.post(alice)
    await stage.settle()
    (parcel_id,) = (row[0] for row in await stage.rows("SELECT id FROM parcels WHERE status_id = :id", id=status_id))
    peer.requests.clear()
    rest = post.SendOn(parcel_id, status_id, ((f"{peer.url}/users/carol/inbox", peer.domain),))
    await post.send_on(stage.context, rest)
    await stage.until(lambda: peer.received("/users/carol/inbox"), "the rest gets it")
    await stage.settle()
    await stage.world.write(lambda session: delete_status(session, alice.id, status_id))
    await stage.settle()
    peer.requests.clear()
    await post.send_on(stage.context, rest)
    await stage.settle()
    assert not peer.requests


@staged
async def test_what_waits_for_a_server_is_moved_in_parts(stage: Stage, _peer: FakePeer) -> None:
    until = now_ms() + HOUR
    jobs = [Hosted(Deliver(1, f"https://many.example/{n}"), "many.example", until) for n in range(MOVED_AT_ONCE + 500)]
    await stage.world.write(lambda session: defer_hosted(session, jobs))
    await stage.world.write(lambda session: let_rest(session, "many.example", until + HOUR))
    await stage.until(lambda: _stand(stage, until + HOUR), "all rest longer")
    # Nothing of what they should bring is kept, so they end as soon as they run.
    assert await stage.world.write(lambda session: note_reachable(session, "many.example", now_ms()))
    await stage.settle()
    assert await stage.rows("SELECT COUNT(*) FROM jobs") == [(0,)]


async def _stand(stage: Stage, run_at: int) -> bool:
    found = await stage.rows("SELECT COUNT(*), MIN(run_at) FROM jobs WHERE host = 'many.example'")
    return found == [(MOVED_AT_ONCE + 500, run_at)]
