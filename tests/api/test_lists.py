"""Lists of people: who can be in one, all of it at once, and in which languages people are followed."""

import json

import pytest

from phiomia.domain.relationships.follow import follow
from phiomia.platform import limits
from world import Account, World, story

ADD = "POST /api/v1/lists/:id/accounts"
FOLLOW = "POST /api/v1/accounts/:id/follow"


async def _followed(world: World, who: Account, count: int) -> list[str]:
    others = [await world.account(f"friend{number}") for number in range(count)]
    for other in others:
        await world.write(lambda session, target=other.id: follow(session, who.id, target))  # type: ignore[misc]
    return [str(other.id) for other in others]


@story("lists")
async def test_nobody_is_in_a_list_twice(world: World) -> None:
    alice = await world.account("alice")
    first, second = await _followed(world, alice, 2)
    made = (await world.client.check("POST /api/v1/lists", alice, json={"title": "Friends"}))["id"]
    path = f"/api/v1/lists/{made}/accounts"
    assert await world.client.check(ADD, alice, id=made, json={"account_ids": [first, first]}) == {}
    refused = await world.client.post(path, alice, json={"account_ids": [second, first]})
    assert refused.status == 422
    assert refused.json["error"] == "Validation failed: Account has already been taken"
    assert (await world.client.get(path, alice)).ids == [first], "all of them or none"


@story("lists", "endorsements", "accounts")
async def test_all_at_once(world: World) -> None:
    alice = await world.account("alice")
    friends = await _followed(world, alice, 3)
    made = (await world.client.check("POST /api/v1/lists", alice, json={"title": "Friends"}))["id"]
    await world.client.check(ADD, alice, id=made, json={"account_ids": friends})
    for friend in friends:
        await world.client.check("POST /api/v1/accounts/:id/endorse", alice, id=friend)
    for path in (f"/api/v1/lists/{made}/accounts", "/api/v1/endorsements"):
        assert len((await world.client.get(path, alice, limit=2)).json) == 2
        everybody = await world.client.get(path, alice, limit=0)
        assert sorted(everybody.ids) == sorted(friends)
        assert "next" not in everybody.links


@story("lists")
async def test_very_much_comes_in_parts(world: World) -> None:
    alice = await world.account("alice")
    friends = await _followed(world, alice, 3)
    made = (await world.client.check("POST /api/v1/lists", alice, json={"title": "Friends"}))["id"]
    await world.client.check(ADD, alice, id=made, json={"account_ids": friends})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PAGE_OF_ALL", 2)
        path = f"/api/v1/lists/{made}/accounts"
        part = await world.client.get(path, alice, limit=0)
        rest = await world.client.get(path, alice, **part.links["next"])
    assert sorted(part.ids + rest.ids) == sorted(friends)


@story("accounts")
async def test_people_are_followed_in_languages_that_exist(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    followed = await world.client.check(FOLLOW, alice, id=bob.id, json={"languages": ["DE", "de-AT", "fr", ""]})
    assert followed["languages"] == ["de", "fr"]
    refused = await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice, json={"languages": ["de", "xx"]})
    assert refused.status == 422 and "languages" in refused.json["details"]
    assert (await world.client.check(FOLLOW, alice, id=bob.id))["languages"] == ["de", "fr"]
    assert (await world.client.check(FOLLOW, alice, id=bob.id, json={"languages": []}))["languages"] is None


@story("lists", "statuses", effects=True)
async def test_streams_of_lists_hear_what_was_deleted(world: World) -> None:
    alice = await world.account("alice")
    bob = await world.account("bob")
    await world.write(lambda session: follow(session, alice.id, bob.id))
    made = (await world.client.check("POST /api/v1/lists", alice, json={"title": "Friends"}))["id"]
    await world.client.check(ADD, alice, id=made, json={"account_ids": [str(bob.id)]})
    told = "SELECT body FROM stream_events WHERE kind = 'delete' ORDER BY seq DESC LIMIT 1"
    for visibility, lists in (("public", [int(made)]), ("private", [int(made)]), ("direct", [])):
        sent = {"status": "Soon gone. @alice", "visibility": visibility}
        status = await world.client.check("POST /api/v1/statuses", bob, json=sent)
        await world.client.check("DELETE /api/v1/statuses/:id", bob, id=status["id"])
        assert json.loads(await world.value(told))["lists"] == lists
