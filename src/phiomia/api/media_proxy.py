"""What other servers show, through this one: whoever looks at it here is not seen there.

/media/proxy/<kind>/<id>/<digest>/<version>: the id is that of the attachment, account, emoji or card that shows the
file, the digest that of its address, so that only what is known here can be asked for, by those who know of it.
"""

import time
from typing import Final

import falcon
import falcon.asgi

from phiomia.api.files import send_file
from phiomia.domain.media.copies import Copy, is_touched, touch_copy
from phiomia.domain.media.fetch_copy import Copier, NoCopy, Wanted
from phiomia.domain.media.passing import Passing
from phiomia.domain.media.proxied import RemoteKind, digest_of
from phiomia.platform.addresses import client_address, network_of
from phiomia.platform.asgi import App
from phiomia.platform.clock import now_ms
from phiomia.platform.config import Config
from phiomia.platform.db import Database
from phiomia.platform.log import get_logger
from phiomia.platform.rates import Rates
from phiomia.platform.storage import Storage

log = get_logger("media_proxy")

_KINDS: Final = {kind.name.lower(): kind for kind in RemoteKind}
_VERSIONS: Final = ("original", "small")


class _Proxy:
    def __init__(
        self, config: Config, db: Database, rates: Rates, copier: Copier, storages: tuple[Storage, ...]
    ) -> None:
        self._config = config
        self._db = db
        self._rates = rates
        self._copier = copier
        self._storages = storages

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
        """The file, or 404."""
        try:
            wanted, copy = await self._find(path)
            if copy is None or copy.failure or not await self._send(req, resp, copy, path["version"]):
                brought = self._copier.find_passing(wanted) or await self._fetch(req, wanted, copy)
                if isinstance(brought, Passing):
                    await send_file(req, resp, (brought,), brought.key(path["version"]))
                    return
                copy = brought
                if not await self._send(req, resp, copy, path["version"]):
                    raise NoCopy("it was removed at once")
        except NoCopy as error:
            log.info("a file of another server is not shown", path=req.path, reason=str(error))
            raise falcon.HTTPNotFound(headers={"Cache-Control": "no-store"}) from None
        if not is_touched(copy):
            seen = copy
            await self._db.write(lambda session: touch_copy(session, seen))

    async def on_head(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
        """The same without the file."""
        await self.on_get(req, resp, **path)

    async def _find(self, path: dict[str, str]) -> tuple[Wanted, Copy | None]:
        kind, id_ = _KINDS.get(path["kind"]), path["id"]
        if kind is None or path["version"] not in _VERSIONS or not (id_.isascii() and id_.isdigit() and len(id_) < 19):
            raise NoCopy("no address of ours")
        wanted, copy = await self._copier.find(kind, int(id_))
        if digest_of(wanted.url) != path["digest"]:
            raise NoCopy("it comes from elsewhere now")
        return wanted, copy

    async def _send(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, copy: Copy, version: str) -> bool:
        key = copy.small_key or copy.key if version == "small" else copy.key
        return bool(key) and await send_file(req, resp, self._storages, key)

    async def _fetch(self, req: falcon.asgi.Request, wanted: Wanted, before: Copy | None) -> Copy | Passing:
        if before is not None and before.failure and (before.retry_at or 0) > now_ms():
            raise NoCopy(before.failure)
        limits = self._config.rate_limits
        if limits.enabled:
            forwarded = req.get_header("X-Forwarded-For")
            address = client_address(req.remote_addr or "", forwarded, self._config.trusted_proxies)
            allowance = self._rates.count("media_proxy", network_of(address), *limits.media_proxy)
            if allowance.exceeded:
                raise falcon.HTTPTooManyRequests(retry_after=max(1, allowance.reset - int(time.time())))
        return await self._copier.bring(wanted)


def mount_media_proxy(
    app: App, config: Config, db: Database, rates: Rates, copier: Copier, storages: tuple[Storage, ...]
) -> None:
    """Adds /media/proxy/…"""
    app.add_route("/media/proxy/{kind}/{id}/{digest}/{version}", _Proxy(config, db, rates, copier, storages))
