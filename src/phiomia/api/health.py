"""Health and metrics of the web role: /health (alive), /health/ready (touches the database), /metrics."""

import ipaddress
import os
from pathlib import Path

import falcon
import falcon.asgi

from phiomia.platform import metrics
from phiomia.platform.asgi import App
from phiomia.platform.db import Database
from phiomia.platform.health import NO_DATABASE, is_ready
from phiomia.platform.health_client import Peer, merge_metrics


class _Alive:
    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.content_type = "text/plain"
        resp.data = b"OK"

    on_head = on_get


class _Ready:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        ready = await is_ready(self._db)
        resp.status = falcon.HTTP_200 if ready else falcon.HTTP_503
        resp.content_type = "text/plain"
        resp.data = b"OK" if ready else NO_DATABASE.encode()
        if not ready:
            resp.set_header("Retry-After", "5")

    on_head = on_get


class _Metrics:
    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        # Figures are for the machine's own collector; through a proxy they would be everybody's.
        address = req.remote_addr or ""
        if req.get_header("X-Forwarded-For") or not address or not ipaddress.ip_address(address).is_loopback:
            raise falcon.HTTPNotFound
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"
        resp.data = metrics.exposition()
        if self._folder is not None:
            # The same port is answered by several processes: one scrape gets the figures of all of them.
            own = Peer("web", os.getpid(), self._folder)
            resp.data = await merge_metrics(self._folder, own=[(own, resp.data)])


def mount_health(app: App, db: Database, folder: Path | None = None) -> None:
    """Adds the paths. `folder`: where the other processes of this machine can be asked for their figures."""
    app.add_route("/health", _Alive())
    app.add_route("/health/ready", _Ready(db))
    app.add_route("/metrics", _Metrics(folder))
