"""Statuses that wait for their time, over the API, and conversations that are put away."""

import asyncio
from typing import Any

from contract import assert_entity
from phiomia.domain.media.discard import discard_unattached
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.publish_scheduled import publish
from phiomia.domain.statuses.scheduled import ScheduledView, load_scheduled
from phiomia.platform import limits
from phiomia.platform.clock import DAY, HOUR, MINUTE, iso, now_ms
from world import Account, World, story

LIST = "GET /api/v1/scheduled_statuses"
SHOW = "GET /api/v1/scheduled_statuses/:id"
MOVE = "PUT /api/v1/scheduled_statuses/:id"


async def schedule(world: World, who: Account, text: str, at: int | None = None, **more: Any) -> Any:
    """A status for later."""
    sent = {"status": text, "scheduled_at": iso(at or now_ms() + HOUR)} | more
    answer = await world.client.post("/api/v1/statuses", who, json=sent)
    assert answer.status == 200, answer.body
    assert_entity("ScheduledStatus", answer.json)
    return answer.json


async def find(world: World, who: Account, kept: Any) -> ScheduledView:
    """It as the worker reads it."""
    async with world.db.read() as session:
        return await load_scheduled(session, who.id, int(kept["id"]))


async def come(world: World, kept: Any) -> None:
    """Its time."""
    await world.execute("UPDATE scheduled_statuses SET scheduled_at = 1 WHERE id = :id", id=int(kept["id"]))


async def publish_it(world: World, view: ScheduledView) -> int | None:
    """What the worker does."""
    return await publish(world.db, world.api.fragments.links, world.api.config.domain, view)


@story("statuses", "scheduled_statuses")
async def test_scheduling(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    kept = await schedule(world, alice, "Later #tag", spoiler_text="soon", quote_approval_policy="followers")
    assert (kept["params"]["text"], kept["params"]["quote_approval_policy"]) == ("Later #tag", "followers")
    assert [one["id"] for one in await world.client.check(LIST, alice)] == [kept["id"]]
    assert await world.client.check(LIST, bob) == []
    assert (await world.client.check(SHOW, alice, id=kept["id"]))["id"] == kept["id"]
    moved = await world.client.check(MOVE, alice, id=kept["id"], json={"scheduled_at": iso(now_ms() + DAY)})
    assert moved["scheduled_at"] > kept["scheduled_at"]
    assert (await world.client.check(MOVE, alice, id=kept["id"], json={}))["scheduled_at"] == moved["scheduled_at"]
    path = f"/api/v1/scheduled_statuses/{kept['id']}"
    for wrong in ("yesterday", iso(now_ms() + MINUTE), iso(1)):
        assert (await world.client.put(path, alice, json={"scheduled_at": wrong})).status == 422
    assert (await world.client.get(path, bob)).status == 404
    assert (await world.client.put(path, bob, json={})).status == 404
    assert (await world.client.delete(path, bob)).status == 404
    assert (await world.client.get(path)).status == 401
    assert await world.client.check("DELETE /api/v1/scheduled_statuses/:id", alice, id=kept["id"]) == {}
    assert (await world.client.get(path, alice)).status == 404
    past = {"status": "Now", "scheduled_at": iso(now_ms() - HOUR)}
    assert_entity("Status", (await world.client.post("/api/v1/statuses", alice, json=past)).json)


@story("statuses", "scheduled_statuses")
async def test_apps_are_told_whether_it_is_sensitive(world: World) -> None:
    alice = await world.account("alice")
    kept = await schedule(world, alice, "Later")
    await world.execute('UPDATE scheduled_statuses SET params = \'{"text": "Later"}\'')  # as nobody has said it
    (shown,) = await world.client.check("GET /api/v1/scheduled_statuses", alice)
    assert (shown["id"], shown["params"]["sensitive"]) == (kept["id"], False), "some apps take neither null nor nothing"


@story("statuses", "scheduled_statuses")
async def test_what_can_not_be_scheduled(world: World) -> None:
    alice = await world.account("alice")
    day = now_ms() // DAY * DAY + 3 * DAY
    for text, at in (("", iso(day)), ("x", "soon"), ("x" * 501, iso(day)), ("x", iso(now_ms() + MINUTE))):
        sent = {"status": text, "scheduled_at": at}
        assert (await world.client.post("/api/v1/statuses", alice, json=sent)).status == 422, text
    first = [await schedule(world, alice, f"{number}", day) for number in range(limits.SCHEDULED_PER_DAY)]
    sent = {"status": "one more", "scheduled_at": iso(day)}
    assert (await world.client.post("/api/v1/statuses", alice, json=sent)).status == 422
    await world.client.check(MOVE, alice, id=first[0]["id"], json={"scheduled_at": iso(day + HOUR)})
    other = await schedule(world, alice, "another day", day + DAY)
    path = f"/api/v1/scheduled_statuses/{other['id']}"
    assert (await world.client.put(path, alice, json={"scheduled_at": iso(day)})).status == 422
    page = await world.client.get("/api/v1/scheduled_statuses", alice, limit=2)
    assert page.ids == [other["id"], first[-1]["id"]]
    assert (await world.client.get("/api/v1/scheduled_statuses", alice, **page.links["next"])).ids[0] == first[-2]["id"]


@story("statuses", "scheduled_statuses")
async def test_files_wait_too(world: World) -> None:
    alice = await world.account("alice")
    picture = await world.picture(alice)
    kept = await schedule(world, alice, "", media_ids=[str(picture)])
    assert [one["id"] for one in kept["media_attachments"]] == [str(picture)]
    used = {"status": "again", "media_ids": [str(picture)]}
    assert (await world.client.post("/api/v1/statuses", alice, json=used)).status == 422
    await world.write(lambda session: discard_unattached(session, now_ms() + HOUR))
    await come(world, kept)
    status_id = await publish_it(world, await find(world, alice, kept))
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=status_id)
    assert [one["id"] for one in shown["media_attachments"]] == [str(picture)]
    freed = await world.picture(alice)
    given_up = await schedule(world, alice, "", media_ids=[str(freed)])
    await world.client.delete(f"/api/v1/scheduled_statuses/{given_up['id']}", alice)
    await world.client.check("POST /api/v1/statuses", alice, json={"media_ids": [str(freed)]})


