"""An endpoint: declared beside its handler, collected for routing, OpenAPI and the coverage table.

    @endpoint("POST", "/api/v1/statuses/:id/favourite", scopes=("write:favourites",), returns="entity:Status")
    async def favourite(call: Call, params: None) -> bytes: ...

The wrapper finds the bearer, counts the request, reads and checks the parameters, and turns the answer
(bytes of JSON, or anything msgspec encodes) into a response. Handlers raise domain errors or ApiError.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple, get_type_hints

import falcon.asgi
import msgspec
from isal import igzip

from phiomia.api.context import Api
from phiomia.api.errors import ApiError, from_exception
from phiomia.api.params import WITHOUT_BODY, Form, Reader, read_form, read_query
from phiomia.domain.oauth.bearers import Bearer
from phiomia.platform.addresses import client_address, network_of
from phiomia.platform.asgi import App
from phiomia.platform.log import bind_request, get_logger, unbind_request
from phiomia.platform.metrics import http
from phiomia.platform.rates import Allowance
from phiomia.platform.request_ids import choose_request_id

log = get_logger("api")

Access = Literal["public", "optional", "app", "user"]
Handler = Callable[["Call", Any], Awaitable[Any]]

_encode = msgspec.json.encode
_COMPRESS_ABOVE = 1_024
_JSON = "application/json; charset=utf-8"
EXPOSED = "Link, X-RateLimit-Reset, X-RateLimit-Limit, X-RateLimit-Remaining, X-Request-Id, Mastodon-Async-Refresh"
_METHODS = ("get", "head", "post", "put", "patch", "delete")
_COMMON = {"access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED}
_PAGING = frozenset({"page", "min_id", "max_id", "since_id"})


class Endpoint(NamedTuple):
    """One method of one path. `path` is written as in the documentation: /api/v1/statuses/:id."""

    method: str
    path: str
    handler: Handler
    scopes: tuple[str, ...]
    access: Access
    returns: str
    params: type | None
    paginated: str | None
    rate: str | None
    upload_bytes: int
    unconfirmed: bool
    summary: str
    deprecation: str = ""


ENDPOINTS: list[Endpoint] = []


def endpoint(
    method: str,
    path: str,
    *,
    returns: str,
    scopes: Sequence[str] = (),
    access: Access = "user",
    paginated: str | None = None,
    rate: str | None = None,
    upload_bytes: int = 0,
    unconfirmed: bool = False,
    deprecated: str = "",
) -> Callable[[Handler], Handler]:
    """Declares an endpoint.

    access: public (no token looked at), optional (more with a token), app (any token), user (a person's).
    returns: the type as in the facts, `entity:Status`, `array<entity:Account>`, `empty`.
    rate: name of the further limit in `config.rate_limits`. upload_bytes: the largest file it takes.
    deprecated: since which day, `2022-11-14`, apps are told that there is something better (RFC 9745).
    """

    def declare(handler: Handler) -> Handler:
        kind = get_type_hints(handler, include_extras=True).get("params")
        params = kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None
        summary = (handler.__doc__ or "").strip().split("\n")[0]
        ENDPOINTS.append(
            Endpoint(
                method, path, handler, tuple(scopes), access, returns, params, paginated, rate, upload_bytes,
                unconfirmed, summary, _write_deprecation(deprecated),
            )
        )  # fmt: skip
        return handler

    return declare


def _write_deprecation(day: str) -> str:
    return f"@{int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())}" if day else ""


class Call:
    """One request on its way through a handler."""

    __slots__ = ("api", "bearer", "form", "over", "path", "req", "request_id", "resp")

    def __init__(self, api: Api, req: falcon.asgi.Request, resp: falcon.asgi.Response, path: dict[str, str]) -> None:
        self.api = api
        self.req = req
        self.resp = resp
        self.path = path
        self.bearer: Bearer | None = None
        self.form: Form | None = None
        self.over = False
        self.request_id = ""

    def identify(self) -> str:
        """The id under which lines of the log speak of this request."""
        if not self.request_id:
            sent = self.req.get_header("X-Request-Id")
            remote = self.req.remote_addr or "" if sent else ""  # asking for it is not free
            self.request_id = choose_request_id(sent, remote, self.api.config.trusted_proxies)
        return self.request_id

    def describe(self) -> dict[str, Any]:
        """What lines of the log tell of this request; the query is not among it, for tokens may be in it."""
        if self.over:
            return {}  # a task that began in it outlives it
        told = {"request": self.identify(), "method": self.req.method, "path": self.req.path}
        return told if self.viewer is None else told | {"account": self.viewer}

    @property
    def viewer(self) -> int | None:
        """The account that looks, or None."""
        return self.bearer.account_id if self.bearer else None

    @property
    def actor(self) -> int:
        """The account that acts; only on endpoints with access `user`."""
        assert self.bearer is not None and self.bearer.account_id is not None
        return self.bearer.account_id

    @property
    def id(self) -> int:
        """The id in the path. Raises 404 for what can't be one."""
        return self.path_id("id")

    def path_id(self, name: str) -> int:
        """A named id in the path. Raises 404 for what can't be one."""
        text = self.path[name]
        if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 2**63:
            raise ApiError(404, "Record not found")
        return int(text)

    @property
    def address(self) -> str:
        """The client's address, believed from trusted proxies only."""
        forwarded = self.req.get_header("X-Forwarded-For")
        return client_address(self.req.remote_addr or "", forwarded, self.api.config.trusted_proxies)

    def header(self, name: str, value: str) -> None:
        """Sets a response header."""
        self.resp.set_header(name, value)


def mount(app: App, api: Api) -> None:
    """Adds every declared endpoint to the Falcon app."""
    by_path: dict[str, list[Endpoint]] = {}
    for declared in ENDPOINTS:
        by_path.setdefault(_template(declared.path), []).append(declared)
    for template, declared_here in by_path.items():
        app.add_route(template, _resource(declared_here, api))


@cache
def make_reader(params: type) -> Reader:
    """The one reader of a type of parameters."""
    return Reader(params)


def make_readers() -> None:
    """Makes those of every declared endpoint; what is made before a process is copied is in memory once."""
    for declared in ENDPOINTS:
        if declared.params:
            make_reader(declared.params)


def _template(path: str) -> str:
    return "/".join("{" + part[1:] + "}" if part.startswith(":") else part for part in path.split("/"))


def _resource(many: list[Endpoint], api: Api) -> object:
    members: dict[str, Any] = {f"on_{one.method.lower()}": staticmethod(_responder(one, api)) for one in many}
    if "on_get" in members:
        members["on_head"] = members["on_get"]
    allowed = ", ".join([*sorted(name.removeprefix("on_").upper() for name in members), "OPTIONS"])
    members["on_options"] = staticmethod(_preflight(allowed))
    refuse = staticmethod(_not_allowed(allowed))
    for method in _METHODS:
        members.setdefault(f"on_{method}", refuse)
    members["QUICK"] = True
    return type("Resource", (), members)()


def _not_allowed(allowed: str) -> Callable[..., Awaitable[None]]:
    async def refuse(req: falcon.asgi.Request, resp: falcon.asgi.Response, **_path: str) -> None:
        _refuse(resp, ApiError(405, "Method Not Allowed", headers={"Allow": allowed}))
        resp.set_headers(_COMMON)

    return refuse


def _preflight(allowed: str) -> Callable[..., Awaitable[None]]:
    async def on_options(req: falcon.asgi.Request, resp: falcon.asgi.Response, **_path: str) -> None:
        resp.status = falcon.HTTP_204
        resp.set_headers(
            [
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Methods", allowed),
                ("Access-Control-Allow-Headers", req.get_header("Access-Control-Request-Headers") or "*"),
                ("Access-Control-Max-Age", "86400"),
                ("Allow", allowed),
            ]
        )

    return on_options


def _responder(declared: Endpoint, api: Api) -> Callable[..., Awaitable[None]]:
    reader = make_reader(declared.params) if declared.params else None
    handler = declared.handler
    upload_bytes = declared.upload_bytes
    rate = getattr(api.config.rate_limits, declared.rate) if declared.rate else None

    limits = api.config.rate_limits
    public, method, deprecation = declared.access == "public", declared.method, declared.deprecation
    reads, reads_body = reader is not None or upload_bytes > 0, method not in WITHOUT_BODY

    async def respond(req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
        start = time.perf_counter()
        call = Call(api, req, resp, path)
        bind_request(call)
        try:
            if not public:
                token = bearer_token(req)
                if token is not None:
                    call.bearer = api.bearers.recall(token) or await _find_bearer(api, token)
                _check_access(declared, call.bearer)
            if limits.enabled:
                _count(declared, rate, call)
            params = None
            if reads:
                if reads_body:
                    call.form = await read_form(req, upload_bytes=upload_bytes, temporary=api.temporary)
                else:
                    call.form = read_query(req.query_string)
                params = reader.read(call.form.tree) if reader is not None else None
            answer = await handler(call, params)
            if answer is not None:
                _send(req, resp, answer if isinstance(answer, bytes) else _encode(answer))
        except Exception as error:
            _refuse(resp, error)
        finally:
            if call.form is not None and call.form.files:
                call.form.discard()
        resp.set_headers(_COMMON)
        resp.set_header("x-request-id", call.identify())
        if deprecation:
            resp.set_header("Deprecation", deprecation)
        seconds = time.perf_counter() - start
        http.observe(method, resp.status_code, seconds)
        if seconds * 1000 > api.config.log.slow_ms:
            log.warning("slow request", status=resp.status_code, ms=round(seconds * 1000))
        call.over = True
        unbind_request()

    return respond


async def _find_bearer(api: Api, token: str) -> Bearer:
    bearer = await api.bearers.find(token)
    if bearer is None:
        raise ApiError(401, "The access token is invalid")
    return bearer


def bearer_token(req: falcon.asgi.Request) -> str | None:
    """The token a request carries: in its header, or as a query parameter."""
    header = req.get_header("Authorization")
    if header:
        kind, _, token = header.partition(" ")
        return token.strip() if kind.lower() == "bearer" else None
    if req.query_string and "_token=" in req.query_string:
        return req.get_param("access_token") or req.get_param("bearer_token")
    return None


def _check_access(declared: Endpoint, bearer: Bearer | None) -> None:
    if bearer is None:
        if declared.access == "optional":
            return
        raise ApiError(401, "The access token is invalid")
    if not bearer.may(*declared.scopes):
        raise ApiError(403, "This action is outside the authorized scopes")
    if bearer.account_id is None:
        if declared.access == "user":
            raise ApiError(422, "This method requires an authenticated user")
        return
    if declared.access != "user":
        return
    if bearer.disabled:
        raise ApiError(403, "Your login is currently disabled")
    if bearer.suspended:
        raise ApiError(403, "Your login is currently disabled")
    if declared.unconfirmed:
        return
    if not bearer.confirmed:
        raise ApiError(403, "Your login is missing a confirmed e-mail address")
    if not bearer.approved:
        raise ApiError(403, "Your login is currently pending approval")


def _count(declared: Endpoint, rate: tuple[int, int] | None, call: Call) -> None:
    rules, rates, bearer, viewer = call.api.config.rate_limits, call.api.rates, call.bearer, call.viewer
    who: int | str = viewer if viewer is not None else network_of(call.address)
    if bearer is None:
        allowance = rates.count("ip", who, *rules.ip)
    else:
        allowance = rates.count("token", bearer.token_id, *rules.token)
        if viewer is not None:
            allowance = _closest(allowance, rates.count("account", who, *rules.account))
    if call.req.query_string and not _PAGING.isdisjoint(call.req.params):
        allowance = _closest(allowance, rates.count("paging", who, *rules.paging))
    if rate is not None and declared.rate is not None:
        allowance = _closest(allowance, rates.count(declared.rate, who, *rate))
    call.resp.set_headers(
        [
            ("X-RateLimit-Limit", str(allowance.limit)),
            ("X-RateLimit-Remaining", str(allowance.remaining)),
            ("X-RateLimit-Reset", _write_reset(allowance.reset)),
        ]
    )
    if allowance.exceeded:
        wait = max(1, allowance.reset - int(time.time()))
        raise ApiError(429, "Too many requests", headers={"Retry-After": str(wait)})


@lru_cache(maxsize=64)
def _write_reset(moment: int) -> str:
    # Limits end together: a few moments serve every request of some minutes.
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def _closest(one: Allowance, other: Allowance) -> Allowance:
    return one if (one.exceeded, -one.remaining) >= (other.exceeded, -other.remaining) else other


def _send(req: falcon.asgi.Request, resp: falcon.asgi.Response, body: bytes) -> None:
    resp.content_type = _JSON
    if len(body) > _COMPRESS_ABOVE and "gzip" in (req.get_header("Accept-Encoding") or ""):
        body = igzip.compress(body, 1)
        resp.set_header("Content-Encoding", "gzip")
        resp.set_header("Vary", "Accept-Encoding, Authorization, Origin")
    resp.data = body


def _refuse(resp: falcon.asgi.Response, error: Exception) -> None:
    known = from_exception(error)
    if known is None:
        log.error("unforeseen error", status=500, exc_info=error)
        known = ApiError(500, "Something went wrong on our end")
    elif known.status == 503:
        log.warning("a request had to be put off", status=503, reason=str(error))
    resp.status = known.status
    resp.content_type = _JSON
    resp.data = known.encode()
    for name, value in known.headers.items():
        resp.set_header(name, value)
