"""The one way out: every request to another server goes through `Fetcher`.

It trusts neither names nor servers. The address is checked on the socket that is about to connect, so a name that
resolves differently the second time gains nothing; redirects are followed by hand and checked like first requests.
"""

import asyncio
import errno
import importlib
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, Self
from urllib.parse import quote, urljoin, urlsplit

from phiomia import __version__
from phiomia.platform.inflate import Inflater, UnknownEncoding
from phiomia.platform.limits import JSON_BODY_BYTES
from phiomia.platform.reachable import Network, is_public, is_within

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

# Ports below 1024 belong to other protocols, and these above it to what people run next to a web server.
_CLOSED_PORTS: Final = frozenset((2375, 3306, 5432, 6379, 6665, 6666, 6667, 6668, 6669, 9200, 11211, 27017))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_CHUNK: Final = 64 * 1024
_CONTROLS: Final = re.compile(r"[\x00-\x20\\\x7f]")
_NAME: Final = re.compile(r"[0-9A-Za-z._-]+")
# Many servers close what is idle for five seconds. Who sends at that moment gets no answer and takes them for away.
_IDLE_SECONDS: Final = 4.0
_AUTHORITIES: Final = "SSL_CERT_FILE"
_PRIVATE: Final = frozenset(("authorization", "signature", "signature-input"))

Headers = Mapping[str, str]
# Headers for one hop: given its method and URL, once there is a connection to send it on.
Prepare = Callable[[str, str], Headers]
_at_last: ContextVar[Callable[[], Headers] | None] = ContextVar("at_last", default=None)


class FetchFailed(Exception):
    """No answer of use came. `retry` says whether trying later makes sense."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.retry = retry


class FetchRefused(FetchFailed):
    """We do not ask: the address, the scheme, the port or the redirect is not allowed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, retry=False)


class TooLarge(FetchFailed):
    """The body, as sent or unpacked, is larger than the limit."""

    def __init__(self) -> None:
        super().__init__("the body is too large", retry=False)


class TooSlow(FetchFailed):
    """The deadline passed."""

    def __init__(self) -> None:
        super().__init__("the answer took too long", retry=True)


