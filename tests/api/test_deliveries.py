"""What authors learn of the way of their statuses to other servers."""

from __future__ import annotations

from phiomia.domain.peers.receipts import DeliveryState, Note, expect_receipts, note_receipts
from world import World, story

PATH = "/api/phiomia/v1/statuses/{}/deliveries"


@story("statuses", "deliveries")
async def test_authors_see_where_their_status_has_arrived(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = (await world.client.post("/api/v1/statuses", alice, form={"status": "Hello"})).json
    inboxes = [(f"https://{host}/inbox", host) for host in ("a.example", "b.example", "c.example")]
    id_ = int(made["id"])
    await world.write(lambda session: expect_receipts(session, id_, inboxes, DeliveryState.WAITING))
    notes = [
        Note(id_, inboxes[0][0], DeliveryState.REACHED),
        Note(id_, inboxes[1][0], DeliveryState.RETRYING, "no connection"),
    ]
    await world.write(lambda session: note_receipts(session, notes))
    seen = (await world.client.get(PATH.format(id_), alice)).json
    assert {name: seen[name] for name in ("total", "reached", "waiting", "retrying", "gone", "rejected")} == {
        "total": 3,
        "reached": 1,
        "waiting": 1,
        "retrying": 1,
        "gone": 0,
        "rejected": 0,
    }
    assert [(one["server"], one["state"], one["error"]) for one in seen["deliveries"]] == [
        ("a.example", "reached", None),
        ("b.example", "retrying", "no connection"),
        ("c.example", "waiting", None),
    ]
    assert (await world.client.get(PATH.format(id_), bob)).status == 404