@story("statuses", "scheduled_statuses", effects=True)
async def test_published_once(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    said = await world.client.check("POST /api/v1/statuses", bob, json={"status": "Hello"})
    asked = {"in_reply_to_id": said["id"], "quoted_status_id": said["id"], "visibility": "unlisted"}
    poll = {"options": ["a", "b"], "expires_in": 600, "multiple": True}
    kept = await schedule(world, alice, "Later #tag", **asked, poll=poll)
    assert await publish_it(world, await find(world, alice, kept)) is None  # too early
    await come(world, kept)
    view = await find(world, alice, kept)
    made = [one for one in await asyncio.gather(*[publish_it(world, view) for _ in range(3)]) if one is not None]
    assert len(made) == 1
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=made[0])
    assert (shown["in_reply_to_id"], shown["visibility"]) == (said["id"], "unlisted")
    assert (shown["quote"]["state"], shown["poll"]["multiple"]) == ("accepted", True)
    assert [tag["name"] for tag in shown["tags"]] == ["tag"]
    orphan = await schedule(world, alice, "Alone", **asked)
    await come(world, orphan)
    view = await find(world, alice, orphan)
    await world.write(lambda session: delete_status(session, bob.id, int(said["id"])))
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=await publish_it(world, view))
    assert (shown["in_reply_to_id"], shown["quote"]) == (None, None)
    assert await world.client.check(LIST, alice) == []


@story("statuses", "scheduled_statuses")
async def test_the_same_key_schedules_once(world: World) -> None:
    alice = await world.account("alice")
    sent = {"status": "Later", "scheduled_at": iso(now_ms() + HOUR)}
    answers = [
        await world.client.post("/api/v1/statuses", alice, json=sent, headers={"Idempotency-Key": key})
        for key in ("one", "one", "two")
    ]
    ids = [answer.json["id"] for answer in answers]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)


@story("statuses", "conversations", effects=True)
async def test_conversations_are_unread_and_hidden(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    letter = {"status": "@bob hi", "visibility": "direct"}
    said = await world.client.check("POST /api/v1/statuses", alice, json=letter)
    (one,) = await world.client.check("GET /api/v1/conversations", bob)
    read = await world.client.check("POST /api/v1/conversations/:id/read", bob, id=one["id"])
    unread = await world.client.check("POST /api/v1/conversations/:id/unread", bob, id=one["id"])
    assert (read["unread"], unread["unread"]) == (False, True)
    path = f"/api/v1/conversations/{one['id']}"
    assert (await world.client.post(f"{path}/unread", alice)).status == 404
    assert (await world.client.delete(path, alice)).status == 404
    assert await world.client.check("DELETE /api/v1/conversations/:id", bob, id=one["id"]) == {}
    assert (await world.client.delete(path, bob)).status == 404
    assert await world.client.check("GET /api/v1/conversations", bob) == []
    answer = {"status": "@bob again", "visibility": "direct", "in_reply_to_id": said["id"]}
    await world.client.check("POST /api/v1/statuses", alice, json=answer)
    assert len(await world.client.check("GET /api/v1/conversations", bob)) == 1
