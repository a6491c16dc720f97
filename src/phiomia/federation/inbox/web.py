"""The addresses of the inboxes."""

import time
from typing import Any

import falcon.asgi
import msgspec

from phiomia.federation.inbox.receive import Inbox, Receipt, receive
from phiomia.federation.parse.values import host_of
from phiomia.federation.signed_fetch import find_claimed_host, read_request
from phiomia.platform.asgi import App
from phiomia.platform.db import TooSlow, Unavailable
from phiomia.platform.limits import JSON_BODY_BYTES
from phiomia.platform.log import get_logger
from phiomia.platform.metrics import http

log = get_logger("inbox")

_BUSY = Receipt(503, "the server can't reach its database right now", retry_after=30)
_TOO_LARGE = Receipt(413, f"an activity may have {JSON_BODY_BYTES} bytes")
_FAILED = Receipt(500, "something went wrong")


class InboxResource:
    """What the framework routes deliveries to."""

    def __init__(self, inbox: Inbox, base_url: str) -> None:
        self._inbox = inbox
        self._base_url = base_url

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, username: str | None = None) -> None:
        """Takes a delivery, or says why not."""
        start = time.perf_counter()
        try:
            receipt = await self._take(req, username)
        except (Unavailable, TooSlow) as error:
            log.warning("a delivery had to be put off", reason=str(error))
            receipt = _BUSY
        except Exception as error:
            log.error("unforeseen error", status=500, path=req.path, exc_info=error)
            receipt = _FAILED
        _answer(resp, receipt)
        http.observe("POST", receipt.status, time.perf_counter() - start)
        if receipt.status != 202 or receipt.unkept:
            _tell(req, receipt)

    async def _take(self, req: falcon.asgi.Request, username: str | None) -> Receipt:
        body = await _read(req)
        if body is None:
            return _TOO_LARGE
        request = read_request(req, self._base_url, body)
        return await receive(self._inbox, request, req.content_type or "", username)


def mount_inboxes(app: App, inbox: Inbox, base_url: str) -> None:
    """Adds the shared inbox, that of the server itself, and those of the members."""
    resource: Any = InboxResource(inbox, base_url)
    for template in ("/inbox", "/actor/inbox", "/users/{username}/inbox"):
        app.add_route(template, resource)


async def _read(req: falcon.asgi.Request) -> bytes | None:
    """The body; None if it is too large, whatever it said before."""
    if (req.content_length or 0) > JSON_BODY_BYTES:
        return None
    found = await req.stream.read(JSON_BODY_BYTES + 1)
    return found if len(found) <= JSON_BODY_BYTES else None


def _tell(req: falcon.asgi.Request, receipt: Receipt) -> None:
    """Writes down why not. What could not be read is of who claims to have signed it."""
    about = receipt.about
    tell, became = (log.debug, "ignored") if receipt.unkept else (log.info, "refused")
    tell(
        f"a delivery was {became}",
        status=receipt.status,
        reason=receipt.reason or receipt.unkept,
        activity=about.id,
        type=min(about.kinds, default="")[:40],
        host=host_of(about.actor) or find_claimed_host(req),
        path=req.path,
    )


def _answer(resp: falcon.asgi.Response, receipt: Receipt) -> None:
    resp.status = receipt.status
    if receipt.retry_after:
        resp.set_header("Retry-After", str(receipt.retry_after))
    if receipt.status == 401:
        resp.set_header("WWW-Authenticate", 'Signature headers="(request-target) host date digest"')
    if receipt.reason:
        resp.content_type = "application/json; charset=utf-8"
        resp.data = msgspec.json.encode({"error": receipt.reason})
