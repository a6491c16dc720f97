"""Feeds and timelines over the API, with everything that follows a status."""

import asyncio
from typing import Any

from sqlalchemy import select, update

from phiomia.domain.oauth.models import access_tokens
from phiomia.domain.oauth.uses import mark_used
from phiomia.domain.users.models import users
from phiomia.platform.clock import DAY
from phiomia.platform.db import P, Query
from world import Account, World, story

MODULES = ("accounts", "statuses", "timelines", "lists", "notifications", "conversations", "markers", "mutes")


async def post(world: World, who: Account, text: str, **more: Any) -> str:
    """The id of a new status."""
    answer = await world.client.post("/api/v1/statuses", who, form={"status": text, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def home(world: World, who: Account, **query: Any) -> list[str]:
    """Ids on the home timeline."""
    return (await world.client.get("/api/v1/timelines/home", who, **query)).ids


@story(*MODULES, effects=True)
async def test_home_shows_those_followed_and_oneself(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    before = await post(world, bob, "before the follow")
    assert (await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice)).json["following"] is True
    mine, theirs = await post(world, alice, "mine"), await post(world, bob, "theirs")
    await post(world, carol, "a stranger's")
    assert await home(world, alice) == [theirs, mine, before]
    assert await home(world, bob) == [theirs, before]
    shown = await world.client.check("GET /api/v1/timelines/home", alice)
    assert shown[0]["account"]["username"] == "bob"


@story(*MODULES, effects=True)
async def test_home_pages_have_no_cliff(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice)
    posted = [await post(world, bob, f"number {number}") for number in range(9)][::-1]
    # What is trimmed from the feed is still there by query.
    trim = "DELETE FROM home_feed WHERE account_id = :me AND status_id < :kept"
    await world.execute(trim, me=alice.id, kept=int(posted[3]))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    for _ in range(10):
        answer = await world.client.get("/api/v1/timelines/home", alice, **query)
        seen += answer.ids
        if "next" not in answer.links:
            break
        query = answer.links["next"]
    assert seen == posted
    up = await world.client.get("/api/v1/timelines/home", alice, min_id=posted[-1], limit=2)
    assert up.ids == posted[-3:-1]
    assert (await world.client.get("/api/v1/timelines/home", alice, since_id=posted[2])).ids == posted[:2]


@story(*MODULES, effects=True)
async def test_replies_and_boosts_go_where_they_belong(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice)
    theirs = await post(world, carol, "from a stranger")
    reply = await post(world, bob, "to a stranger", in_reply_to_id=theirs)
    assert reply not in await home(world, alice)
    own = await post(world, alice, "hello")
    answer = await post(world, bob, "@alice hi", in_reply_to_id=own)
    assert answer in await home(world, alice)
    boost = (await world.client.post(f"/api/v1/statuses/{theirs}/reblog", bob)).json
    assert boost["reblog"]["id"] == theirs
    assert (await home(world, alice))[0] == boost["id"]
    await world.client.post(f"/api/v1/statuses/{theirs}/unreblog", bob)
    assert boost["id"] not in await home(world, alice)


@story(*MODULES, effects=True)
async def test_leaving_mutes_and_blocks_empty_the_feed(world: World) -> None:
    alice, bob, carol, dave = [await world.account(name) for name in ("alice", "bob", "carol", "dave")]
    for other in (bob, carol, dave):
        await world.client.post(f"/api/v1/accounts/{other.id}/follow", alice)
    ids = [await post(world, other, "hello") for other in (bob, carol, dave)]
    assert await home(world, alice) == ids[::-1]
    await world.client.post(f"/api/v1/accounts/{bob.id}/unfollow", alice)
    assert await home(world, alice) == [ids[2], ids[1]]
    await world.client.post(f"/api/v1/accounts/{carol.id}/mute", alice, form={"duration": 60})
    assert await home(world, alice) == [ids[2]]
    muted = await world.client.check("GET /api/v1/mutes", alice)
    assert muted[0]["mute_expires_at"] is not None
    await world.client.post(f"/api/v1/accounts/{dave.id}/block", alice)
    assert await home(world, alice) == []


@story(*MODULES, effects=True)
async def test_public_timelines(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    public = await post(world, alice, "to #Everybody")
    await post(world, alice, "not quite", visibility="unlisted")
    await post(world, alice, "friends", visibility="private")
    reply = await post(world, bob, "@alice yes", in_reply_to_id=public)
    for query in ({}, {"local": True}):
        assert (await world.client.get("/api/v1/timelines/public", bob, **query)).ids == [public]
    assert (await world.client.get("/api/v1/timelines/public", remote=True)).ids == []
    signed_out = await world.client.check("GET /api/v1/timelines/public")
    assert "favourited" not in signed_out[0]
    tagged = await world.client.get("/api/v1/timelines/tag/everybody", bob)
    assert tagged.ids == [public]
    assert (await world.client.get("/api/v1/timelines/tag/EVERYBODY", none=["everybody"])).ids == []
    assert (await world.client.get("/api/v1/timelines/tag/nothing", any=["everybody"])).ids == [public]
    assert (await world.client.get("/api/v1/timelines/tag/everybody", all=["missing"])).ids == []
    await world.client.post(f"/api/v1/accounts/{alice.id}/mute", bob)
    assert (await world.client.get("/api/v1/timelines/public", bob)).ids == []
    assert reply not in (await world.client.get("/api/v1/timelines/public")).ids


@story(*MODULES, effects=True)
async def test_the_public_timeline_keeps_to_chosen_languages(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    german = await post(world, alice, "Guten Tag", language="de")
    english = await post(world, alice, "Good day", language="en")
    assert (await world.client.get("/api/v1/timelines/public", bob)).ids == [english, german]
    choose = Query(update(users).where(users.c.account_id == P("account")).values(settings=P("settings", str)))
    await world.db.write(
        lambda session: session.execute(choose, account=bob.id, settings='{"chosen_languages":["de"]}')
    )
    world.api.bearers.forget()
    assert (await world.client.get("/api/v1/timelines/public", bob)).ids == [german]
    assert (await world.client.get("/api/v1/timelines/public", alice)).ids == [english, german]


@story(*MODULES, effects=True)
async def test_the_use_of_a_token_is_noted(world: World) -> None:
    alice = await world.account("alice")
    used = Query(select(access_tokens.c.last_used_at).where(access_tokens.c.last_used_at.is_not(None)))

    async def times() -> list[int]:
        async with world.db.read() as session:
            return await session.column(used)

    await world.client.get("/api/v1/timelines/home", alice)
    first: list[int] = []
    async with asyncio.timeout(30):
        while not first:
            await asyncio.sleep(0.05)
            first = await times()
    ids = [await _token_of(world, alice.id)]
    await world.db.write(lambda session: mark_used(session, ids, first[0] + 1000))
    assert await times() == first  # once a day is enough
    await world.db.write(lambda session: mark_used(session, ids, first[0] + 2 * DAY))
    assert await times() == [first[0] + 2 * DAY]


async def _token_of(world: World, account_id: int) -> int:
    of_account = select(access_tokens.c.id).join(users, users.c.id == access_tokens.c.user_id)
    async with world.db.read() as session:
        return int(await session.value(Query(of_account.where(users.c.account_id == P("account"))), account=account_id))


@story(*MODULES, effects=True)
async def test_private_statuses_of_an_account(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await world.client.post(f"/api/v1/accounts/{alice.id}/follow", bob)
    ids = {
        name: await post(world, alice, name, visibility=name) for name in ("public", "unlisted", "private", "direct")
    }
    path = f"/api/v1/accounts/{alice.id}/statuses"
    everything = [ids[name] for name in ("direct", "private", "unlisted", "public")]
    assert (await world.client.get(path, alice)).ids == everything
    assert (await world.client.get(path, bob)).ids == everything[1:]
    assert (await world.client.get(path, carol)).ids == everything[2:]
    assert (await world.client.get(path)).ids == everything[2:]
    await world.client.post(f"/api/v1/accounts/{carol.id}/block", alice)
    assert (await world.client.get(path, carol)).ids == []
    assert (await world.client.get(f"/api/v1/statuses/{ids['public']}", carol)).status == 404


@story(*MODULES, effects=True)
async def test_notifications_follow_what_happens(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await world.client.post(f"/api/v1/accounts/{alice.id}/follow", bob)
    own = await post(world, alice, "something")
    await post(world, bob, "@alice look", in_reply_to_id=own)
    await world.client.post(f"/api/v1/statuses/{own}/favourite", bob)
    await world.client.post(f"/api/v1/statuses/{own}/reblog", bob)
    shown = await world.client.check("GET /api/v1/notifications", alice)
    assert [one["type"] for one in shown] == ["reblog", "favourite", "mention", "follow"]
    assert (await world.client.get("/api/v1/notifications/unread_count", alice)).json == {"count": 4}
    only = await world.client.get("/api/v1/notifications", alice, types=["mention"])
    assert [one["type"] for one in only.json] == ["mention"]
    single = await world.client.check("GET /api/v1/notifications/:id", alice, id=shown[0]["id"])
    assert single["status"]["id"] == own
    answer = await world.client.post("/api/v1/markers", alice, json={"notifications": {"last_read_id": shown[1]["id"]}})
    assert answer.json["notifications"]["last_read_id"] == shown[1]["id"]
    assert (await world.client.get("/api/v1/notifications/unread_count", alice)).json == {"count": 1}
    await world.client.post(f"/api/v1/notifications/{shown[0]['id']}/dismiss", alice)
    await world.client.post(f"/api/v1/statuses/{own}/unfavourite", bob)
    left = (await world.client.get("/api/v1/notifications", alice)).json
    assert [one["type"] for one in left] == ["mention", "follow"]
    await world.client.post("/api/v1/notifications/clear", alice)
    assert (await world.client.get("/api/v1/notifications", alice)).json == []
    assert (await world.client.get(f"/api/v1/notifications/{shown[0]['id']}", alice)).status == 404


@story(*MODULES, effects=True)
async def test_direct_statuses_make_conversations(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    first = await post(world, alice, "@bob a secret", visibility="direct")
    conversation = (await world.client.check("GET /api/v1/conversations", bob))[0]
    assert conversation["unread"] is True and conversation["last_status"]["id"] == first
    assert [one["username"] for one in conversation["accounts"]] == ["alice"]
    await post(world, bob, "@alice another", visibility="direct", in_reply_to_id=first)
    assert len((await world.client.get("/api/v1/conversations", alice)).json) == 1
    read = await world.client.check("POST /api/v1/conversations/:id/read", bob, id=conversation["id"])
    assert read["unread"] is False
    assert (await world.client.post(f"/api/v1/conversations/{conversation['id']}/read", alice)).status == 404


@story(*MODULES, effects=True)
async def test_lists(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    made = await world.client.check("POST /api/v1/lists", alice, form={"title": "Friends", "exclusive": True})
    path = f"/api/v1/lists/{made['id']}"
    assert (await world.client.post(f"{path}/accounts", alice, json={"account_ids": [bob.id]})).status == 404
    await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice)
    assert (await world.client.post(f"{path}/accounts", alice, form={"account_ids": [bob.id]})).json == {}
    posted = await post(world, bob, "hello list")
    assert (await world.client.get(f"/api/v1/timelines/list/{made['id']}", alice)).ids == [posted]
    assert posted not in await home(world, alice)  # the list is exclusive
    changed = await world.client.put(path, alice, json={"title": "Others", "exclusive": False})
    assert (changed.json["title"], changed.json["exclusive"]) == ("Others", False)
    assert (await world.client.get(f"{path}/accounts", alice)).ids == [str(bob.id)]
    assert (await world.client.get(f"/api/v1/accounts/{bob.id}/lists", alice)).ids == [made["id"]]
    assert (await world.client.get(path, carol)).status == 404
    await world.client.request("DELETE", f"{path}/accounts", alice, json={"account_ids": [str(bob.id)]})
    assert (await world.client.get(f"{path}/accounts", alice)).ids == []
    assert (await world.client.delete(path, alice)).json == {}
    assert (await world.client.get("/api/v1/lists", alice)).json == []
    too_long = await world.client.post("/api/v1/lists", alice, form={"title": "x" * 257})
    assert too_long.status == 422 and "title" in too_long.json["details"]


@story("accounts", "instance", "custom_emojis", "timelines", effects=True)
async def test_wrong_parameters_are_named(world: World) -> None:
    alice = await world.account("alice")
    wrong = await world.client.get("/api/v1/timelines/home", alice, limit="many")
    assert wrong.status == 422 and "limit" in wrong.json["error"]
    assert (await world.client.get("/api/v1/timelines/home", alice, max_id="9" * 30)).status == 422
    assert (await world.client.get("/api/v1/accounts/abc", alice)).status == 404
    assert (await world.client.get(f"/api/v1/accounts/{2**80}", alice)).status == 404
    assert (await world.client.get("/api/v1/timelines/home")).status == 401
    assert (await world.client.get("/api/v1/timelines/home", "wrong")).status == 401
    broken = await world.client.request(
        "POST", f"/api/v1/accounts/{alice.id}/note", alice, body=b"{", headers={"Content-Type": "application/json"}
    )
    assert broken.status == 400
    await world.client.check("GET /api/v2/instance")
    await world.client.check("GET /api/v1/instance")
    await world.client.check("GET /api/v1/custom_emojis")
