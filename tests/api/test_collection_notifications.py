"""What members are told of collections that they are in."""

from typing import Any

from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.mute import mute
from world import Account, World, story

MODULES = ("collections", "accounts", "notifications", "notification_groups", "notification_policy")
V1, V2 = "GET /api/v1/notifications", "GET /api/v2/notifications"
ADDED, UPDATED = "added_to_collection", "collection_update"


async def _people(world: World, *names: str) -> list[Account]:
    people = [await world.account(name) for name in names]
    for one in people:
        await world.execute("UPDATE accounts SET discoverable = true WHERE id = :id", id=one.id)
    return people


async def _make(world: World, owner: Account, *members: Account) -> dict[str, Any]:
    form = {"name": "Moss people", "account_ids": [str(one.id) for one in members]}
    made: dict[str, Any] = (await world.client.check("POST /api/v1/collections", owner, json=form))["collection"]
    return made


async def _told(world: World, who: Account, type_: str) -> list[Any]:
    """What somebody is told, the same in both forms."""
    found: list[Any] = await world.client.check(V1, who, query={"types": [type_]})
    groups = (await world.client.check(V2, who, query={"types": [type_]}))["notification_groups"]
    assert [one["collection"] for one in found] == [group["collection"] for group in groups]
    assert [one["account"]["id"] for one in found] == [group["sample_account_ids"][0] for group in groups]
    for one in found:
        assert await world.client.check(f"{V1}/:id", who, id=one["id"]) == one
    return found


@story(*MODULES, effects=True)
async def test_who_is_put_into_a_collection_is_told(world: World) -> None:
    alice, bob, carol = await _people(world, "alice", "bob", "carol")
    made = await _make(world, alice, alice, bob)
    (one,) = await _told(world, bob, ADDED)
    shown = (await world.client.check("GET /api/v1/collections/:id", bob, id=made["id"]))["collection"]
    assert (one["account"]["id"], one["collection"]) == (str(alice.id), shown)
    # Nobody is told of what they did themselves, or twice.
    items = f"/api/v1/collections/{made['id']}/items"
    for _ in range(2):
        assert (await world.client.post(items, alice, form={"account_id": carol.id})).status == 200
    assert (len(await _told(world, carol, ADDED)), await _told(world, alice, ADDED)) == (1, [])
    logged = "SELECT count(*) FROM stream_events WHERE kind = 'notification'"
    assert await world.value(logged) == 2
    for query in (V1, V2):
        told = await world.client.check(query, bob, query={"supported_types": ["mention"]})
        (one,) = told if query == V1 else told["notification_groups"]
        assert one["fallback"]["title"] == "Alice added you to a collection"
    # It ends with what it tells of.
    (item,) = [one for one in shown["items"] if one["account_id"] == str(bob.id)]
    assert (await world.client.post(f"{items}/{item['id']}/revoke", bob)).status == 200
    assert await _told(world, bob, ADDED) == []
    assert (await world.client.delete(f"/api/v1/collections/{made['id']}", alice)).status == 200
    assert await _told(world, carol, ADDED) == []
    assert await world.value("SELECT count(*) FROM notifications") == 0


@story(*MODULES, effects=True)
async def test_who_is_taken_out_and_put_in_again_is_told_again(world: World) -> None:
    alice, bob = await _people(world, "alice", "bob")
    made = await _make(world, alice, bob)
    items = f"/api/v1/collections/{made['id']}/items"
    assert (await world.client.delete(f"{items}/{made['items'][0]['id']}", alice)).status == 200
    assert await _told(world, bob, ADDED) == []
    assert (await world.client.post(items, alice, form={"account_id": bob.id})).status == 200
    assert len(await _told(world, bob, ADDED)) == 1


@story(*MODULES, effects=True)
async def test_who_is_in_it_is_told_that_it_says_something_else(world: World) -> None:
    alice, bob = await _people(world, "alice", "bob")
    made = await _make(world, alice, alice, bob)

    async def change(**values: Any) -> None:
        answer = await world.client.request("PATCH", f"/api/v1/collections/{made['id']}", alice, json=values)
        assert answer.status == 200, answer.body

    await change(language="de", discoverable=True, name="Moss people", sensitive=False)
    assert await _told(world, bob, UPDATED) == []
    seen: set[str] = set()
    for values in ({"name": "Ferns"}, {"description": "green"}, {"sensitive": True}, {"tag_name": "Ferns"}):
        await change(**values)
        # The newest only: it shows all that has changed.
        (one,) = await _told(world, bob, UPDATED)
        seen.add(one["id"])
    assert len(seen) == 4 and (one["collection"]["name"], one["collection"]["sensitive"]) == ("Ferns", True)
    assert await _told(world, alice, UPDATED) == []
    await world.write(lambda session: mute(session, bob.id, alice.id, hide_notifications=True))
    await change(name="Lichen")
    assert await _told(world, bob, UPDATED) == []


@story(*MODULES, effects=True)
async def test_strangers_wait_where_somebody_wants_that(world: World) -> None:
    alice, bob, carol = await _people(world, "alice", "bob", "carol")
    await world.client.check("PATCH /api/v2/notifications/policy", bob, form={"for_not_following": "filter"})
    await world.client.check("PATCH /api/v2/notifications/policy", carol, form={"for_not_following": "drop"})
    await _make(world, alice, bob, carol)
    assert await _told(world, bob, ADDED) == [] == await _told(world, carol, ADDED)
    (one,) = await world.client.check(V1, bob, query={"include_filtered": True})
    assert (one["type"], one["filtered"]) == (ADDED, True)
    assert await world.client.check(V1, carol, query={"include_filtered": True}) == []


@story(*MODULES, effects=True)
async def test_nothing_is_shown_of_a_collection_across_a_block(world: World) -> None:
    alice, bob = await _people(world, "alice", "bob")
    await _make(world, alice, bob)
    assert len(await _told(world, bob, ADDED)) == 1
    await world.write(lambda session: block(session, alice.id, bob.id))
    assert await _told(world, bob, ADDED) == []
