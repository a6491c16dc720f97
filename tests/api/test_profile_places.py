"""What stands on profiles besides posts: hashtags, accounts; and whom one knows among followers."""

from typing import Any

from contract import assert_returns
from world import BASE, Account, World, story

MODULES = ("accounts", "statuses", "featured_tags", "endorsements", "familiar_followers", "followed_tags", "search")


async def _post(world: World, who: Account, text: str, **more: Any) -> str:
    answer = await world.client.post("/api/v1/statuses", who, form={"status": text, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def _follow(world: World, who: Account, whom: Account) -> None:
    assert (await world.client.post(f"/api/v1/accounts/{whom.id}/follow", who, form={})).status == 200


@story(*MODULES, effects=True)
async def test_hashtags_on_a_profile(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await _post(world, alice, "one #Cats")
    await _post(world, alice, "hidden #cats", visibility="private")
    made = await world.client.check("POST /api/v1/featured_tags", alice, form={"name": "#Cats"})
    assert (made["name"], made["statuses_count"]) == ("Cats", "1") and made["last_status_at"]
    again = await world.client.check("POST /api/v1/featured_tags", alice, form={"name": "cats"})
    assert again["id"] == made["id"]
    second = await _post(world, alice, "two #cats")
    assert (await world.client.check("GET /api/v1/featured_tags", alice))[0]["statuses_count"] == "2"
    assert (await world.client.delete(f"/api/v1/statuses/{second}", alice)).status == 200
    shown = await world.client.get(f"/api/v1/accounts/{alice.id}/featured_tags")
    assert_returns("GET /api/v1/accounts/:id/featured_tags", shown.json)
    assert [tag["statuses_count"] for tag in shown.json] == ["1"]
    assert (await world.client.delete(f"/api/v1/featured_tags/{made['id']}", bob)).status == 404
    assert (await world.client.delete(f"/api/v1/featured_tags/{made['id']}", alice)).json == {}
    assert await world.client.check("GET /api/v1/featured_tags", alice) == []
    for name in ("", "12", "a b"):
        assert (await world.client.post("/api/v1/featured_tags", alice, form={"name": name})).status == 422
    assert (await world.client.get("/api/v1/accounts/1/featured_tags")).status == 404


@story(*MODULES, effects=True)
async def test_no_more_hashtags_than_ten(world: World) -> None:
    alice = await world.account("alice")
    for number in range(10):
        assert (await world.client.post("/api/v1/featured_tags", alice, form={"name": f"tag{number}"})).status == 200
    assert (await world.client.post("/api/v1/featured_tags", alice, form={"name": "more"})).status == 422


@story(*MODULES, effects=True)
async def test_hashtags_are_featured_by_name_and_suggested(world: World) -> None:
    alice = await world.account("alice")
    for text in ("#often #rare", "#often"):
        await _post(world, alice, text)
    names = [tag["name"] for tag in await world.client.check("GET /api/v1/featured_tags/suggestions", alice)]
    assert names == ["often", "rare"]
    tag = (await world.client.post("/api/v1/tags/often/feature", alice)).json
    assert_returns("POST /api/v1/tags/:id/feature", tag)
    (featured,) = await world.client.check("GET /api/v1/featured_tags", alice)
    assert featured["url"] == f"{BASE}/@alice/tagged/often"
    assert (tag["featuring"], tag["following"]) == (True, False)
    assert (await world.client.get("/api/v1/tags/often", alice)).json["featuring"] is True
    assert "featuring" not in (await world.client.get("/api/v1/tags/often")).json
    names = [tag["name"] for tag in await world.client.check("GET /api/v1/featured_tags/suggestions", alice)]
    assert names == ["rare"]
    assert (await world.client.post("/api/v1/tags/often/unfeature", alice)).json["featuring"] is False
    assert (await world.client.post("/api/v1/tags/never/unfeature", alice)).status == 404
    assert (await world.client.post("/api/v1/tags/12/feature", alice)).status == 404


@story(*MODULES, effects=True)
async def test_accounts_on_a_profile(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    for whom in (bob, carol):
        await _follow(world, alice, whom)
    await world.client.check("POST /api/v1/accounts/:id/endorse", alice, id=bob.id, form={})
    assert (await world.client.check("POST /api/v1/accounts/:id/pin", alice, id=carol.id, form={}))["endorsed"]
    mine = await world.client.get("/api/v1/endorsements", alice, limit=1)
    assert mine.ids == [str(carol.id)]
    rest = await world.client.get("/api/v1/endorsements", alice, **mine.links["next"])
    assert rest.ids == [str(bob.id)]
    shown = await world.client.check("GET /api/v1/accounts/:id/endorsements", None, id=alice.id)
    assert [one["id"] for one in shown] == [str(carol.id), str(bob.id)]
    assert not (await world.client.check("POST /api/v1/accounts/:id/unpin", alice, id=carol.id, form={}))["endorsed"]
    assert (await world.client.get("/api/v1/endorsements", alice)).ids == [str(bob.id)]
    assert (await world.client.get("/api/v1/endorsements")).status == 401
    assert (await world.client.get("/api/v1/accounts/1/endorsements")).status == 404


@story(*MODULES, effects=True)
async def test_whom_one_knows_among_followers(world: World) -> None:
    alice, bob, carol, dora = [await world.account(name) for name in ("alice", "bob", "carol", "dora")]
    await _follow(world, alice, bob)
    for who in (bob, carol):
        await _follow(world, who, dora)
    found = await world.client.check("GET /api/v1/accounts/familiar_followers", alice, query={"id": [dora.id, bob.id]})
    assert [(one["id"], [known["id"] for known in one["accounts"]]) for one in found] == [
        (str(dora.id), [str(bob.id)]),
        (str(bob.id), []),
    ]
    await world.execute("UPDATE accounts SET hide_collections = true WHERE id = :id", id=dora.id)
    found = await world.client.check("GET /api/v1/accounts/familiar_followers", alice, query={"id": [dora.id]})
    assert found == [{"id": str(dora.id), "accounts": []}]


@story(*MODULES)
async def test_what_is_no_more(world: World) -> None:
    alice = await world.account("alice")
    assert await world.client.check("GET /api/v1/accounts/:id/identity_proofs", alice, id=alice.id) == []
    form = {"email": "someone@mail.example"}
    answer = await world.client.post(f"/api/v1/accounts/{alice.id}/email_subscriptions", form=form)
    assert answer.status == 404
