"""One request for a document, and what all answers have in common: headers, packing, refusals."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import falcon.asgi
import msgspec

from phiomia.activitypub.signatures.request import SignatureMalformed, SignatureRefused
from phiomia.activitypub.types import ACTIVITY
from phiomia.domain.errors import DomainError, Limited, NotAllowed, NotFound
from phiomia.federation.context import Federation
from phiomia.federation.documents.contexts import declare
from phiomia.federation.documents.rendered import Rendered, encode
from phiomia.federation.keys import KeyUnavailable
from phiomia.federation.negotiation import takes_document, takes_gzip
from phiomia.federation.signed_fetch import Asker, find_asker, find_claimed_host, is_signed
from phiomia.platform.addresses import client_address
from phiomia.platform.db import Conflict, TooSlow, Unavailable
from phiomia.platform.log import bind_request, get_logger, unbind_request
from phiomia.platform.request_ids import choose_request_id

log = get_logger("federation")

DOCUMENT: Final = f"{ACTIVITY}; charset=utf-8"
_PUBLIC: Final = "public, max-age=180"
_PRIVATE: Final = "private, no-store"
_RETRY_SECONDS: Final = "5"
_WELL_KNOWN: Final = "/.well-known/"


class Gone(Exception):
    """It was here once. `document` says so in the protocol's words."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        super().__init__("gone")
        self.document = document


class NotAcceptable(Exception):
    """There is nothing here of the kind that was asked for."""


class BadRequest(Exception):
    """It can't be known what was asked for; the message says why."""


class Ask:
    """One request on its way through a handler."""

    __slots__ = ("_asker", "federation", "over", "path", "private", "req", "request_id", "resp")

    def __init__(
        self, federation: Federation, req: falcon.asgi.Request, resp: falcon.asgi.Response, path: Mapping[str, str]
    ) -> None:
        self.federation = federation
        self.req = req
        self.resp = resp
        self.path = path
        self.private = False
        self._asker: Asker | None = None
        self.over = False
        sent = req.get_header("X-Request-Id")
        self.request_id = choose_request_id(sent, req.remote_addr or "", federation.config.trusted_proxies)

    def describe(self) -> dict[str, Any]:
        """What lines of the log tell of this request."""
        return {} if self.over else {"request": self.request_id, "method": self.req.method, "path": self.req.path}

    @property
    def address(self) -> str:
        """The address of who asks."""
        forwarded = self.req.get_header("X-Forwarded-For")
        return client_address(self.req.remote_addr or "", forwarded, self.federation.config.trusted_proxies)

    @property
    def secure_mode(self) -> bool:
        """Whether only those get anything who say who they are."""
        settings = self.federation.config.federation
        return settings.authorized_fetch == "on" or settings.mode == "allowlist"

    @property
    def signed(self) -> bool:
        """Whether the request claims to be signed."""
        return is_signed(self.req)

    async def find_viewer(self) -> int | None:
        """The account of who asks; None for strangers. The answer is for them alone. Raises SignatureRefused."""
        self.private = True
        return (await self.find_asker()).account_id

    async def find_asker(self) -> Asker:
        """Who asks. Raises SignatureRefused, NotAllowed."""
        if self._asker is None:
            self._asker = await find_asker(self.federation, self.req)
        return self._asker

    async def admit(self) -> None:
        """Lets everybody in, or in secure mode those who sign. Raises SignatureRefused, NotAllowed."""
        if self.secure_mode:
            await self.find_viewer()

    def answer(self, rendered: Rendered, content_type: str = DOCUMENT, cache: str = _PUBLIC) -> None:
        """Answers with a document, or with nothing if the asker has it already."""
        resp = self.resp
        resp.set_headers(
            [
                ("ETag", rendered.etag),
                ("Vary", "Accept, Accept-Encoding, Signature" if self.private else "Accept, Accept-Encoding"),
                ("Cache-Control", _PRIVATE if self.private else cache),
                ("Access-Control-Allow-Origin", "*"),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Request-Id", self.request_id),
            ]
        )
        known = self.req.get_header("If-None-Match")
        if known and _has(known, rendered.etag):
            resp.status = 304
            return
        resp.content_type = content_type
        if rendered.packed is not None and takes_gzip(self.req.get_header("Accept-Encoding") or ""):
            resp.set_header("Content-Encoding", "gzip")
            resp.data = rendered.packed
        else:
            resp.data = rendered.body

    def answer_with(self, document: dict[str, Any]) -> None:
        """Answers with a document that is not kept."""
        self.answer(encode(declare(document)))

    def go(self, location: str) -> None:
        """Sends the asker to another address."""
        self.resp.status = 302
        self.resp.set_header("Location", location)
        self.resp.set_header("Vary", "Accept")


