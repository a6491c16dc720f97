"""Stored media, served with headers that let a browser show but never run them."""

import asyncio
import mimetypes

import falcon
import falcon.asgi

from phiomia.platform.asgi import App
from phiomia.platform.storage import DiskStorage, safe_headers


class _Files:
    def __init__(self, storage: DiskStorage) -> None:
        self._storage = storage

    async def __call__(self, req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **path: str) -> None:
        if resp is None:  # a WebSocket
            return
        try:
            file = self._storage.path(path["key"])
        except ValueError:
            file = None
        if req.method not in ("GET", "HEAD") or file is None or not await asyncio.to_thread(file.is_file):
            raise falcon.HTTPNotFound
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        for name, value in safe_headers(kind):
            resp.set_header(name, value)
        resp.data = await asyncio.to_thread(file.read_bytes)


def mount_files(app: App, storage: DiskStorage) -> None:
    """Adds /media/…"""
    app.add_sink(_Files(storage), r"/media/(?P<key>[A-Za-z0-9_./-]+)\Z")
