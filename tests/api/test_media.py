import asyncio
import base64
import os
import struct
import tempfile
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from contract import assert_entity
from films import make_film, make_sound
from phiomia.domain.media.jobs import HANDLERS, DiscardMedia, run_discard_media
from phiomia.domain.media.kinds import MediaState
from phiomia.domain.media.sources import source_of
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.ids import new_id
from phiomia.platform.jobs.worker import Timing, Worker
from phiomia.platform.storage import DiskStorage
from world import BASE, Account, Answer, World, story

File = tuple[str, str, bytes]
HEICS = Path(__file__).parents[1] / "data" / "pictures"


def draw_png(width: int, height: int) -> bytes:
    """A small picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + b"".join(bytes((x * 255 // width, 90, 160)) for x in range(width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


PNG: File = ("cat.png", "image/png", draw_png(64, 48))


def encode_multipart(fields: dict[str, Any], files: dict[str, File]) -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, value in fields.items():
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, (filename, kind, content) in files.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


async def send(world: World, method: str, path: str, who: Account | None, **more: Any) -> Answer:
    """A multipart request: `files`, all else are fields."""
    body, headers = encode_multipart(more, more.pop("files", {}))
    return await world.client.request(method, path, who, body=body, headers=headers)


@asynccontextmanager
async def furnished(world: World) -> AsyncIterator[Any]:
    """The world with a data directory and a storage; gives what the worker's handlers get."""
    with tempfile.TemporaryDirectory() as folder:
        world.api.config = msgspec.structs.replace(world.api.config, data=folder)
        world.api.storage = DiskStorage(Path(folder) / "media", f"{BASE}/media")
        links: Any = world.api.fragments.links
        links.media = world.api.storage.url
        yield SimpleNamespace(db=world.db, bus=world.api.bus, storage=world.api.storage, config=world.api.config)


@asynccontextmanager
async def at_work(context: Any) -> AsyncIterator[None]:
    """A worker that runs beside."""
    handlers = {handler.job_type.TYPE: handler for handler in HANDLERS}
    worker = Worker(context.db, context.bus, handlers, worker_name="test", context=context, timing=Timing(poll_s=0.05))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def settled(world: World, who: Account, media_id: str) -> Answer:
    """What GET says once the upload is decoded."""
    end = time.monotonic() + 20
    while True:
        answer = await world.client.get(f"/api/v1/media/{media_id}", who)
        if answer.status != 206 or time.monotonic() > end:
            return answer
        await asyncio.sleep(0.05)


async def until(holds: Callable[[], bool]) -> None:
    """Waits for something that is about to happen."""
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("waited in vain")


@story("media")
async def test_an_upload_becomes_a_picture(world: World) -> None:
    alice = await world.account("alice")
    async with furnished(world) as context, at_work(context):
        answer = await send(
            world, "POST", "/api/v1/media", alice, files={"file": PNG}, description=" A cat ", focus="0.5,-0.25"
        )
        assert answer.status == 200, answer.body
        entity = answer.json
        assert_entity("MediaAttachment", entity)
        assert entity["type"] == "image" and entity["description"] == "A cat"
        assert entity["meta"]["original"] == {"width": 64, "height": 48, "size": "64x48", "aspect": 1.333333}
        assert entity["meta"]["small"]["width"] == 64
        assert entity["meta"]["focus"] == {"x": 0.5, "y": -0.25}
        assert entity["blurhash"]
        for name in ("url", "preview_url"):
            assert world.api.storage.path(entity[name].removeprefix(f"{BASE}/media/")) is not None
        # The answer does not wait for the tidying after it.
        await until(lambda: not list(world.api.temporary.glob("media/*")))


