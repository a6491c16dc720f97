"""Collections: accounts that a member recommends."""

from typing import Any

from contract import assert_returns
from phiomia.domain.relationships.block import block
from world import BASE, Account, World, story

MODULES = ("collections", "accounts")


async def _found(world: World, *who: Account) -> None:
    for one in who:
        await world.execute("UPDATE accounts SET discoverable = true WHERE id = :id", id=one.id)


async def _make(world: World, who: Account, **form: Any) -> dict[str, Any]:
    answer = await world.client.check("POST /api/v1/collections", who, json={"name": "Friends", **form})
    made: dict[str, Any] = answer["collection"]
    return made


@story(*MODULES, effects=True)
async def test_a_collection_is_made_changed_and_removed(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await _found(world, bob)
    made = await _make(
        world, alice, description="good ones", language="en", tag_name="#Cats", sensitive=True,
        account_ids=[str(bob.id), str(alice.id)],
    )  # fmt: skip
    assert (made["item_count"], made["tag"]["name"], made["local"], made["discoverable"]) == (2, "Cats", True, False)
    assert made["url"] == f"{BASE}/collections/{made['id']}"
    shown = await world.client.check("GET /api/v1/collections/:id", None, id=made["id"])
    assert {one["id"] for one in shown["accounts"]} == {str(alice.id), str(bob.id)}
    change = {"name": "Others", "tag_name": ""}
    for version, method in (("v1", "PATCH"), ("v1", "PUT"), ("v1_alpha", "PUT")):
        path = f"/api/{version}/collections/{made['id']}"
        changed = await world.client.request(method, path, alice, json=change)
        assert changed.status == 200, changed.body
        assert_returns("PATCH /api/v1/collections/:id", changed.json)
        after = changed.json["collection"]
        assert (after["name"], after["tag"], after["description"]) == ("Others", None, "good ones")
    path = f"/api/v1/collections/{made['id']}"
    assert (await world.client.request("PATCH", path, carol, json=change)).status == 404
    assert (await world.client.delete(path, carol)).status == 404
    assert (await world.client.delete(path, alice)).json == {}
    assert (await world.client.get(path)).status == 404


@story(*MODULES, effects=True)
async def test_who_is_in_it(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    remote = await world.account("remote", domain="there.example")
    await _found(world, bob, remote)
    path = f"/api/v1/collections/{(await _make(world, alice, discoverable=True))['id']}"
    item = await world.client.post(f"{path}/items", alice, form={"account_id": bob.id})
    assert_returns("POST /api/v1/collections/:collection_id/items", item.json)
    number = item.json["collection_item"]["id"]
    assert (await world.client.post(f"{path}/items", alice, form={"account_id": bob.id})).json == item.json
    # Who does not want to be found, and who was not asked.
    for who in (carol, remote):
        assert (await world.client.post(f"{path}/items", alice, form={"account_id": who.id})).status == 403
    assert (await world.client.post(f"{path}/items", alice, form={"account_id": 1})).status == 404
    assert (await world.client.post(f"{path}/items", bob, form={"account_id": bob.id})).status == 403
    mine = await world.client.get(f"/api/v1/accounts/{bob.id}/in_collections", bob)
    assert_returns("GET /api/v1/accounts/:account_id/in_collections", mine.json)
    assert len(mine.json["collections"]) == 1
    assert (await world.client.post(f"{path}/items/{number}/revoke", carol)).status == 404
    assert (await world.client.post(f"{path}/items/{number}/revoke", bob)).json == {}
    assert (await world.client.get(path)).json["collection"]["items"] == []
    assert (await world.client.post(f"{path}/items", alice, form={"account_id": bob.id})).status == 403
    own = (await world.client.post(f"{path}/items", alice, form={"account_id": alice.id})).json["collection_item"]
    assert (await world.client.delete(f"{path}/items/{own['id']}", bob)).status == 403
    assert (await world.client.delete(f"{path}/items/{own['id']}", alice)).json == {}
    assert (await world.client.delete(f"{path}/items/{own['id']}", alice)).status == 404


@story(*MODULES, effects=True)
async def test_lists_of_collections(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    for name, shown in (("one", True), ("two", False), ("three", True)):
        await _make(world, alice, name=name, discoverable=shown)
    path = f"/api/v1/accounts/{alice.id}/collections"
    assert [one["name"] for one in (await world.client.get(path, alice)).json["collections"]] == ["three", "two", "one"]
    first = await world.client.get(path, None, limit=1)
    assert_returns("GET /api/v1/accounts/:account_id/collections", first.json)
    assert [one["name"] for one in first.json["collections"]] == ["three"]
    second = await world.client.get(path, None, **first.links["next"])
    assert [one["name"] for one in second.json["collections"]] == ["one"] and "prev" in second.links
    await world.write(lambda session: block(session, alice.id, bob.id))
    assert (await world.client.get(path, bob)).json == {"collections": []}
    assert (await world.client.get(f"/api/v1_alpha/accounts/{alice.id}/in_collections", alice)).status == 200
    assert (await world.client.get("/api/v1/accounts/1/collections")).status == 404


@story(*MODULES, effects=True)
async def test_limits(world: World) -> None:
    alice = await world.account("alice")
    for faults in ({"name": ""}, {"name": "x" * 41}, {"description": "x" * 101}, {"language": "?"}, {"tag_name": "1"}):
        assert (await world.client.post("/api/v1/collections", alice, json={"name": "a", **faults})).status == 422
    assert (await world.client.post("/api/v1/collections", alice, json={})).status == 422
    many = {"name": "a", "account_ids": [str(number) for number in range(26)]}
    assert (await world.client.post("/api/v1/collections", alice, json=many)).status == 422
    for _ in range(10):
        await _make(world, alice)
    assert (await world.client.post("/api/v1/collections", alice, json={"name": "a"})).status == 422
    assert (await world.client.post("/api/v1/collections", json={"name": "a"})).status == 401
