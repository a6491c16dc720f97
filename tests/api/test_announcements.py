"""What those who run the server tell all members."""

import json
from functools import partial

import pytest

from contract import assert_entity
from phiomia.domain.errors import Invalid
from phiomia.domain.moderation.announcements import NewAnnouncement, announce, take_back
from phiomia.domain.moderation.emoji_names import is_emoji
from phiomia.platform.clock import DAY, now_ms
from phiomia.streams import Renderings
from world import BASE, World, story


async def _announce(world: World, text: str, **more: int | None) -> int:
    made: int = await world.write(lambda session: announce(session, NewAnnouncement(text, **more), BASE))  # type: ignore[arg-type]
    return made


@story("announcements")
async def test_members_read_and_dismiss(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    status = f"{BASE}/@bob/112"
    number = await _announce(world, f"Hello @alice, see #Party and {status}", ends_at=now_ms() + DAY)
    await _announce(world, "over", ends_at=now_ms() - 1)
    shown = await world.client.check("GET /api/v1/announcements", alice)
    assert [one["id"] for one in shown] == [str(number)]
    one = shown[0]
    assert one["read"] is False and one["mentions"][0]["acct"] == "alice"
    assert [tag["name"] for tag in one["tags"]] == ["Party"]
    assert one["statuses"] == [{"id": "112", "url": status}]
    assert f"{BASE}/tags/" in one["content"]
    assert await world.client.check("POST /api/v1/announcements/:id/dismiss", alice, id=number) == {}
    assert (await world.client.check("GET /api/v1/announcements", alice))[0]["read"] is True
    assert (await world.client.check("GET /api/v1/announcements", bob))[0]["read"] is False
    assert (await world.client.post("/api/v1/announcements/1/dismiss", alice)).status == 404
    assert (await world.client.get("/api/v1/announcements")).status == 401


@story("announcements")
async def test_reactions(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    path = f"/api/v1/announcements/{await _announce(world, 'hello')}/reactions"
    await world.execute(
        "INSERT INTO custom_emojis (id, shortcode, domain, url, static_url, created_at)"
        " VALUES (1, 'blob', '', 'https://x.example/a.png', 'https://x.example/b.png', 1)"
    )
    for who, name in ((alice, "👍"), (bob, "👍"), (bob, "blob"), (bob, "blob")):
        assert (await world.client.put(f"{path}/{name}", who)).status == 200
    shown = (await world.client.check("GET /api/v1/announcements", alice))[0]["reactions"]
    assert [(one["name"], one["count"], one["me"]) for one in shown] == [("👍", 2, True), ("blob", 1, False)]
    assert shown[1]["url"] == "https://x.example/a.png"
    assert (await world.client.put(f"{path}/nonsense", alice)).status == 422
    assert (await world.client.delete(f"{path}/blob", alice)).status == 404
    assert (await world.client.delete(f"{path}/👍", alice)).json == {}
    for name in "🐈🐕🐁🐘🦊🐻":
        assert (await world.client.put(f"{path}/{name}", alice)).status == 200
    assert (await world.client.put(f"{path}/🦆", alice)).status == 422
    assert (await world.client.put(f"{path}/👍", alice)).status == 200


@story("announcements")
async def test_open_apps_learn_of_it(world: World) -> None:
    alice = await world.account("alice")
    number = await _announce(world, "hello")
    await world.client.put(f"/api/v1/announcements/{number}/reactions/👍", alice)
    payload = await Renderings(world.db, world.api.fragments).announcement(number)
    assert payload is not None
    assert_entity("Announcement", json.loads(payload))
    await world.write(lambda session: take_back(session, number))
    assert await Renderings(world.db, world.api.fragments).announcement(number) is None
    assert (await world.client.get("/api/v1/announcements", alice)).json == []
    kinds = await world.value("SELECT string_agg(kind, ' ' ORDER BY seq) FROM stream_events")
    assert kinds == "announcement announcement_reaction announcement_delete"
    for wrong in (NewAnnouncement(" "), NewAnnouncement("x", 5, 4)):
        with pytest.raises(Invalid):
            await world.write(partial(announce, new=wrong, base=BASE))


@pytest.mark.parametrize("text", ["👍", "👍🏽", "❤️", "👩‍👩‍👧", "🇩🇪", "1️⃣", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "☺"])
def test_emoji(text: str) -> None:
    assert is_emoji(text)


@pytest.mark.parametrize("text", ["", "a", "1", "👍👍", "blob", "é", "\u200d", "🇩"])
def test_no_emoji(text: str) -> None:
    assert not is_emoji(text)