@story("media", "statuses", "accounts")
async def test_films_and_sounds_are_posted(world: World) -> None:
    alice = await world.account("alice")
    kinds = {
        "video": ("a.mp4", "video/mp4", make_film()),
        "gifv": ("b.mp4", "video/mp4", make_film(sound=None)),
        "audio": ("c.mp3", "audio/mpeg", make_sound()),
    }
    async with furnished(world) as context, at_work(context):
        for kind, file in kinds.items():
            taken = await send(world, "POST", "/api/v2/media", alice, files={"file": file}, description=f"A {kind}")
            assert taken.status in (200, 202), taken.body
            ready = (await settled(world, alice, taken.json["id"])).json
            assert (ready["type"], ready["description"]) == (kind, f"A {kind}")
            assert ready["meta"]["original"]["duration"] > 0.9
            path = world.api.storage.path(ready["url"].removeprefix(f"{BASE}/media/"))
            assert path.stat().st_size > 1_000
            text = {"status": kind, "media_ids": [ready["id"]]}
            posted = await world.client.check("POST /api/v1/statuses", alice, json=text)
            assert posted["media_attachments"] == [ready]
        query = {"only_media": True}
        shown = await world.client.check("GET /api/v1/accounts/:id/statuses", None, id=alice.id, query=query)
        assert [one["media_attachments"][0]["type"] for one in shown] == ["audio", "gifv", "video"]
        # Neither films nor sounds go together with anything else.
        two = [(await send(world, "POST", "/api/v1/media", alice, files={"file": file})).json["id"] for file in (
            kinds["video"], PNG,
        )]  # fmt: skip
        refused = await world.client.post("/api/v1/statuses", alice, json={"status": "x", "media_ids": two})
        assert refused.status == 422


@story("media", "instance", "accounts_update")
async def test_pictures_of_telephones(world: World) -> None:
    alice = await world.account("alice")
    file: File = ("photo.heic", "image/heic", (HEICS / "tiles.heic").read_bytes())
    instance = (await world.client.get("/api/v2/instance")).json
    assert file[1] in instance["configuration"]["media_attachments"]["supported_mime_types"]
    async with furnished(world) as context, at_work(context):
        taken = (await send(world, "POST", "/api/v1/media", alice, files={"file": file})).json
        assert taken["type"] == "image" and taken["meta"]["original"]["size"] == "600x400"
        assert taken["url"].endswith(".jpg") and taken["blurhash"]
        changed = await send(world, "PATCH", "/api/v1/accounts/update_credentials", alice, files={"avatar": file})
        assert changed.status == 200 and changed.json["avatar"].endswith(".jpg")


@story("media")
async def test_v2_answers_before_decoding(world: World) -> None:
    alice = await world.account("alice")
    async with furnished(world) as context:
        answer = await send(world, "POST", "/api/v2/media", alice, files={"file": PNG})
        assert answer.status == 202, answer.body
        entity = answer.json
        assert_entity("MediaAttachment", entity)
        assert entity["url"] is None and entity["preview_url"] is None
        assert (await world.client.get(f"/api/v1/media/{entity['id']}", alice)).status == 206
        # It waits in a file and a job, so that it survives the end of every process.
        assert source_of(world.api.temporary, int(entity["id"])).read_bytes() == PNG[2]
        form = {"description": "Later"}
        described = await world.client.put(f"/api/v1/media/{entity['id']}", alice, form=form)
        assert described.status == 206 and described.json["description"] == "Later"
        async with at_work(context):
            ready = await settled(world, alice, entity["id"])
        assert ready.status == 200 and ready.json["url"] and ready.json["description"] == "Later"
        assert_entity("MediaAttachment", ready.json)


@story("media")
async def test_processing_again_after_an_interruption(world: World) -> None:
    alice = await world.account("alice")
    async with furnished(world) as context:
        entity = (await send(world, "POST", "/api/v2/media", alice, files={"file": PNG})).json
        storage, real_put = world.api.storage, world.api.storage.put

        async def put_and_die(key: str, source: Path, content_type: str) -> None:
            await real_put(key, source, content_type)
            raise KeyboardInterrupt

        storage.put = put_and_die
        try:
            await HANDLERS[0].run(context, HANDLERS[0].job_type(int(entity["id"])))
        except KeyboardInterrupt:
            storage.put = real_put
        assert (await storage.usage()).files == 1
        for _ in range(2):
            await HANDLERS[0].run(context, HANDLERS[0].job_type(int(entity["id"])))
        assert (await settled(world, alice, entity["id"])).status == 200
        assert (await storage.usage()).files == 2