class AddressRefused(OSError):
    """A socket that is not opened."""

    def __init__(self) -> None:
        # The same text each time: connecting code then passes the error on, instead of a summary of several.
        super().__init__(errno.EACCES, "the address is not public")


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """How far the fetcher goes."""

    base_url: str
    allow_private: tuple[Network, ...] = ()
    # Hosts, with their port if it is not 443, that are us.
    own_hosts: frozenset[str] = frozenset()
    seconds: float = 10.0
    connect_seconds: float = 5.0
    body_bytes: int = JSON_BODY_BYTES
    redirects: int = 3
    per_host: int = 4
    ssl_context: ssl.SSLContext | None = None
    resolver: "Callable[[], AbstractResolver] | None" = field(default=None)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status. Names of headers are in lower case; `url` is the one that answered."""

    status: int
    headers: Headers
    body: bytes
    url: str

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class _Cap(NamedTuple):
    """The most bytes of a body, and where they go if not into memory."""

    most: int
    into: BinaryIO | None


class Fetcher:
    """Asks other servers. Belongs to one event loop; close it, or use it with `async with`."""

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._agent = f"Phiomia/{__version__} (+{options.base_url.rstrip('/')}/)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all connections."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Headers | None = None,
        body: bytes | None = None,
        prepare: Prepare | None = None,
        content_type: Callable[[str], bool] | None = None,
        body_bytes: int | None = None,
        seconds: float | None = None,
        into: BinaryIO | None = None,
    ) -> Response:
        """The answer to a request, after at most three redirects if it is a GET or HEAD.

        `prepare` gives further headers for each hop, such as a signature. `content_type` says of the header
        Content-Type of a 2xx answer whether it is wanted. With `into` the body is written there instead of being
        held in memory. Raises FetchFailed.
        """
        cap = _Cap(self._options.body_bytes if body_bytes is None else body_bytes, into)
        try:
            async with asyncio.timeout(self._options.seconds if seconds is None else seconds):
                return await self._follow(url, method, dict(headers or {}), body, prepare, content_type, cap)
        except TimeoutError as late:
            raise TooSlow from late

    async def _follow(
        self,
        url: str,
        method: str,
        headers: dict[str, str],
        body: bytes | None,
        prepare: Prepare | None,
        content_type: Callable[[str], bool] | None,
        cap: "_Cap",
    ) -> Response:
        url = self.normalise(url)
        for _ in range(self._options.redirects + 1):
            _at_last.set(partial(prepare, method, url) if prepare else None)
            answer = await self._once(method, url, headers, body, content_type, cap)
            if answer.status not in _REDIRECTS or method not in ("GET", "HEAD"):
                return answer
            target = self.normalise(_location(answer))
            if url.startswith("https:") and not target.startswith("https:"):
                raise FetchRefused("a redirect to a lesser scheme")
            if urlsplit(target).netloc != urlsplit(url).netloc:
                headers = {name: value for name, value in headers.items() if name.lower() not in _PRIVATE}
            url = target
        raise FetchRefused("too many redirects")

    async def _once(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes | None,
        content_type: Callable[[str], bool] | None,
        cap: "_Cap",
    ) -> Response:
        import aiohttp
        from yarl import URL

        try:
            session = await self._session(url)
            async with session.request(
                method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
            ) as answer:
                names = {name.lower(): ", ".join(answer.headers.getall(name)) for name in answer.headers}
                if answer.status in _REDIRECTS:
                    # Nobody reads it, and reading would let each hop cost the whole allowance.
                    answer.close()
                    return Response(answer.status, names, b"", url)
                if content_type and 200 <= answer.status < 300 and not content_type(names.get("content-type", "")):
                    answer.close()
                    raise FetchFailed(f"unwanted content type {names.get('content-type', '')!r}", retry=False)
                return Response(answer.status, names, await _read(answer, names, cap), url)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                raise FetchRefused(str(error.os_error)) from error
            raise FetchFailed(f"no connection: {error}", retry=True) from error
        except ValueError as error:
            # Also from the resolver, of names with labels that are too long.
            raise FetchRefused(f"not a URL: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise FetchFailed(f"{type(error).__name__}: {error}", retry=True) from error

    async def _session(self, url: str) -> "aiohttp.ClientSession":
        scheme = url.partition(":")[0]
        if scheme == "https" and scheme not in self._sessions:
            context = self._options.ssl_context or await asyncio.to_thread(_trust)
            if scheme not in self._sessions:
                self._sessions[scheme] = self._open(self._open_tls, context)
        elif scheme not in self._sessions:
            self._sessions[scheme] = self._open(self._open_plain)
        return self._sessions[scheme]

    def _open(
        self, opener: Callable[[Any], socket.socket], context: ssl.SSLContext | None = None
    ) -> "aiohttp.ClientSession":
        import aiohttp

        options = self._options
        connector = aiohttp.TCPConnector(
            # How much is asked at once is for callers to say: here hosts that are away would hold up the others.
            limit=0,
            limit_per_host=options.per_host,
            keepalive_timeout=_IDLE_SECONDS,
            socket_factory=opener,
            resolver=options.resolver() if options.resolver else None,
            ssl=context or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            request_class=_request_class(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=options.connect_seconds),
            headers={"User-Agent": self._agent, "Accept-Encoding": "gzip"},
        )

    def _open_tls(self, info: Any) -> socket.socket:
        address = str(info[4][0])
        if not is_public(address) and not is_within(address, self._options.allow_private):
            raise AddressRefused
        return _socket(info)

    def _open_plain(self, info: Any) -> socket.socket:
        if not is_within(str(info[4][0]), self._options.allow_private):
            raise AddressRefused
        return _socket(info)

    def normalise(self, url: str) -> str:
        """The URL as it is sent: host in ASCII and lower case, no fragment. Raises FetchRefused."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise FetchRefused(f"not a URL: {error}") from error
        if parts.scheme not in (("https", "http") if self._options.allow_private else ("https",)):
            raise FetchRefused(f"the scheme {parts.scheme!r}")
        if not host or "@" in parts.netloc or _CONTROLS.search(url):
            raise FetchRefused("not a URL of a server")
        if port is not None and (port in _CLOSED_PORTS or (port < 1024 and port not in (80, 443))):
            raise FetchRefused(f"the port {port}")
        netloc = _ascii(host) + ("" if port in (None, 443 if parts.scheme == "https" else 80) else f":{port}")
        if netloc in self._options.own_hosts:
            raise FetchRefused("our own host")
        query = f"?{_quoted(parts.query)}" if parts.query else ""
        return f"{parts.scheme}://{netloc}{_quoted(parts.path) or '/'}{query}"


