"""Quotes over the API: consent, states, notifications."""

from typing import Any

from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.domain_block import block_domain_for
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.mute import mute
from world import Account, World, story

POST = "POST /api/v1/statuses"
SHOW = "GET /api/v1/statuses/:id"
QUOTES = "GET /api/v1/statuses/:id/quotes"
POLICY = "PUT /api/v1/statuses/:id/interaction_policy"


async def say(world: World, who: Account, text: str, **more: Any) -> Any:
    """A status."""
    return await world.client.check(POST, who, json={"status": text} | more)


async def show(world: World, who: Account | None, status: Any) -> Any:
    """A status as somebody sees it."""
    return await world.client.check(SHOW, who, id=status["id"])


async def refused(world: World, who: Account, quoted: Any, **more: Any) -> int:
    """The status code of a quote that is not made."""
    sent = {"status": "no", "quoted_status_id": quoted["id"]} | more
    return (await world.client.post("/api/v1/statuses", who, json=sent)).status


@story("statuses", "quotes", "notifications", effects=True)
async def test_a_quote_stands_at_once(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    said = await say(world, alice, "Hello")
    assert said["quote_approval"] == {"automatic": ["public"], "manual": [], "current_user": "automatic"}
    made = await say(world, bob, "Look", quoted_status_id=said["id"])
    assert made["quote"]["state"] == "accepted"
    assert made["quote"]["quoted_status"]["id"] == said["id"]
    assert made["quote"]["quoted_status"]["account"]["username"] == "alice"
    assert made["content"].startswith('<p class="quote-inline">RE: <a ')
    assert (await show(world, None, said))["quotes_count"] == 1
    assert (await show(world, None, said))["quote_approval"]["current_user"] == "denied"
    told = await world.client.check("GET /api/v1/notifications", alice)
    assert [(one["type"], one["status"]["id"]) for one in told] == [("quote", made["id"])]
    listed = await world.client.check(QUOTES, alice, id=said["id"])
    assert [one["id"] for one in listed] == [made["id"]]
    third = await say(world, alice, "Deeper", quoted_status_id=made["id"])
    inner = third["quote"]["quoted_status"]["quote"]
    assert inner == {"state": "accepted", "quoted_status_id": said["id"]}
    boost = (await world.client.post(f"/api/v1/statuses/{said['id']}/reblog", bob)).json
    assert (await say(world, bob, "", quoted_status_id=boost["id"]))["quote"]["quoted_status"]["id"] == said["id"]


@story("statuses", "quotes")
async def test_every_version_shows_what_is_quoted(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    said = await say(world, alice, "Hello")
    made = await say(world, bob, "Look", quoted_status_id=said["id"])
    await world.client.check("PUT /api/v1/statuses/:id", bob, id=made["id"], json={"status": "Look there"})
    history = "GET /api/v1/statuses/:id/history"
    versions = await world.client.check(history, alice, id=made["id"])
    assert [one["quote"]["quoted_status"]["id"] for one in versions] == [said["id"]] * 2
    await world.client.delete(f"/api/v1/statuses/{said['id']}", alice)
    versions = await world.client.check(history, None, id=made["id"])
    assert [one["quote"] for one in versions] == [{"state": "deleted", "quoted_status": None}] * 2
    assert (await world.client.check(history, None, id=(await say(world, bob, "x"))["id"]))[0]["quote"] is None


@story("statuses", "quotes")
async def test_who_may_quote(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await world.write(lambda session: follow(session, bob.id, alice.id))
    closed = await say(world, alice, "mine", quote_approval_policy="nobody")
    near = await say(world, alice, "ours", quote_approval_policy="followers")
    assert near["quote_approval"]["automatic"] == ["followers"]
    seen = {name: await show(world, who, near) for name, who in (("bob", bob), ("carol", carol), ("nobody", None))}
    answers = {name: one["quote_approval"]["current_user"] for name, one in seen.items()}
    assert answers == {"bob": "automatic", "carol": "denied", "nobody": "denied"}
    assert await refused(world, bob, closed) == 404
    assert await refused(world, carol, near) == 404
    assert (await say(world, bob, "yes", quoted_status_id=near["id"]))["quote"]["state"] == "accepted"
    assert (await say(world, alice, "self", quoted_status_id=closed["id"]))["quote"]["state"] == "accepted"
    private = await say(world, alice, "few", visibility="private", quote_approval_policy="public")
    assert private["quote_approval"]["automatic"] == []
    assert await refused(world, bob, private) == 404
    own = await say(world, alice, "again", quoted_status_id=private["id"])
    assert own["visibility"] == "private"
    direct = await say(world, alice, "psst", visibility="direct")
    assert await refused(world, alice, direct) == 404
    assert await refused(world, bob, {"id": "1"}) == 404
    public = await say(world, alice, "all")
    assert await refused(world, bob, public, visibility="direct") == 422
    named = {"status": "@alice", "visibility": "direct", "quoted_status_id": public["id"]}
    await world.client.check(POST, bob, json=named)
    assert await refused(world, bob, public, quote_approval_policy="some") == 422
    await world.write(lambda session: block(session, alice.id, carol.id))
    assert await refused(world, carol, public) == 404


@story("statuses", "quotes")
async def test_policy_changes(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    said = await say(world, alice, "Hello")
    kept = await say(world, bob, "Look", quoted_status_id=said["id"])
    changed = await world.client.check(POLICY, alice, id=said["id"], json={"quote_approval_policy": "nobody"})
    assert changed["quote_approval"]["automatic"] == []
    assert await refused(world, bob, said) == 404
    assert (await show(world, bob, kept))["quote"]["state"] == "accepted"
    assert (await world.client.put(f"/api/v1/statuses/{said['id']}/interaction_policy", bob, json={})).status == 404
    usual = await world.client.check(POLICY, alice, id=said["id"], json={})
    assert usual["quote_approval"]["automatic"] == ["public"]
    wrong = {"quote_approval_policy": "everyone"}
    assert (
        await world.client.put(f"/api/v1/statuses/{said['id']}/interaction_policy", alice, json=wrong)
    ).status == 422
    edited = {"status": "Hello", "quote_approval_policy": "followers"}
    after = await world.client.check("PUT /api/v1/statuses/:id", alice, id=said["id"], json=edited)
    assert (after["quote_approval"]["automatic"], after["edited_at"]) == (["followers"], None)


@story("statuses", "quotes", "notifications", effects=True)
async def test_what_becomes_of_quotes(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    said = await say(world, alice, "Hello")
    made = await say(world, bob, "Look", quoted_status_id=said["id"])
    await world.client.check("PUT /api/v1/statuses/:id", alice, id=said["id"], json={"status": "Hello!"})
    told = await world.client.check("GET /api/v1/notifications", bob)
    assert [(one["type"], one["status"]["id"]) for one in told] == [("quoted_update", made["id"])]
    assert "Hello!" in told[0]["status"]["quote"]["quoted_status"]["content"]
    edited = await world.client.check("PUT /api/v1/statuses/:id", bob, id=made["id"], json={"status": "Look!"})
    assert edited["content"].startswith('<p class="quote-inline">')
    path = f"/api/v1/statuses/{said['id']}/quotes/{made['id']}/revoke"
    assert (await world.client.post(path, bob)).status == 404
    assert (await world.client.post(path)).status == 401
    revoked = (await world.client.post(path, alice)).json
    assert revoked["quote"] == {"state": "revoked", "quoted_status": None}
    assert (await show(world, None, said))["quotes_count"] == 0
    assert await world.client.check(QUOTES, alice, id=said["id"]) == []
    assert await world.client.check("GET /api/v1/notifications", alice) == []
    again = await say(world, bob, "Look", quoted_status_id=said["id"])
    await world.client.delete(f"/api/v1/statuses/{again['id']}", bob)
    assert (await show(world, None, said))["quotes_count"] == 0
    last = await say(world, bob, "Look", quoted_status_id=said["id"])
    await world.client.delete(f"/api/v1/statuses/{said['id']}", alice)
    assert (await show(world, bob, last))["quote"] == {"state": "deleted", "quoted_status": None}


@story("statuses", "quotes")
async def test_viewers_are_shown_what_they_may_see(world: World) -> None:
    alice, bob, carol, dora = [await world.account(name) for name in ("alice", "bob", "carol", "dora")]
    said = await say(world, alice, "Hello")
    made = await say(world, bob, "Look", quoted_status_id=said["id"])
    await world.write(lambda session: block(session, carol.id, alice.id))
    await world.write(lambda session: mute(session, dora.id, alice.id))
    states = {name: (await show(world, who, made))["quote"] for name, who in (("carol", carol), ("dora", dora))}
    assert {name: one["state"] for name, one in states.items()} == {"carol": "blocked_account", "dora": "muted_account"}
    assert states["dora"]["quoted_status"]["id"] == said["id"]
    await world.write(lambda session: block_domain_for(session, bob.id, "there.example"))
    await world.execute("UPDATE accounts SET domain = 'there.example' WHERE id = :id", id=alice.id)
    shown = (await show(world, bob, made))["quote"]
    assert (shown["state"], shown["quoted_status"]["id"]) == ("blocked_domain", said["id"])
    await world.execute("UPDATE accounts SET domain = '' WHERE id = :id", id=alice.id)
    await world.write(lambda session: block(session, alice.id, dora.id))
    assert (await show(world, dora, made))["quote"] == {"state": "unauthorized", "quoted_status": None}
    await world.execute("UPDATE statuses SET visibility = 2 WHERE id = :id", id=int(said["id"]))
    assert (await show(world, None, made))["quote"] == {"state": "unauthorized", "quoted_status": None}
    assert (await show(world, alice, made))["quote"]["state"] == "accepted"
    page = await world.client.get("/api/v1/statuses", None, id=[made["id"], said["id"]])
    assert [one["quote"]["state"] for one in page.json] == ["unauthorized"]


@story("statuses", "quotes")
async def test_pages_of_quotes(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    said = await say(world, alice, "Hello")
    made = [(await say(world, bob, f"{number}", quoted_status_id=said["id"]))["id"] for number in range(3)]
    hidden = await say(world, bob, "few", quoted_status_id=said["id"], visibility="private")
    path = f"/api/v1/statuses/{said['id']}/quotes"
    first = await world.client.get(path, alice, limit=2)
    assert first.ids == [made[2], made[1]]
    rest = await world.client.get(path, alice, **first.links["next"])
    assert (rest.ids, "next" in rest.links) == ([made[0]], False)
    assert (await world.client.get(path, bob, limit=1)).ids == [hidden["id"]]
    assert (await world.client.get(path)).status == 401
    assert (await world.client.get("/api/v1/statuses/1/quotes", alice)).status == 404