@story("media")
async def test_what_is_no_picture_is_refused(world: World) -> None:
    alice = await world.account("alice")
    async with furnished(world) as context:
        for file in (
            ("a.txt", "text/plain", b"hello"),
            ("a.png", "image/png", b"hello, I am no picture"),
            ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            ("a.mp4", "video/mp4", PNG[2]),
        ):
            answer = await send(world, "POST", "/api/v2/media", alice, files={"file": file})
            assert answer.status == 422, file
            assert answer.json["error"] == "Validation failed: File content type is invalid"
        assert (
            await send(world, "POST", "/api/v2/media", alice, files={"file": ("a.png", "image/png", b"")})
        ).status == 422
        assert (await send(world, "POST", "/api/v2/media", alice, description="none")).status == 422
        for focus in ("2,0", "nan,0", "x", "1"):
            assert (await send(world, "POST", "/api/v2/media", alice, files={"file": PNG}, focus=focus)).status == 422
        long = "x" * 10_001
        assert (await send(world, "POST", "/api/v2/media", alice, files={"file": PNG}, description=long)).status == 422
        large = ("a.png", "image/png", PNG[2] + b"\0" * (16 * 1024 * 1024))
        assert (await send(world, "POST", "/api/v2/media", alice, files={"file": large})).status == 413
        assert await world.value("SELECT count(*) FROM media") == 0
        assert list(world.api.temporary.glob("*")) in ([], [world.api.temporary / "media"])
        # Only the decoder can see that this one is damaged.
        async with at_work(context):
            broken = ("a.png", "image/png", PNG[2][:60])
            answer = await send(world, "POST", "/api/v1/media", alice, files={"file": broken})
            assert answer.status == 422 and answer.json["error"].startswith("Validation failed: File"), answer.body


@story("media")
async def test_previews(world: World) -> None:
    alice = await world.account("alice")
    small: File = ("t.png", "image/png", draw_png(30, 20))
    async with furnished(world) as context, at_work(context):
        entity = (await send(world, "POST", "/api/v1/media", alice, files={"file": PNG, "thumbnail": small})).json
        assert entity["meta"]["small"]["size"] == "30x20" and entity["meta"]["original"]["size"] == "64x48"
        small = ("t.png", "image/png", draw_png(40, 10))
        path = f"/api/v1/media/{entity['id']}"
        answer = await send(world, "PUT", path, alice, files={"thumbnail": small}, focus="-1,1")
        assert answer.status == 200, answer.body
        assert answer.json["meta"]["small"]["size"] == "40x10" and answer.json["meta"]["focus"] == {"x": -1.0, "y": 1.0}
        assert answer.json["preview_url"] != entity["preview_url"]
        bad: File = ("t.png", "image/png", PNG[2][:50])
        assert (await send(world, "PUT", path, alice, files={"thumbnail": bad})).status == 422


def _files(world: World) -> list[Path]:
    return sorted(path for path in Path(world.api.config.data).rglob("*") if path.is_file())


