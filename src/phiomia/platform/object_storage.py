"""Storage in a bucket that speaks the protocol of S3. Its library is loaded when a server has one."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phiomia.platform.settings import Media
from phiomia.platform.storage import Usage, check_key

if TYPE_CHECKING:
    from obstore.store import S3Store

_CACHED: Final = "public, max-age=31536000, immutable"


class ObjectStorage:
    """Storage in a bucket; `base_url` is where people fetch files from."""

    def __init__(self, settings: Media, base_url: str) -> None:
        self._settings = settings
        self._base_url = base_url.rstrip("/")
        self._opened: S3Store | None = None

    async def put(self, key: str, source: Path, content_type: str) -> None:
        """Keep a copy of `source`: the store shows all of it, or nothing."""
        import obstore

        attributes: Any = {"Content-Type": content_type, "Cache-Control": _CACHED}
        await obstore.put_async(self._store, check_key(key), source, attributes=attributes)

    async def delete(self, key: str) -> None:
        """Remove a file; no error when it is not there."""
        import obstore

        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._store, check_key(key))

    def url(self, key: str) -> str:
        """The address people fetch the file from."""
        return f"{self._base_url}/{check_key(key)}"

    def path(self, key: str) -> Path | None:
        """None: nothing of this lies on our disk. Raises ValueError for what can't be a key."""
        check_key(key)
        return None

    async def size(self, key: str) -> int | None:
        """How many bytes lie under a key, None where there is nothing."""
        import obstore

        try:
            return int((await obstore.head_async(self._store, check_key(key)))["size"])
        except FileNotFoundError:
            return None

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` (not included), in pieces. Raises FileNotFoundError."""
        import obstore

        if start >= end:
            return
        found = await obstore.get_async(self._store, check_key(key), options={"range": (start, end)})
        async for piece in found.stream():
            yield bytes(piece)

    async def walk(self) -> AsyncIterator[tuple[str, int]]:
        """Every key with its size, in no particular order."""
        import obstore

        async for page in obstore.list(self._store):
            for one in page:
                yield one["path"], int(one["size"])

    async def usage(self) -> Usage:
        """How many files and bytes are stored; asks for the whole list."""
        files = size = 0
        async for _, found in self.walk():
            files += 1
            size += found
        return Usage(files, size)

    async def discard_unfinished(self) -> int:
        """0: what a bucket has not got whole is no file of ours, and its own rules remove it."""
        return 0

    @property
    def _store(self) -> "S3Store":
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> "S3Store":
        from obstore.store import S3Store

        settings = self._settings
        options: dict[str, Any] = {"region": settings.s3_region}
        if settings.s3_endpoint:
            options["endpoint"] = settings.s3_endpoint
            options["client_options"] = {"allow_http": settings.s3_endpoint.startswith("http:")}
        if settings.s3_access_key:
            options |= {"access_key_id": settings.s3_access_key, "secret_access_key": settings.s3_secret_key}
        # Of the bucket's name in the path every store knows, of the one in the host's name not.
        options["virtual_hosted_style_request"] = False
        return S3Store(settings.s3_bucket, prefix=settings.s3_prefix or None, **options)