Handler = Callable[[Ask], Awaitable[None]]


def responder(federation: Federation, handler: Handler) -> Callable[..., Awaitable[None]]:
    """A handler as the framework calls it. It never raises."""

    async def respond(req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
        ask = Ask(federation, req, resp, path)
        bind_request(ask)
        try:
            await handler(ask)
        except Exception as error:
            _refuse(ask, error)
        finally:
            ask.over = True
            unbind_request()

    return respond


def documents_only(handler: Handler) -> Handler:
    """The handler of an address that has no page."""

    async def checked(ask: Ask) -> None:
        if not takes_document(ask.req.get_header("Accept") or ""):
            raise NotAcceptable
        await handler(ask)

    return checked


def resource(federation: Federation, handler: Handler) -> object:
    """What the framework routes to: GET and HEAD of a handler."""
    respond = staticmethod(responder(federation, handler))
    return type("Document", (), {"QUICK": True, "on_get": respond, "on_head": respond})()


def _has(known: str, etag: str) -> bool:
    return known.strip() == "*" or etag.removeprefix("W/") in [
        one.strip().removeprefix("W/") for one in known.split(",")
    ]


def _refuse(ask: Ask, error: Exception) -> None:
    status, words = _explain(error)
    resp = ask.resp
    if status == 500:
        log.error("unforeseen error", status=500, exc_info=error)
    if status in (400, 401, 403):
        log.info("a request was refused", status=status, reason=str(error), host=find_claimed_host(ask.req))
    if status == 503:
        log.warning("a request had to be put off", status=503, reason=str(error))
        resp.set_header("Retry-After", _RETRY_SECONDS)
    if isinstance(error, Limited):
        resp.set_header("Retry-After", str(error.retry_after))
    resp.status = status
    # Who is looked for in vain is looked for often; whether a document is there may depend on who asks.
    forgettable = status in (404, 410) and ask.req.path.startswith(_WELL_KNOWN)
    resp.set_headers(
        [
            ("Vary", "Accept, Signature"),
            ("Cache-Control", _PUBLIC if forgettable else "no-store"),
            ("Access-Control-Allow-Origin", "*"),
            ("X-Request-Id", ask.request_id),
        ]
    )
    if isinstance(error, Gone) and error.document is not None:
        resp.content_type = DOCUMENT
        resp.data = msgspec.json.encode(declare(error.document))
        return
    resp.content_type = "application/json; charset=utf-8"
    resp.data = msgspec.json.encode({"error": words})


def _explain(error: Exception) -> tuple[int, str]:
    match error:
        case NotFound():
            return 404, str(error)
        case Gone():
            return 410, "Gone"
        case NotAcceptable():
            return 406, "There is no page at this address, only a document"
        case BadRequest():
            return 400, str(error)
        case NotAllowed():
            return 403, str(error)
        case KeyUnavailable():
            return 503, str(error)
        case SignatureMalformed():
            return 400, str(error)
        case SignatureRefused():
            return 401, str(error)
        case Limited():
            return 429, str(error)
        case DomainError():
            return 400, str(error)
        case Conflict():
            return 409, "Somebody was faster"
        case Unavailable() | TooSlow():
            return 503, "The server can't reach its database right now"
    return 500, "Something went wrong"
