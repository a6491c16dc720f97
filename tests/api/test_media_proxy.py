"""What other servers show, through this one: fetched once, kept within its room, and never more than is known here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from films import make_film
from phiomia.api.files import mount_files
from phiomia.api.media_proxy import mount_media_proxy
from phiomia.app import open_parts
from phiomia.domain.media.copies import count_copies, count_pictures
from phiomia.domain.media.fetch_copy import Copier, NoCopy
from phiomia.domain.media.passing import Passing, Shelf
from phiomia.domain.media.proxied import ADDRESSES, RemoteKind, digest_of
from phiomia.domain.media.tidy_copies import TidyCopies, run_tidy_copies
from phiomia.entities.links import Links
from phiomia.platform.asgi import QuickApp
from phiomia.platform.ids import new_id
from phiomia.platform.settings import Config, Media
from phiomia.serving import prepare
from world import BASE, DOMAIN, Client, World, story

from .test_media import draw_png, furnished, send

THERE = "https://far.example/files"
PNG = draw_png(64, 48)


@dataclass
class Far:
    """Other servers' files, and who asked for them."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)

    async def allows(self, host: str) -> bool:
        return host not in self.rejected

    async def refresh(self) -> None:
        pass

    def rejects_media(self, host: str) -> bool:
        return host in self.rejected

    async def fetch(self, url: str, target: Path, most_bytes: int) -> None:
        self.asked.append(url)
        await asyncio.sleep(0.01)
        if url not in self.files or len(self.files[url]) > most_bytes:
            raise NoCopy("not there")
        target.write_bytes(self.files[url])  # noqa: ASYNC240


@dataclass
class Stage:
    """The proxy of a world, with what stands behind it."""

    world: World
    far: Far
    client: Client
    links: Links
    context: Any

    async def attach(self, name: str, content: bytes, kind: RemoteKind = RemoteKind.ATTACHMENT) -> tuple[int, str]:
        """An attachment or avatar of somebody elsewhere; gives its id and its address here."""
        url = f"{THERE}/{name}"
        self.far.files[url] = content
        owner = await self.world.account(f"p{new_id()}", domain="far.example")
        if kind == RemoteKind.AVATAR:
            await self.world.execute(
                "UPDATE accounts SET avatar_remote_url = :url WHERE id = :id", url=url, id=owner.id
            )
            return owner.id, self.links.elsewhere(kind, owner.id, url)
        media_id = await self.world.picture(owner)
        await self.world.execute("UPDATE media SET key = '', remote_url = :url WHERE id = :id", url=url, id=media_id)
        return media_id, self.links.elsewhere(kind, media_id, url)

    async def get(self, address: str, **headers: str) -> Any:
        """The answer to whoever asks for it here."""
        return await self.client.request("GET", address.removeprefix(BASE), headers=headers)

    async def files(self) -> int:
        """How many copies there are."""
        async with self.world.db.read() as session:
            return sum(one.files for one in await count_copies(session))


@asynccontextmanager
async def open_stage(world: World, **settings: Any) -> AsyncIterator[Stage]:
    async with furnished(world) as context:
        far, app = Far(), QuickApp()
        config = msgspec.structs.replace(world.api.config, media=Media(**settings))
        storage = world.api.storage
        copier = Copier(world.db, storage, config.media, world.api.temporary, far, ADDRESSES)
        mount_files(app, world.db, (storage,))
        mount_media_proxy(app, config, world.db, world.api.rates, copier, (storage,))
        links = Links(BASE, DOMAIN, storage.url, proxy=True)
        worker = SimpleNamespace(db=context.db, config=config, rules=far, storage=storage)
        yield Stage(world, far, Client(app), links, worker)
        assert not list(world.api.temporary.glob("decoding-*"))


@story("media")
async def test_a_picture_is_fetched_once_and_shown_from_here(world: World) -> None:
    async with open_stage(world) as stage:
        _, address = await stage.attach("cat.png", PNG)
        answers = await asyncio.gather(*(stage.get(address) for _ in range(3)))
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert answers[0].headers["content-type"] == "image/png"
        assert answers[0].headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert (await stage.get(address.replace("original", "small"))).status == 200
        assert stage.far.asked == [f"{THERE}/cat.png"]
        # What was there is decoded and encoded anew, so that nothing else comes along.
        assert answers[0].body != PNG and answers[0].body.startswith(b"\x89PNG")


