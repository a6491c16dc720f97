"""Brings a file of another server here, through the jail, and keeps a copy if there is room."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from phiomia.domain.media.copies import Copy, find_copy, measure_room, note_failure, reserve_copy
from phiomia.domain.media.passing import Passing, Shelf
from phiomia.domain.media.proxied import FOLDERS, LIMITS, MOST_BYTES, SHAPES, RemoteKind, digest_of
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Database, Query
from phiomia.platform.jail.process import process_image
from phiomia.platform.jail.result import REMOTE_FILM_LIMITS, ImageLimits, JailError
from phiomia.platform.jail.sniff import SNIFFED_BYTES, sniff_film, sniff_format
from phiomia.platform.limits import PASSING_BYTES
from phiomia.platform.settings import Media
from phiomia.platform.storage import Storage, media_key

# What browsers may play as it is, though we don't encode it again.
_TYPES: Final = {
    "mp4": ("mp4", "video/mp4"),
    "matroska": ("webm", "video/webm"),
    "ogg": ("ogg", "video/ogg"),
    "mp3": ("mp3", "audio/mpeg"),
    "wav": ("wav", "audio/wav"),
    "flac": ("flac", "audio/flac"),
    "aac": ("aac", "audio/aac"),
}


class NoCopy(Exception):
    """There is nothing to show; the message says why."""


class Download(Protocol):
    """The way to other servers' files."""

    async def allows(self, host: str) -> bool:
        """Whether files of this server are shown at all."""
        ...

    async def fetch(self, url: str, target: Path, most_bytes: int) -> None:
        """Writes what is at the address into a file. Raises NoCopy."""
        ...


class Wanted(NamedTuple):
    """A file of another server. `owner_id` is the attachment, account, emoji or card that shows it."""

    kind: RemoteKind
    owner_id: int
    url: str

    @property
    def host(self) -> str:
        """The server that has it, without a port."""
        return urlsplit(self.url).hostname or ""

    @property
    def name(self) -> tuple[int, int, str]:
        """What tells it from others."""
        return int(self.kind), self.owner_id, self.url


class Made(NamedTuple):
    """What is shown: a file, perhaps with a small or a still version of it."""

    original: Path
    small: Path | None
    content_type: str
    small_type: str


class Copier:
    """Fetches each file once, however many ask for it at the same time. One for a process."""

    def __init__(
        self,
        db: Database,
        storage: Storage,
        settings: Media,
        temporary: Path,
        download: Download,
        addresses: Mapping[RemoteKind, Query],
    ) -> None:
        self.storage = storage
        self._db = db
        self._settings = settings
        self._temporary = temporary
        self._download = download
        self._addresses = addresses
        self._under_way: dict[tuple[int, int, str], asyncio.Future[Copy | Passing]] = {}
        self._shelf = Shelf(PASSING_BYTES)

    async def find(self, kind: RemoteKind, owner_id: int) -> tuple[Wanted, Copy | None]:
        """Where something's file is, with the copy there may be. Raises NoCopy if it is not to be shown."""
        async with self._db.read() as session:
            url = await session.value(self._addresses[kind], id=owner_id)
            copy = await find_copy(session, int(kind), owner_id) if url else None
        if not url:
            raise NoCopy("nothing of this name")
        wanted = Wanted(kind, owner_id, url)
        if not await self._download.allows(wanted.host):
            raise NoCopy("a rule about its server")
        return wanted, copy if copy is not None and copy.digest == digest_of(url) else None

    def find_passing(self, wanted: Wanted) -> Passing | None:
        """What was shown a moment ago without being kept."""
        return self._shelf.find(wanted.name)

    async def bring(self, wanted: Wanted) -> Copy | Passing:
        """A fresh copy, or what there is no room to keep. Raises NoCopy."""
        name = wanted.name
        running = self._under_way.get(name)
        if running is None:
            running = self._under_way[name] = asyncio.ensure_future(self._bring(wanted))
            running.add_done_callback(lambda _: self._under_way.pop(name, None))
        # Whoever asked first may go away; the others still want it.
        return await asyncio.shield(running)

    async def _bring(self, wanted: Wanted) -> Copy | Passing:
        try:
            async with self._fetched(wanted) as made:
                return await self._store(wanted, made)
        except NoCopy as error:
            failed = _draft(wanted, failure=str(error)[:200])
            await self._db.write(lambda session: note_failure(session, failed))
            raise

    @asynccontextmanager
    async def _fetched(self, wanted: Wanted) -> AsyncIterator[Made]:
        await asyncio.to_thread(self._temporary.mkdir, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._temporary, prefix="decoding-") as folder:
            source = Path(folder) / "source"
            await self._download.fetch(wanted.url, source, MOST_BYTES[wanted.kind])
            yield await _make(wanted.kind, source, Path(folder))

    async def _store(self, wanted: Wanted, made: Made) -> Copy | Passing:
        folder, size = FOLDERS[wanted.kind], made.original.stat().st_size
        key = media_key(folder, wanted.owner_id, "original", made.original.suffix[1:], cached=True)
        small_key = ""
        if made.small is not None:
            small_key = media_key(folder, wanted.owner_id, "small", made.small.suffix[1:], cached=True)
            size += made.small.stat().st_size
        copy = _draft(wanted, key=key, small_key=small_key, size=size)
        async with self._db.read() as session:
            room = await measure_room(session, self._settings)
        if not await self._db.write(lambda session: reserve_copy(session, copy, room)):
            return await self._pass(wanted, made)
        await self.storage.put(key, made.original, made.content_type)
        if made.small is not None:
            await self.storage.put(small_key, made.small, made.small_type)
        return copy

    async def _pass(self, wanted: Wanted, made: Made) -> Passing:
        passing = await asyncio.to_thread(Passing, made.original, made.small)
        # Films are asked for part by part: one that could not lie here would be fetched anew for each of them.
        if not self._shelf.put(wanted.name, passing):
            raise NoCopy("there is no room for it")
        return passing


async def _make(kind: RemoteKind, source: Path, folder: Path) -> Made:
    head = await asyncio.to_thread(_read_head, source)
    film = sniff_film(head) if sniff_format(head) is None else None
    if film is not None and kind != RemoteKind.ATTACHMENT:
        raise NoCopy("no picture")
    limits = REMOTE_FILM_LIMITS if film else LIMITS.get(kind, ImageLimits())
    try:
        result = await process_image(source, kind=SHAPES[kind], out_dir=folder, limits=limits)
    except JailError as error:
        if error.reason != "as_it_is" or film not in _TYPES:
            raise NoCopy(str(error)) from None
        extension, content_type = _TYPES[film]
        named = source.with_suffix(f".{extension}")
        os.rename(source, named)
        return Made(named, None, content_type, "")
    small = result.thumbnail or result.static
    return Made(
        result.original.path,
        small.path if small else None,
        result.original.content_type,
        small.content_type if small else "",
    )


def _read_head(source: Path) -> bytes:
    with open(source, "rb") as file:
        return file.read(SNIFFED_BYTES)


def _draft(wanted: Wanted, *, key: str = "", small_key: str = "", size: int = 0, failure: str = "") -> Copy:
    now = now_ms()
    return Copy(
        0, int(wanted.kind), wanted.owner_id, digest_of(wanted.url), wanted.host, key, small_key, size, failure, 0,
        None, now, now,
    )  # fmt: skip
