"""File storage: where uploaded and fetched media lie, under which keys, and with which headers they are served."""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec import Struct

MediaKind = Literal["attachment", "avatar", "header", "emoji"]

_FOLDERS: Final[dict[MediaKind, str]] = {
    "attachment": "media_attachments/files",
    "avatar": "accounts/avatars",
    "header": "accounts/headers",
    "emoji": "custom_emojis/images",
}
_KINDS: Final = {folder: kind for kind, folder in _FOLDERS.items()}
_OWNED: Final = re.compile(rf"(?:cache/)?({'|'.join(_KINDS)})/(\d{{3}}(?:/\d{{3}}){{5,6}})/")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_KEY: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)+[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_KEY_LENGTH: Final = 255
_PIECE: Final = 256 * 1024
_UNFINISHED: Final = ".unfinished"
_UNFINISHED_SECONDS: Final = 3_600.0

# What a browser shows without running anything in it; everything else is offered for saving.
_SHOWN: Final = frozenset(
    {
        *("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"),
        *("video/mp4", "video/webm", "video/ogg", "video/quicktime"),
        *("audio/mpeg", "audio/ogg", "audio/mp4", "audio/flac", "audio/aac", "audio/wav", "audio/webm"),
    }
)


class Usage(Struct, frozen=True):
    """How much is stored."""

    files: int
    bytes: int


class Storage(Protocol):
    """A place for files under keys; what lies under a key never changes."""

    async def put(self, key: str, source: Path, content_type: str) -> None:
        """Keep a copy of `source`: afterwards all of it is there, or nothing."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a file; no error when it is not there."""
        ...

    def url(self, key: str) -> str:
        """The address people fetch the file from."""
        ...

    def path(self, key: str) -> Path | None:
        """The file on this machine's disk, None where there is none."""
        ...

    async def size(self, key: str) -> int | None:
        """How many bytes lie under a key, None where there is nothing."""
        ...

    def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (not included), in pieces. Raises FileNotFoundError."""
        ...

    def walk(self) -> AsyncIterator[tuple[str, int]]:
        """Every key with its size, in no particular order."""
        ...

    async def usage(self) -> Usage:
        """How many files and bytes are stored."""
        ...

    async def discard_unfinished(self) -> int:
        """Remove what an interrupted `put` left behind; gives the number of files."""
        ...


class DiskStorage:
    """Storage in a directory of this machine."""

    def __init__(self, root: Path, base_url: str) -> None:
        self._root = root
        self._base_url = base_url.rstrip("/")

    async def put(self, key: str, source: Path, content_type: str) -> None:
        """Keep a copy of `source`; it survives a power cut from the moment this returns."""
        await asyncio.to_thread(self._write, self._place(key), source)

    async def delete(self, key: str) -> None:
        """Remove a file and the directories it leaves empty."""
        await asyncio.to_thread(self._remove, self._place(key))

    def url(self, key: str) -> str:
        """The address people fetch the file from."""
        return f"{self._base_url}/{check_key(key)}"

    def path(self, key: str) -> Path | None:
        """The file on disk, None where there is none."""
        place = self._place(key)
        return place if place.is_file() else None

    async def size(self, key: str) -> int | None:
        """How many bytes lie under a key, None where there is nothing."""
        return await asyncio.to_thread(self._measure, self._place(key))

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (not included), in pieces. Raises FileNotFoundError."""
        file = await asyncio.to_thread(open, self._place(key), "rb")
        try:
            file.seek(start)
            while start < end and (piece := await asyncio.to_thread(file.read, min(_PIECE, end - start))):
                start += len(piece)
                yield piece
        finally:
            file.close()

    async def walk(self) -> AsyncIterator[tuple[str, int]]:
        """Every key with its size, in no particular order."""
        folders = await asyncio.to_thread(lambda: list(os.walk(self._root)))
        for folder, _, names in folders:
            inside = Path(folder).relative_to(self._root)
            for name in names if _UNFINISHED not in inside.parts else ():
                key = str(inside / name)
                found = await asyncio.to_thread(self._measure, self._root / key)
                if found is not None and _KEY.fullmatch(key):
                    yield key, found

    async def usage(self) -> Usage:
        """How many files and bytes are stored; walks the whole tree."""
        return await asyncio.to_thread(self._count)

    async def discard_unfinished(self) -> int:
        """Remove what an interrupted `put` left behind; gives the number of files."""
        return await asyncio.to_thread(self._discard)

    @staticmethod
    def _measure(place: Path) -> int | None:
        try:
            found = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def _place(self, key: str) -> Path:
        return self._root / check_key(key)

    def _write(self, place: Path, source: Path) -> None:
        waiting = self._root / _UNFINISHED
        waiting.mkdir(parents=True, exist_ok=True)
        unfinished = waiting / secrets.token_hex(16)
        try:
            shutil.copyfile(source, unfinished)
            _sync(unfinished)
            self._publish(unfinished, place)
        finally:
            unfinished.unlink(missing_ok=True)

    def _publish(self, unfinished: Path, place: Path) -> None:
        # A deletion next door may remove the still empty directory in between.
        for attempt in range(3):
            made = _make_directories(place.parent)
            try:
                os.rename(unfinished, place)
                break
            except FileNotFoundError:
                if attempt == 2:
                    raise
        for directory in (place.parent, *made):
            _sync(directory)

    def _remove(self, place: Path) -> None:
        place.unlink(missing_ok=True)
        for directory in place.relative_to(self._root).parents[:-1]:
            try:
                (self._root / directory).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return

    def _count(self) -> Usage:
        files = size = 0
        for directory, folders, names in os.walk(self._root):
            if _UNFINISHED in folders and directory == str(self._root):
                folders.remove(_UNFINISHED)
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    size += os.stat(os.path.join(directory, name)).st_size
                    files += 1
        return Usage(files, size)

    def _discard(self) -> int:
        discarded = 0
        for left in (self._root / _UNFINISHED).glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - _UNFINISHED_SECONDS:
                    left.unlink()
                    discarded += 1
        return discarded


def _make_directories(directory: Path) -> list[Path]:
    """Make a directory and all it needs above it; gives the directories that got a new entry by that."""
    changed = []
    missing = directory
    while not missing.is_dir():
        missing = missing.parent
        changed.append(missing)
    directory.mkdir(parents=True, exist_ok=True)
    return changed


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_key(key: str) -> str:
    """The key itself, if it can name a file and only one below the root; else ValueError."""
    if len(key) > _KEY_LENGTH or not _KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


def media_key(kind: MediaKind, id: int, variant: str, extension: str, *, cached: bool = False) -> str:
    """A fresh key that cannot be guessed; `cached` is for copies of what belongs to other servers.

    The id is spread over directories so that none grows large.
    """
    if id < 0 or not _NAME.fullmatch(variant) or not _NAME.fullmatch(extension):
        raise ValueError(f"no key for {kind} {id} {variant!r} {extension!r}")
    digits = str(id).zfill(18)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    partition = "/".join(digits[at : at + 3] for at in range(0, len(digits), 3))
    folder = f"cache/{_FOLDERS[kind]}" if cached else _FOLDERS[kind]
    return check_key(f"{folder}/{partition}/{variant}/{secrets.token_hex(8)}.{extension}")


def owner_of(key: str) -> tuple[MediaKind, int] | None:
    """Of what a key of `media_key` is, and the id it was made for; None for any other."""
    found = _OWNED.match(key)
    return None if found is None else (_KINDS[found[1]], int(found[2].replace("/", "")))


def safe_headers(content_type: str) -> list[tuple[str, str]]:
    """The headers a stored file is served with: nothing in it may ever run in our origin."""
    essence = content_type.partition(";")[0].strip().lower()
    shown = essence in _SHOWN
    return [
        ("Content-Type", essence if shown else "application/octet-stream"),
        ("Content-Disposition", "inline" if shown else "attachment"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ("Cache-Control", "public, max-age=31536000, immutable"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("Access-Control-Allow-Origin", "*"),
    ]