@story("media")
async def test_films_are_passed_on_and_played_in_parts(world: World) -> None:
    async with open_stage(world) as stage:
        film = make_film("webm", "libvpx", "libopus")
        _, address = await stage.attach("film.webm", film)
        whole = await stage.get(address)
        assert whole.status == 200 and whole.body == film and whole.headers["content-type"] == "video/webm"
        part = await stage.get(address, Range="bytes=10-19")
        assert part.status == 206 and part.body == film[10:20]
        assert part.headers["content-range"] == f"bytes 10-19/{len(film)}"
        assert (await stage.get(address, Range="bytes=-5")).body == film[-5:]
        assert (await stage.get(address, Range=f"bytes={len(film)}-")).status == 416
        _, address = await stage.attach("film.mp4", make_film())
        assert (await stage.get(address)).headers["content-type"] == "video/mp4"


@story("media")
async def test_only_what_is_known_here_is_asked_for(world: World) -> None:
    async with open_stage(world) as stage:
        media_id, address = await stage.attach("cat.png", PNG)
        digest = digest_of(f"{THERE}/cat.png")
        for wrong in (
            address.replace(digest, digest_of("https://other.example/")),
            address.replace(str(media_id), str(media_id + 1)),
            address.replace("attachment", "avatar"),
            address.replace("attachment", "nothing"),
            address.replace("original", "other"),
            address.replace(str(media_id), "x"),
        ):
            assert (await stage.get(wrong)).status == 404
        stage.far.rejected.add("far.example")
        assert (await stage.get(address)).status == 404
        assert stage.far.asked == []
        stage.far.rejected.clear()
        assert (await stage.get(address)).status == 200
        # A rule holds for copies that are here already, and then they go.
        stage.far.rejected.add("far.example")
        assert (await stage.get(address)).status == 404
        await run_tidy_copies(stage.context, TidyCopies())
        assert await stage.files() == 0
        stage.far.rejected.clear()
        await world.execute("DELETE FROM media WHERE id = :id", id=media_id)
        assert (await stage.get(address)).status == 404


@story("media")
async def test_what_is_no_picture_is_not_asked_for_again_at_once(world: World) -> None:
    async with open_stage(world) as stage:
        for name, content in (("a", b"<html>no</html>"), ("b", PNG[:60]), ("c", b""), ("d", make_film()[:2_000])):
            _, address = await stage.attach(name, content)
            for _ in range(2):
                assert (await stage.get(address)).status == 404, name
            assert stage.far.asked.count(f"{THERE}/{name}") == 1
        _, address = await stage.attach("e", make_film(), RemoteKind.AVATAR)
        assert (await stage.get(address)).status == 404
        assert await stage.files() == 0
        assert (await world.api.storage.usage()).files == 0


@story("media")
async def test_copies_stay_within_their_room_and_ours_never_go(world: World) -> None:
    async with open_stage(world, cache_mb=1, total_mb=1) as stage:
        alice = await world.account("alice")
        await world.picture(alice)
        await world.execute("UPDATE media SET bytes = 400000")
        big = [await stage.attach(f"{number}.png", noise(number)) for number in range(3)]
        for _, address in big:
            assert (await stage.get(address)).status == 200
        async with world.db.read() as session:
            amounts = await count_copies(session)
        assert sum(one.bytes for one in amounts) <= 1024 * 1024 - 400_000
        # The first had to go; whoever looks gets it again.
        assert (await stage.get(big[0][1])).status == 200
        assert stage.far.asked.count(f"{THERE}/0.png") == 2
        await world.execute("UPDATE media SET bytes = 2000000 WHERE remote_url IS NULL")
        await run_tidy_copies(stage.context, TidyCopies())
        assert await stage.files() == 0
        assert await world.value("SELECT count(*) FROM media WHERE remote_url IS NULL") == 1


@story("media")
async def test_what_there_is_no_room_for_is_shown_without_being_kept(world: World) -> None:
    async with open_stage(world, cache_mb=1, total_mb=1) as stage:
        await world.picture(await world.account("alice"))
        await world.execute("UPDATE media SET bytes = 2000000")
        _, address = await stage.attach("big.png", draw_png(1280, 960))
        small = address.replace("original", "small")
        answers = await asyncio.gather(*(stage.get(one) for one in (address, small, address)))
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert answers[0].body == answers[2].body != answers[1].body
        assert answers[0].headers["content-security-policy"] == "default-src 'none'; sandbox"
        part = await stage.get(address, Range="bytes=2-5")
        assert (part.status, part.body) == (206, answers[0].body[2:6])
        assert stage.far.asked == [f"{THERE}/big.png"]
        assert await stage.files() == 0 == await world.value("SELECT count(*) FROM remote_files")
        assert (await world.api.storage.usage()).files == 0
        # A rule holds at once; where there is room again it is kept.
        stage.far.rejected.add("far.example")
        assert (await stage.get(address)).status == 404
        stage.far.rejected.clear()
        await world.execute("UPDATE media SET bytes = 100 WHERE remote_url IS NULL")
        _, other = await stage.attach("other.png", noise(2))
        assert (await stage.get(other)).status == 200
        assert await stage.files() == 1


