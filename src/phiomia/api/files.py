"""Stored media, served with headers that let a browser show but never run them, whole or in the part asked for."""

import mimetypes
import re
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, Protocol

import falcon
import falcon.asgi

from phiomia.domain.media.withheld import is_withheld
from phiomia.platform.asgi import App
from phiomia.platform.db import Database, Unavailable
from phiomia.platform.storage import Storage, safe_headers

_AT_ONCE: Final = 512 * 1024
_RETRY_SECONDS: Final = 5
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class _Span(NamedTuple):
    start: int
    end: int


class Readable(Protocol):
    """A place from which files are read."""

    async def size(self, key: str) -> int | None:
        """How many bytes lie under a key, None where there is nothing."""
        ...

    def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (not included), in pieces."""
        ...


class _Files:
    def __init__(self, db: Database, storages: tuple[Storage, ...]) -> None:
        self._db = db
        self._storages = storages

    async def __call__(self, req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **path: str) -> None:
        if resp is None:  # a WebSocket
            return
        if req.method not in ("GET", "HEAD"):
            raise falcon.HTTPNotFound
        if await self._is_withheld(path["key"]):
            raise falcon.HTTPNotFound(headers={"Cache-Control": "no-store"})
        if not await send_file(req, resp, self._storages, path["key"]):
            raise falcon.HTTPNotFound

    async def _is_withheld(self, key: str) -> bool:
        try:
            async with self._db.read() as session:
                return await is_withheld(session, key)
        except Unavailable:
            raise falcon.HTTPServiceUnavailable(retry_after=_RETRY_SECONDS) from None


async def send_file(req: falcon.asgi.Request, resp: falcon.asgi.Response, places: Sequence[Readable], key: str) -> bool:
    """Answers with a stored file, or the part of it that is asked for; False when there is none."""
    found = await _find(places, key)
    if found is None:
        return False
    place, size = found
    for name, value in safe_headers(mimetypes.guess_type(key)[0] or "application/octet-stream"):
        resp.set_header(name, value)
    resp.set_header("Accept-Ranges", "bytes")
    span = _Span(0, size)
    asked = _read_range(req.get_header("Range") or "", size)
    if asked is not None:
        if asked.start >= asked.end:
            resp.status = falcon.HTTP_416
            resp.set_header("Content-Range", f"bytes */{size}")
            return True
        span = asked
        resp.status = falcon.HTTP_206
        resp.set_header("Content-Range", f"bytes {span.start}-{span.end - 1}/{size}")
    length = span.end - span.start
    pieces = place.stream(key, *span)
    if req.method == "GET" and length <= _AT_ONCE:
        resp.data = b"".join([piece async for piece in pieces])
        return True
    resp.content_length = length
    if req.method == "GET":
        resp.stream = pieces
    return True


async def _find(places: Sequence[Readable], key: str) -> tuple[Readable, int] | None:
    try:
        for place in places:
            size = await place.size(key)
            if size is not None:
                return place, size
    except ValueError:
        return None
    return None


def _read_range(header: str, size: int) -> _Span | None:
    """The one part that is asked for; None for the whole, which is also the answer to several parts."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return _Span(max(0, size - int(last)), size) if int(last) else _Span(size, size)
    return _Span(int(first), min(size, int(last) + 1) if last else size)


def mount_files(app: App, db: Database, storages: tuple[Storage, ...]) -> None:
    """Adds /media/…"""
    app.add_sink(_Files(db, storages), r"/media/(?P<key>[A-Za-z0-9_./-]+)\Z")
