"""One request of a browser, and what every page has in common: session, forms, headers, errors."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import falcon
import falcon.asgi
from isal import igzip

from phiomia.domain.errors import DomainError, Invalid, Limited, NotAllowed, NotFound
from phiomia.domain.users.secret import make_secret
from phiomia.domain.users.sessions import SignedIn, find_session, touch_session
from phiomia.platform.addresses import client_address, network_of
from phiomia.platform.bodies import CutOff
from phiomia.platform.db import Conflict, TooSlow, Unavailable
from phiomia.platform.limits import SESSION_SECONDS
from phiomia.platform.log import bind_request, get_logger, unbind_request
from phiomia.platform.request_ids import choose_request_id
from phiomia.web.context import WebContext
from phiomia.web.render import render

log = get_logger("web")

SESSION_COOKIE = "_phiomia_session"
_FORM_BYTES = 64 * 1024
_FORM_FIELDS = 100
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FORMS_STAY = "; form-action 'self'"
_SHORTLY = "public, max-age=15"
_GONE = "What stood at this address was deleted or hidden, or it never existed."
_RETRY_SECONDS = 5

Handler = Callable[["Visit"], Awaitable[None]]


class Refusal(Exception):
    """A page that says why not."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Visit:
    """One request on its way through a page's handler."""

    __slots__ = ("_form_secret", "context", "form", "over", "path", "query", "req", "request_id", "resp", "session")

    def __init__(
        self, context: WebContext, req: falcon.asgi.Request, resp: falcon.asgi.Response, path: Mapping[str, str]
    ) -> None:
        self.context = context
        self.req = req
        self.resp = resp
        self.path = path
        self.query: dict[str, str] = {}
        self.form: dict[str, str] = {}
        self.session: SignedIn | None = None
        self._form_secret = ""
        self.over = False
        sent = req.get_header("X-Request-Id")
        self.request_id = choose_request_id(sent, req.remote_addr or "", context.config.trusted_proxies)

    def describe(self) -> dict[str, Any]:
        """What lines of the log tell of this request; neither its query nor its form, which hold secrets."""
        if self.over:
            return {}  # a task that began in it outlives it
        told = {"request": self.request_id, "method": self.req.method, "path": self.req.path}
        return told if self.session is None else told | {"account": self.session.account_id}

    @property
    def address(self) -> str:
        """The browser's address."""
        forwarded = self.req.get_header("X-Forwarded-For")
        return client_address(self.req.remote_addr or "", forwarded, self.context.config.trusted_proxies)

    @property
    def network(self) -> str:
        """What visitors are counted by."""
        return network_of(self.address)

    @property
    def member(self) -> SignedIn:
        """Who is signed in; on pages that have made sure of it."""
        assert self.session is not None
        return self.session

    def show(self, template: str, status: int = 200, *, forms_leave: bool = False, **values: Any) -> None:
        """Answers with a page. `forms_leave`: its form may lead to another site.

        Browsers apply `form-action` to every redirect that follows a form, so where the way may end at an app, of
        whatever scheme, the directive has to be left out.
        """
        self._answer(template, status, _POLICY if forms_leave else _POLICY + _FORMS_STAY, self._csrf(), values)

    def show_public(self, template: str, status: int = 200, **values: Any) -> None:
        """Answers with a page that is the same for everybody who is not signed in: it may be kept for a moment."""
        anonymous = self.session is None
        # Without a form there is nothing to protect: who only reads gets no cookie.
        self._answer(template, status, _POLICY + _FORMS_STAY, "" if anonymous else self._csrf(), values)
        self.resp.set_header("Vary", "Accept-Encoding, Cookie")
        if anonymous and status == 200:
            self.resp.set_header("Cache-Control", _SHORTLY)
        if anonymous and "gzip" in (self.req.get_header("Accept-Encoding") or ""):
            self.resp.data = igzip.compress(self.resp.data, 1)
            self.resp.set_header("Content-Encoding", "gzip")

    def _answer(self, template: str, status: int, policy: str, csrf: str, values: dict[str, Any]) -> None:
        config = self.context.config
        self.resp.status = status
        self.resp.content_type = "text/html; charset=utf-8"
        self.resp.set_header("Content-Security-Policy", policy)
        self.resp.data = render(
            f"{template}.html",
            {"server": config.instance, "domain": config.domain, "me": self.session, "csrf": csrf, **values},
        )

    def go(self, location: str, status: int = 302) -> None:
        """Answers with a redirect."""
        self.resp.status = status
        self.resp.set_header("Location", location)

    def begin(self, secret: str) -> None:
        """Sets the cookie of a session that was just opened."""
        self._set_cookie(SESSION_COOKIE, secret, SESSION_SECONDS)

    def end(self) -> None:
        """Takes the cookie of the session away."""
        self.resp.unset_cookie(SESSION_COOKIE, same_site="Lax", path="/")

    async def open(self) -> None:
        """Finds out whose browser it is, and reads what it sends. Raises Refusal for a form that is not ours."""
        self.query = dict(_pairs(self.req.query_string))
        await self._find_session()
        if self.req.method in ("GET", "HEAD"):
            return
        self.form = self.query | dict(_pairs(await self._read_body()))
        self._check_origin()

    def _check_origin(self) -> None:
        if self.req.get_header("Sec-Fetch-Site") == "cross-site":
            raise Refusal(403, "This form was sent from another site.")
        sent = self.form.get("csrf", "").encode()
        if not hmac.compare_digest(sent, self._csrf().encode()):
            raise Refusal(403, "This form is too old, or your browser does not keep cookies. Load the page again.")

    def _csrf(self) -> str:
        """What a form of ours carries: of the session, or of a cookie that another site can't read or set."""
        if self.session is not None:
            return self.session.csrf
        if not self._form_secret:
            self._form_secret = self._cookie(self._form_cookie)
        if not self._form_secret:
            self._form_secret = make_secret()
            self._set_cookie(self._form_cookie, self._form_secret, None)
        return sha256(b"form:" + self._form_secret.encode()).hexdigest()

    @property
    def _form_cookie(self) -> str:
        return "__Host-phiomia_form" if self.context.config.secure else "phiomia_form"

    async def _find_session(self) -> None:
        secret = self._cookie(SESSION_COOKIE)
        if not secret:
            return
        db = self.context.db
        async with db.read() as session:
            self.session = await find_session(session, secret)
        if self.session is not None and self.session.stale:
            session_id, address = self.session.session_id, self.address
            await db.write(lambda session: touch_session(session, session_id, address))
            self.begin(secret)

    async def _read_body(self) -> str:
        kind = (self.req.content_type or "").partition(";")[0].strip().lower()
        if kind not in ("", "application/x-www-form-urlencoded"):
            raise Refusal(415, "This page takes ordinary forms only.")
        body = b""
        async for chunk in self.req.stream:
            body += chunk
            if len(body) > _FORM_BYTES:
                raise Refusal(413, "This is too much for a form.")
        return body.decode("utf-8", "replace")

    def _cookie(self, name: str) -> str:
        values = self.req.get_cookie_values(name)
        return values[0] if values else ""

    def _set_cookie(self, name: str, value: str, seconds: int | None) -> None:
        self.resp.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.context.config.secure,
            http_only=True,
            same_site="Lax",
        )


