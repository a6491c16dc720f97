"""Following hashtags over the API: what comes home, by the feed and beyond it."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from contract import assert_returns
from phiomia.domain.timelines.deliver import FanOut, run_fan_out
from phiomia.platform import limits
from phiomia.platform.db import Query
from world import Account, World, story

MODULES = ("accounts", "statuses", "timelines", "followed_tags", "search")


async def _post(world: World, who: Account, text: str, **more: Any) -> str:
    answer = await world.client.post("/api/v1/statuses", who, form={"status": text, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def _home(world: World, who: Account, **query: Any) -> list[str]:
    return (await world.client.get("/api/v1/timelines/home", who, **query)).ids


async def _follow(world: World, who: Account, name: str, verb: str = "follow") -> Any:
    answer = await world.client.post(f"/api/v1/tags/{name}/{verb}", who)
    assert answer.status == 200, answer.body
    assert_returns(f"POST /api/v1/tags/:name/{verb}", answer.json)
    return answer.json


@story(*MODULES, effects=True)
async def test_followed_tags_are_listed(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await _post(world, bob, "a #Cat")
    for name in ("cat", "Dogs", "Österreich"):
        assert (await _follow(world, alice, name))["following"] is True
    await _follow(world, alice, "CAT")  # once more
    listed = await world.client.check("GET /api/v1/followed_tags", alice)
    assert [tag["name"] for tag in listed] == ["Österreich", "Dogs", "Cat"]
    assert listed[2]["history"][0]["uses"] == "1" and listed[0]["history"][0]["uses"] == "0"
    first = await world.client.get("/api/v1/followed_tags", alice, limit=2)
    assert [tag["name"] for tag in first.json] == ["Österreich", "Dogs"]
    second = await world.client.get("/api/v1/followed_tags", alice, **first.links["next"])
    assert [tag["name"] for tag in second.json] == ["Cat"] and "next" not in second.links
    assert (await _follow(world, alice, "dogs", "unfollow"))["following"] is False
    assert len((await world.client.get("/api/v1/followed_tags", alice)).json) == 2
    assert (await world.client.get("/api/v1/followed_tags", bob)).json == []
    assert (await world.client.post("/api/v1/tags/123/follow", alice)).status == 404
    assert (await world.client.post("/api/v1/tags/never/unfollow", alice)).status == 404


@story(*MODULES, effects=True)
async def test_public_statuses_with_a_followed_tag_come_home(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    before = await _post(world, bob, "before #cat")
    await _follow(world, alice, "cat")
    shown = await _post(world, bob, "after #Cat and #dog")
    for visibility in ("unlisted", "private", "direct"):
        await _post(world, bob, "#cat", visibility=visibility)
    await _post(world, bob, "nothing of the kind")
    assert (await world.client.post(f"/api/v1/statuses/{before}/reblog", carol)).status == 200
    await world.client.post(f"/api/v1/accounts/{carol.id}/block", alice)
    await _post(world, carol, "#cat of somebody blocked")
    assert await _home(world, alice) == [shown, before]
    # A second tag and a follow of the author add nothing twice; what they bring stays when the first tag goes.
    await _follow(world, alice, "dog")
    await _follow(world, alice, "cat", "unfollow")
    assert await _home(world, alice) == [shown]
    await _follow(world, alice, "cat")
    await _follow(world, alice, "dog", "unfollow")
    assert await _home(world, alice) == [shown, before]
    await _follow(world, alice, "cat", "unfollow")
    assert await _home(world, alice) == []


@story(*MODULES, effects=True)
async def test_a_crowd_that_follows_a_hashtag_is_served_by_a_job(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await _follow(world, alice, "cat")
    await _follow(world, carol, "cat")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "FAN_OUT_AT_ONCE", 1)
        few = await _post(world, bob, "nothing")
        shown = await _post(world, bob, "a #cat")
        assert await _jobs(world) == [shown]
        assert few not in await _home(world, alice)
    await run_fan_out(SimpleNamespace(db=world.db), FanOut(status_id=int(shown)))
    assert await _home(world, alice) == await _home(world, carol) == [shown]


async def _jobs(world: World) -> list[str]:
    async with world.db.read() as session:
        rows = await session.all(Query.raw(sqlite="SELECT args FROM jobs WHERE type = 'timelines.fan_out'"))
    return [str(msgspec.json.decode(row[0])["status_id"]) for row in rows]


@story(*MODULES, effects=True)
async def test_followed_tags_go_on_beyond_the_feed(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice)
    await _follow(world, alice, "cat")
    await _follow(world, alice, "dog")
    posted = []
    for number in range(4):
        posted.append(await _post(world, bob, f"{number} #cat"))
        posted.append(await _post(world, carol, f"{number} #cat #dog"))
        posted.append(await _post(world, alice, f"{number} mine #dog"))
    posted.reverse()
    assert await _home(world, alice) == posted
    await world.execute(
        "DELETE FROM home_feed WHERE account_id = :me AND status_id < :kept", me=alice.id, kept=int(posted[4])
    )
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    for _ in range(10):
        answer = await world.client.get("/api/v1/timelines/home", alice, **query)
        seen += answer.ids
        if "next" not in answer.links:
            break
        query = answer.links["next"]
    assert seen == posted
    assert await _home(world, alice, min_id=posted[-1], limit=4) == posted[-5:-1]