@cache
def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    return context


def load_library() -> None:
    """Loads aiohttp, in a process that has no second thread yet.

    It reads the certificates of all authorities twice meanwhile, which takes longer than the rest of it, for contexts
    that are never used here. So it finds none.
    """
    told = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    try:
        importlib.import_module("aiohttp")
    finally:
        del os.environ[_AUTHORITIES]
        if told is not None:
            os.environ[_AUTHORITIES] = told


@cache
def _request_class() -> "type[aiohttp.ClientRequest]":
    import aiohttp

    class Request(aiohttp.ClientRequest):
        # A signature takes longer to make than all else of a request, and for who is away it need not be made.
        async def send(self, conn: Any) -> "aiohttp.ClientResponse":
            prepare = _at_last.get()
            if prepare is not None:
                self.headers.update(prepare())
            return await super().send(conn)

    return Request


def _socket(info: Any) -> socket.socket:
    family, kind, protocol, _, _ = info
    return socket.socket(family=family, type=kind, proto=protocol)


async def _read(answer: "aiohttp.ClientResponse", headers: Headers, bound: "_Cap") -> bytes:
    cap, into = bound
    try:
        inflater = Inflater(headers.get("content-encoding", ""), cap)
    except UnknownEncoding as error:
        raise FetchFailed(str(error), retry=False) from error
    if (answer.content_length or 0) > cap:
        answer.close()
        raise TooLarge
    body, sent = bytearray(), 0
    try:
        async for chunk in answer.content.iter_chunked(_CHUNK):
            sent += len(chunk)
            found = inflater.feed(chunk)
            if into is None:
                body += found
            else:
                into.write(found)
            if sent > cap or inflater.overflow:
                answer.close()
                raise TooLarge
    except ValueError as error:
        raise FetchFailed(str(error), retry=False) from error
    if not inflater.complete:
        raise FetchFailed("the body is cut off", retry=True)
    return bytes(body)


def _location(answer: Response) -> str:
    target = answer.headers.get("location")
    if not target:
        raise FetchFailed("a redirect to nowhere", retry=False)
    try:
        return urljoin(answer.url, target)
    except ValueError as error:
        raise FetchRefused(f"not a URL: {error}") from error


def _quoted(part: str) -> str:
    """What is not ASCII as percent-encoded UTF-8. The rest stays: ids are compared letter by letter."""
    try:
        return part if part.isascii() else quote(part, safe="".join(map(chr, range(33, 127))))
    except UnicodeEncodeError as error:
        raise FetchRefused("not a URL: lone surrogates") from error


def _ascii(host: str) -> str:
    from yarl import URL

    host = host.rstrip(".").lower()
    if ":" in host:
        return f"[{host}]"
    try:
        if not host.isascii():
            host = URL.build(scheme="https", host=host).raw_host or ""
    except ValueError as error:
        raise FetchRefused(f"not a name: {host!r}") from error
    if not _NAME.fullmatch(host):
        raise FetchRefused(f"not a name: {host!r}")
    last = host.rsplit(".", 1)[-1]
    if (last.isdigit() or last.startswith("0x")) and not _is_plain_ipv4(host):
        # Resolvers read 127.1 and 0x7f000001 as addresses.
        raise FetchRefused(f"an address in disguise: {host!r}")
    return host


def _is_plain_ipv4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and str(int(part)) == part and int(part) < 256 for part in parts)