def page(context: WebContext, *, get: Handler, post: Handler | None = None, delete: Handler | None = None) -> object:
    """A Falcon resource of a page's handlers."""
    members = {
        f"on_{method}": staticmethod(_responder(context, handler))
        for method, handler in {"get": get, "head": get, "post": post, "delete": delete}.items()
        if handler is not None
    }
    return type("Page", (), members)()


def _responder(context: WebContext, handler: Handler) -> Callable[..., Awaitable[None]]:
    async def respond(req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
        visit = Visit(context, req, resp, path)
        bind_request(visit)
        resp.set_headers(
            [
                ("Referrer-Policy", "no-referrer"),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "DENY"),
                ("Cache-Control", "private, no-store"),
                ("X-Request-Id", visit.request_id),
            ]
        )
        try:
            await visit.open()
            await handler(visit)
        except Exception as error:
            _refuse(visit, error)
        finally:
            visit.over = True
            unbind_request()

    return respond


def _refuse(visit: Visit, error: Exception) -> None:
    status, message = _explain(error)
    if status == 500:
        log.error("unforeseen error", status=500, exc_info=error)
    if isinstance(error, Limited):
        visit.resp.set_header("Retry-After", str(error.retry_after))
    if status == 503:
        log.warning("a request had to be put off", status=503, reason=str(error))
        visit.resp.set_header("Retry-After", str(_RETRY_SECONDS))
    title = "There is nothing here" if status == 404 else "That did not work"
    visit.show_public("message", status, title=title, text=message, link=None)


def _explain(error: Exception) -> tuple[int, str]:
    match error:
        case Refusal():
            return error.status, str(error)
        case CutOff():
            return 400, "The form did not arrive whole."
        case NotFound():
            return 404, _GONE
        case NotAllowed():
            return 403, str(error)
        case Limited():
            return 429, str(error)
        case Invalid() | DomainError():
            return 422, str(error)
        case Conflict():
            return 409, "Somebody was faster. Go back and try again."
        case Unavailable() | TooSlow():
            return 503, "The server can't reach its database right now. Try again in a minute."
    return 500, "Something went wrong on our side. It has been noted; try again later."


def announce(visit: Visit, uri: str) -> None:
    """Says under which id servers of the network know what the page shows; programs ask there for it."""
    visit.resp.append_header("Link", f'<{uri}>; rel="alternate"; type="application/activity+json"')


def _pairs(text: str) -> list[tuple[str, str]]:
    if not text:
        return []
    try:
        return parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_FORM_FIELDS)
    except ValueError:
        raise Refusal(400, "This address or form has too many parts.") from None


def local_path(text: str) -> str:
    """Where to go on after signing in: a path on this server, or the home page for anything else."""
    safe = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and " " not in text
    return text if safe and "\\" not in text else "/"