@story("media", "accounts_update")
async def test_what_members_look_like_takes_room(world: World) -> None:
    async with open_stage(world, cache_mb=1, total_mb=1) as stage:
        alice = await world.account("alice")
        path = "/api/v1/accounts/update_credentials"
        files = {"avatar": ("a.png", "image/png", PNG), "header": ("h.png", "image/png", draw_png(90, 30))}

        async def count() -> tuple[int, int]:
            async with world.db.read() as session:
                return await count_pictures(session)

        assert (await send(world, "PATCH", path, alice, files=files)).status == 200
        there = await world.api.storage.usage()
        assert await count() == (there.files, there.bytes) and there.files == 2
        # A release that does not count yet may have put others there: the daily round finds them.
        await world.execute("UPDATE account_pictures SET key = 'before', bytes = 7 WHERE place = 'avatar'")
        await world.execute("DELETE FROM account_pictures WHERE place = 'header'")
        await run_tidy_copies(stage.context, TidyCopies())
        assert await count() == (there.files, there.bytes)
        await world.execute("UPDATE account_pictures SET bytes = 1000000 WHERE place = 'avatar'")
        _, address = await stage.attach("0.png", noise(0))
        assert (await stage.get(address)).status == 200
        assert await stage.files() == 0
        for place in ("avatar", "header"):
            assert (await world.client.delete(f"/api/v1/profile/{place}", alice)).status == 200
        assert await count() == (0, 0)
        assert (await stage.get((await stage.attach("1.png", noise(1)))[1])).status == 200
        assert await stage.files() == 1


def test_what_passes_is_never_more_than_its_room(tmp_path: Path) -> None:
    def make(name: str, size: int) -> Passing:
        (tmp_path / f"{name}.png").write_bytes(name.encode() * size)
        return Passing(tmp_path / f"{name}.png", None)

    shelf, name = Shelf(10), {letter: (1, place, "") for place, letter in enumerate("abcd")}
    first = make("a", 4)
    assert shelf.put(name["a"], first) and shelf.put(name["b"], make("b", 6))
    assert shelf.put(name["c"], make("c", 3)) and not shelf.put(name["d"], make("d", 11))
    assert [letter for letter in name if shelf.find(name[letter])] == ["b", "c"]
    # Who is reading the first goes on.
    (tmp_path / "a.png").unlink()

    async def read() -> bytes:
        return b"".join([piece async for piece in first.stream(first.key("small"), 1, 4)])

    assert asyncio.run(read()) == b"aaa"
    assert shelf.put(name["b"], make("b", 7)) and shelf.find(name["c"])


@story("media")
async def test_what_nobody_looks_at_goes(world: World) -> None:
    async with open_stage(world) as stage:
        account_id, address = await stage.attach("face.png", PNG, RemoteKind.AVATAR)
        assert (await stage.get(address)).status == 200
        await run_tidy_copies(stage.context, TidyCopies())
        assert await stage.files() == 1
        await world.execute(
            "UPDATE accounts SET avatar_remote_url = 'https://far.example/other' WHERE id = :id", id=account_id
        )
        await run_tidy_copies(stage.context, TidyCopies())
        assert await stage.files() == 0
        _, address = await stage.attach("cat.png", PNG)
        assert (await stage.get(address)).status == 200
        await world.execute("UPDATE remote_files SET used_at = 0")
        await run_tidy_copies(stage.context, TidyCopies())
        assert await stage.files() == 0


def noise(number: int) -> bytes:
    """A picture of about 280 kB that can't be made smaller."""
    import random

    import pyvips

    pixels = random.Random(number).randbytes(300 * 300 * 3)
    image: Any = pyvips.Image.new_from_memory(pixels, 300, 300, 3, "uchar")
    return bytes(image.copy(interpretation="srgb").pngsave_buffer())


@pytest.mark.parametrize(("cache_mb", "proxy", "through_us"), [(1, True, True), (0, True, False), (1, False, False)])
def test_without_room_for_copies_apps_ask_others_directly(
    tmp_path: Path, cache_mb: int, proxy: bool, through_us: bool
) -> None:
    settings = Media(cache_mb=cache_mb, proxy=proxy)

    async def link() -> str:
        async with open_parts(Config(data=str(tmp_path), public_url=BASE, media=settings), "web") as parts:
            where: str = parts.links.elsewhere(RemoteKind.CARD, 7, f"{THERE}/a.png", "small")
            return where

    prepare(Config(data=str(tmp_path), public_url=BASE))
    assert asyncio.run(link()).startswith(f"{BASE}/media/proxy/" if through_us else THERE)
