"""Files that pages need. Their addresses carry a hash of their content, so browsers keep them for ever."""

import mimetypes
from functools import cache
from pathlib import Path
from typing import Any

import falcon
import falcon.asgi

from phiomia.upgrade.assets import digest_of, find_asset, hashed_name, running_assets

_FOLDER = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_A_DAY = "public, max-age=86400"


def static_url(name: str) -> str:
    """The address of a file with its hash: style.css is at /static/style.0123456789ab.css."""
    return f"/static/{hashed_name(name, _files()[name][1])}"


class Static:
    """Answers for `/static/{name}`, with or without hash."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """Sends the file."""
        plain, digest = _split(name)
        file = _files().get(plain)
        if digest and (file is None or file[1] != digest):
            file = _kept(name, digest) or file
        if file is None:
            raise falcon.HTTPNotFound
        resp.data = file[0]
        resp.content_type = mimetypes.guess_type(plain)[0] or "application/octet-stream"
        resp.set_header("X-Content-Type-Options", "nosniff")
        # While an upgrade runs, the page may come from one release and its files from another: the nearest we have
        # is better than none, as long as nobody keeps it under the other's name.
        kept = {file[1]: _FOR_EVER, "": _FOR_A_DAY}.get(digest, "no-cache")
        resp.set_header("Cache-Control", kept)

    async def on_head(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """The same without the file."""
        await self.on_get(req, resp, name)


class OneStatic:
    """Answers with one of these files at an address of its own."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Sends the file."""
        await Static().on_get(req, resp, self._name)

    on_head = on_get


def _kept(name: str, digest: str) -> tuple[bytes, str] | None:
    """A file of one of the last releases, which a page that was loaded before the upgrade still asks for."""
    assets = running_assets()
    content = find_asset(assets, name) if assets is not None else None
    return None if content is None else (content, digest)


def _split(name: str) -> tuple[str, str]:
    parts = name.split(".")
    if len(parts) == 3:
        return f"{parts[0]}.{parts[2]}", parts[1]
    return name, ""


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    found: dict[str, Any] = {}
    for path in _FOLDER.iterdir():
        content = path.read_bytes()
        found[path.name] = (content, digest_of(content))
    return found