@story("media", "statuses")
async def test_edits_bring_other_previews(world: World) -> None:
    alice = await world.account("alice")
    thumbnail = f"data:image/png;base64,{base64.b64encode(draw_png(40, 10)).decode()}"

    def revise(**given: str) -> dict[str, Any]:
        attributes = [{"id": id_, "thumbnail": url} for id_, url in given.items()]
        return {"status": "Look", "media_ids": list(given), "media_attributes": attributes}

    async with furnished(world) as context:
        async with at_work(context):
            entity = (await send(world, "POST", "/api/v1/media", alice, files={"file": PNG})).json
        made = await make_status(world, alice, int(entity["id"]))
        path = f"/api/v1/statuses/{made}"
        answer = await world.client.put(path, alice, json=revise(**{entity["id"]: thumbnail}))
        assert answer.status == 200 and answer.json["edited_at"], answer.body
        (shown,) = answer.json["media_attachments"]
        assert shown["meta"]["small"]["size"] == "40x10" and shown["meta"]["original"]["size"] == "64x48"
        assert shown["preview_url"] != entity["preview_url"] and shown["url"] == entity["url"]

        kept = _files(world)
        unfinished = await world.picture(alice, state=MediaState.PROCESSING)
        for refused in (
            revise(**{entity["id"]: "data:image/png;base64,AAA"}),
            revise(**{entity["id"]: "data:text/plain;base64,aGVsbG8="}),
            revise(**{entity["id"]: "https://phiomia.example/small.png"}),
            revise(**{entity["id"]: thumbnail, str(unfinished): thumbnail}),
        ):
            answer = await world.client.put(path, alice, json=refused)
            assert answer.status == 422 and answer.json["error"].startswith("Validation failed: "), answer.body
        assert _files(world) == kept


@story("media")
async def test_only_the_owner_and_only_before_posting(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    async with furnished(world):
        picture = await world.picture(alice, description="old")
        path = f"/api/v1/media/{picture}"
        assert (await world.client.get(path, bob)).status == 404
        assert (await world.client.put(path, bob, form={"description": "x"})).status == 404
        assert (await world.client.delete(path, bob)).status == 404
        entity = await world.client.check("PUT /api/v1/media/:id", alice, id=picture, form={"focus": "0,0"})
        assert entity["description"] == "old"
        entity = await world.client.check("PUT /api/v1/media/:id", alice, id=picture, form={"description": ""})
        assert entity["description"] is None
        await make_status(world, alice, picture)
        assert (await world.client.get(path, alice)).status == 404
        assert (await world.client.put(path, alice, form={"description": "x"})).status == 404
        assert (await world.client.delete(path, alice)).status == 422


@story("media")
async def test_discarding(world: World) -> None:
    alice = await world.account("alice")
    async with furnished(world) as context:
        async with at_work(context):
            entity = (await send(world, "POST", "/api/v1/media", alice, files={"file": PNG})).json
            assert await world.client.check("DELETE /api/v1/media/:id", alice, id=entity["id"]) == {}
            assert (await world.client.get(f"/api/v1/media/{entity['id']}", alice)).status == 404
            await no_files(world)
            await send(world, "POST", "/api/v1/media", alice, files={"file": PNG})
        kept, old = new_id(), new_id(now_ms() - 2 * DAY)
        await world.execute("UPDATE media SET id = :id", id=kept)
        await run_discard_media(context, DiscardMedia())
        assert await world.value("SELECT count(*) FROM media") == 1
        await world.execute("UPDATE media SET id = :id", id=old)
        left = world.api.temporary / "media" / str(old)
        left.write_bytes(b"left behind")
        half = context.config.data_dir / "media/.unfinished/half"
        half.write_bytes(b"left behind, too")
        for path in (left, half):
            os.utime(path, (time.time() - 2 * 86_400,) * 2)
        await run_discard_media(context, DiscardMedia())
        assert await world.value("SELECT count(*) FROM media") == 0
        assert not left.exists() and not half.exists()
        async with at_work(context):
            await no_files(world)


async def no_files(world: World) -> None:
    files = -1
    for _ in range(500):
        files = (await world.api.storage.usage()).files
        if files == 0:
            break
        await asyncio.sleep(0.02)
    assert files == 0


async def make_status(world: World, who: Account, media_id: int) -> int:
    status_id = new_id()
    await world.execute(
        "INSERT INTO statuses (id, account_id, conversation_id, created_at, media_count) VALUES (:id, :who, :id, 0, 1)",
        id=status_id,
        who=who.id,
    )
    await world.execute("UPDATE media SET status_id = :status WHERE id = :id", status=status_id, id=media_id)
    return status_id
