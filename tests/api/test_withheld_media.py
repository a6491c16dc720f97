"""Files of suspended accounts: nobody is given them while the suspension lasts, from wherever they came."""

from pathlib import Path

import pytest

from phiomia.domain.media.proxied import RemoteKind
from phiomia.domain.media.withheld import is_withheld
from phiomia.domain.moderation.account_state import suspend_account, unsuspend_account
from phiomia.platform.db import Unavailable
from phiomia.platform.storage import MediaKind, media_key, owner_of
from world import Account, World, story

from .test_media_proxy import PNG, Stage, open_stage


async def _put(world: World, kind: MediaKind, id_: int) -> str:
    """A stored file; gives its path here."""
    key = media_key(kind, id_, "original", "png")
    source = Path(world.api.config.data) / "source.png"
    source.write_bytes(PNG)
    await world.api.storage.put(key, source, "image/png")
    return f"/media/{key}"


async def _statuses(stage: Stage, places: list[str]) -> list[int]:
    return [(await stage.get(place)).status for place in places]


@story("media")
async def test_a_member_s_files_come_back_with_them(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    async with open_stage(world) as stage:

        async def store(who: Account) -> list[str]:
            picture_id = await world.picture(who)
            return [await _put(world, "attachment", picture_id), await _put(world, "avatar", who.id)]

        hers, his = await store(alice), await store(bob)
        assert await _statuses(stage, [*hers, *his]) == [200] * 4
        await world.write(lambda session: suspend_account(session, alice.id))
        assert await _statuses(stage, [*hers, *his]) == [404, 404, 200, 200]
        refused = await stage.get(hers[0])
        assert refused.headers["cache-control"] == "no-store"
        await world.write(lambda session: unsuspend_account(session, alice.id))
        assert await _statuses(stage, hers) == [200, 200]


@story("media")
async def test_copies_of_what_a_suspended_stranger_has_are_not_shown(world: World) -> None:
    async with open_stage(world) as stage:
        for kind in (RemoteKind.ATTACHMENT, RemoteKind.AVATAR):
            id_, address = await stage.attach(f"{kind}.png", PNG, kind)
            assert (await stage.get(address)).status == 200
            owner = id_ if kind == RemoteKind.AVATAR else None
            owner = owner or await world.value("SELECT account_id FROM media WHERE id = :id", id=id_)
            await world.execute("UPDATE accounts SET state = 2 WHERE id = :id", id=owner)
            assert (await stage.get(address)).status == 404


@story("media")
async def test_without_the_database_files_wait(world: World) -> None:
    alice = await world.account("alice")
    async with open_stage(world) as stage:
        place = await _put(world, "attachment", await world.picture(alice))

        def away() -> None:
            raise Unavailable("away")

        lend, world.db.read = world.db.read, away  # type: ignore[method-assign,assignment]
        try:
            answer = await stage.get(place)
        finally:
            world.db.read = lend  # type: ignore[method-assign]
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("id_", [1, 115344396112097092, 2**63 - 1])
def test_a_key_says_whose_it_is(id_: int, cached: bool) -> None:
    for kind in ("attachment", "avatar", "header", "emoji"):
        assert owner_of(media_key(kind, id_, "small", "png", cached=cached)) == (kind, id_)
    assert owner_of("elsewhere/000/000/000/000/000/001/a/b.png") is None


@story("media")
async def test_what_is_nobody_s_is_shown(world: World) -> None:
    async with world.db.read() as session:
        assert not await is_withheld(session, media_key("emoji", 1, "original", "png"))
        assert not await is_withheld(session, media_key("attachment", 1, "original", "png", cached=True))
