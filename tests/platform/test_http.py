"""The fetcher reaches what it may and nothing else, and no server holds it up or fills its memory."""

import asyncio
import gzip
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from phiomia.platform import http
from phiomia.platform.http import (
    Fetcher,
    FetchFailed,
    FetchOptions,
    FetchRefused,
    Response,
    TooLarge,
    TooSlow,
)
from phiomia.platform.reachable import is_public, networks

LOOPBACK = networks(["127.0.0.0/8", "::1/128"])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Scene = Callable[[Fetcher, str], Awaitable[Any]]


class _Names(AbstractResolver):
    """Answers with the next of several addresses each time it is asked."""

    def __init__(self, addresses: list[list[str]]) -> None:
        self.addresses, self.asked = addresses, 0

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = self.addresses[min(self.asked, len(self.addresses) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


def _play(handler: Handler, scene: Scene, tls: ssl.SSLContext | None = None, **options: Any) -> list[web.Request]:
    """Runs a server and a fetcher that talks to it; gives the requests that arrived."""
    seen: list[web.Request] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request)  # type: ignore[arg-type]
        return await handler(request)  # type: ignore[arg-type]

    async def run() -> None:
        runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        try:
            settings = {"base_url": "https://ours.example", "allow_private": LOOPBACK, **options}
            async with Fetcher(FetchOptions(**settings)) as fetcher:
                await scene(fetcher, f"127.0.0.1:{port}")
        finally:
            await runner.cleanup()

    asyncio.run(run())
    return seen


async def _hello(request: web.Request) -> web.Response:
    return web.Response(text="hello", headers={"Set-Cookie": "a=b", "X-Two": "1"})


def _refused(url: str, **options: Any) -> list[web.Request]:
    async def scene(fetcher: Fetcher, host: str) -> None:
        with pytest.raises(FetchRefused):
            await fetcher.fetch(url.replace("HOST", host).replace("PORT", host.partition(":")[2]))

    return _play(_hello, scene, **options)


def test_an_answer() -> None:
    answers: list[Response] = []

    async def scene(fetcher: Fetcher, host: str) -> None:
        for _ in range(2):
            answers.append(await fetcher.fetch(f"http://{host}/a%7Eb?c=d%2F#e", headers={"Accept": "text/plain"}))

    seen = _play(_hello, scene)
    assert [(answer.status, answer.ok, answer.body) for answer in answers] == [(200, True, b"hello")] * 2
    assert answers[0].headers["x-two"] == "1"
    assert answers[0].url.endswith("/a%7Eb?c=d%2F")
    assert seen[1].raw_path == "/a%7Eb?c=d%2F"
    assert "Cookie" not in seen[1].headers
    assert seen[0].headers["User-Agent"].startswith("Phiomia/")
    assert seen[0].headers["User-Agent"].endswith("(+https://ours.example/)")


def test_a_connection_is_left_before_the_other_side_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many servers close what is idle for five seconds, and what comes then is answered by nobody."""
    assert http._IDLE_SECONDS < 5.0
    monkeypatch.setattr(http, "_IDLE_SECONDS", 0.2)
    ports: list[int] = []

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        return await _hello(request)

    async def scene(fetcher: Fetcher, host: str) -> None:
        for pause_s in (0.0, 0.4, 0.0):
            await fetcher.fetch(f"http://{host}/", method="POST", body=b"{}")
            await asyncio.sleep(pause_s)

    _play(note, scene)
    assert ports[0] == ports[1] != ports[2]


def test_environment_gives_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def scene(fetcher: Fetcher, host: str) -> None:
        assert (await fetcher.fetch(f"http://{host}/")).ok

    _play(_hello, scene)


@pytest.mark.parametrize(
    "url",
    [
        "http://HOST/",
        "https://HOST/",
        "https://localhost:PORT/",
        "https://localhost.:PORT/",
        "https://127.1:PORT/",
        "https://0x7f000001:PORT/",
        "https://017700000001:PORT/",
        "https://2130706433:PORT/",
        "https://[::ffff:127.0.0.1]:PORT/",
        "https://[64:ff9b::7f00:1]:PORT/",
        "https://[2002:7f00:1::]:PORT/",
        "https://[::1]:PORT/",
        "https://0.0.0.0:PORT/",
        "https://169.254.169.254/",
        "https://user@HOST/",
        "https:///x",
        "https://a b/",
        "https://example.com:0/",
        "https://example.com:22/",
        "https://example.com:6379/",
        "https://example.com:65536/",
        "https://[::1",
        f"https://{'a' * 70}.example/",
        "file:///etc/passwd",
        "gopher://HOST/",
        "data:text/plain,x",
        "",
        "https://ex\nample.com/",
        "https://ours.example/",
    ],
)
def test_what_is_not_public_is_refused(url: str) -> None:
    assert _refused(url, allow_private=(), own_hosts=frozenset(["ours.example"])) == []


def test_plain_http_only_to_allowed_networks() -> None:
    # A public address: it would be asked over TLS, but not without.
    names = _Names([["93.184.216.34"]])
    assert _refused("http://public.example:PORT/", resolver=lambda: names) == []
    assert names.asked == 1


def test_a_name_that_moves_to_a_private_address() -> None:
    names = _Names([["127.0.0.1"], ["10.0.0.1", "127.0.0.2"]])

    async def close(request: web.Request) -> web.Response:
        answer = web.Response(text="first")
        answer.force_close()
        return answer

    async def scene(fetcher: Fetcher, host: str) -> None:
        port = host.partition(":")[2]
        assert (await fetcher.fetch(f"http://moving.example:{port}/")).ok
        # The names are kept for some seconds by the connector; another spelling asks again.
        with pytest.raises(FetchRefused):
            await fetcher.fetch(f"http://moved.example:{port}/")

    seen = _play(close, scene, allow_private=networks(["127.0.0.1/32"]), resolver=lambda: names)
    assert (len(seen), names.asked) == (1, 2)


def test_all_addresses_of_a_name_are_checked() -> None:
    for addresses in (["127.0.0.1"], ["10.1.1.1", "127.0.0.1", "::1"], ["::ffff:127.0.0.1"]):
        names = _Names([addresses])
        assert _refused("https://many.example:PORT/", allow_private=(), resolver=lambda n=names: n) == []  # type: ignore[misc]


@pytest.mark.parametrize(
    "target",
    ["https://10.0.0.1/", "http://127.0.0.2:PORT/", "file:///etc/passwd", "//192.168.0.1/", "https://a.example:25/"],
)
def test_redirects_are_checked(target: str) -> None:
    async def away(request: web.Request) -> web.Response:
        port = request.host.partition(":")[2]
        return web.Response(status=302, headers={"Location": target.replace("PORT", port)})

    async def scene(fetcher: Fetcher, host: str) -> None:
        with pytest.raises(FetchRefused):
            await fetcher.fetch(f"http://{host}/")

    assert len(_play(away, scene, allow_private=networks(["127.0.0.1/32"]))) == 1


def test_redirects_end_and_are_prepared_anew() -> None:
    async def step(request: web.Request) -> web.Response:
        number = int(request.path[1:])
        return web.Response(status=301 + number % 2, headers={"Location": f"/{number - 1}"} if number else {})

    hops: list[tuple[str, str]] = []

    def prepare(method: str, url: str) -> dict[str, str]:
        hops.append((method, url[-2:]))
        return {"X-Hop": url[-1]}

    async def scene(fetcher: Fetcher, host: str) -> None:
        with pytest.raises(FetchFailed, match="nowhere"):
            await fetcher.fetch(f"http://{host}/3", prepare=prepare)
        with pytest.raises(FetchRefused, match="too many"):
            await fetcher.fetch(f"http://{host}/9")
        posted = await fetcher.fetch(f"http://{host}/5", method="POST", body=b"x")
        assert posted.status == 302

    seen = _play(step, scene)
    assert hops == [("GET", f"/{number}") for number in (3, 2, 1, 0)]
    assert [request.headers.get("X-Hop") for request in seen[:4]] == ["3", "2", "1", "0"]
    assert len(seen) == 4 + 4 + 1


def test_nothing_is_prepared_for_who_is_away() -> None:
    prepared: list[str] = []

    def prepare(_method: str, url: str) -> dict[str, str]:
        prepared.append(url)
        return {"Host": "signed.example", "X-Signed": "yes"}

    async def scene(fetcher: Fetcher, host: str) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(FetchFailed):
                await fetcher.fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/", prepare=prepare)
        assert prepared == []
        assert (await fetcher.fetch(f"http://{host}/", method="POST", body=b"x", prepare=prepare)).ok
        assert (await fetcher.fetch(f"http://{host}/")).ok

    signed, plain = _play(_hello, scene)
    assert (signed.headers["Host"], signed.headers["X-Signed"], len(prepared)) == ("signed.example", "yes", 1)
    assert "X-Signed" not in plain.headers


def _large(packed: bool, chunked: bool) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        body = bytes(5_000_000) if not packed else gzip.compress(bytes(50_000_000), 9)
        headers = {"Content-Encoding": "gzip"} if packed else {}
        if not chunked:
            return web.Response(body=body, headers=headers)
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(request)
        for start in range(0, len(body), 10_000):
            await answer.write(body[start : start + 10_000])
        return answer

    return handler


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_that_are_too_large(packed: bool, chunked: bool) -> None:
    async def scene(fetcher: Fetcher, host: str) -> None:
        with pytest.raises(TooLarge):
            await fetcher.fetch(f"http://{host}/")

    _play(_large(packed, chunked), scene)


def test_packed_bodies() -> None:
    plain = b"hello " * 1000
    bodies = {
        "/whole": gzip.compress(plain),
        "/two": gzip.compress(plain[:99]) + gzip.compress(plain[99:]),
        "/cut": gzip.compress(plain)[:-9],
        "/damaged": b"hello",
    }

    async def handler(request: web.Request) -> web.Response:
        encoding = "br" if request.path == "/br" else "gzip"
        return web.Response(body=bodies.get(request.path, b"x"), headers={"Content-Encoding": encoding})

    async def scene(fetcher: Fetcher, host: str) -> None:
        for path in ("/whole", "/two"):
            assert (await fetcher.fetch(f"http://{host}{path}", body_bytes=len(plain))).body == plain
        with pytest.raises(TooLarge):
            await fetcher.fetch(f"http://{host}/whole", body_bytes=len(plain) - 1)
        for path in ("/cut", "/damaged", "/br"):
            with pytest.raises(FetchFailed):
                await fetcher.fetch(f"http://{host}{path}")

    _play(handler, scene)


def test_slow_servers() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/head":
            await asyncio.sleep(5)
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(100):
            await answer.write(b"x")
            await asyncio.sleep(0.05)
        return answer

    async def scene(fetcher: Fetcher, host: str) -> None:
        loop = asyncio.get_running_loop()
        for path in ("/head", "/body"):
            start = loop.time()
            with pytest.raises(TooSlow) as late:
                await fetcher.fetch(f"http://{host}{path}", seconds=0.2)
            assert late.value.retry
            assert loop.time() - start < 1

    _play(handler, scene)


def test_content_types() -> None:
    async def scene(fetcher: Fetcher, host: str) -> None:
        assert (await fetcher.fetch(f"http://{host}/", content_type=lambda text: text.startswith("text/"))).ok
        with pytest.raises(FetchFailed, match="content type") as failure:
            await fetcher.fetch(f"http://{host}/", content_type=lambda text: "json" in text)
        assert not failure.value.retry

    _play(_hello, scene)


def test_errors_of_servers_are_answers_and_silence_is_not() -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=503, text="later", headers={"Retry-After": "9"})

    async def scene(fetcher: Fetcher, host: str) -> None:
        answer = await fetcher.fetch(f"http://{host}/", content_type=lambda _: False)
        assert (answer.status, answer.ok, answer.headers["retry-after"]) == (503, False, "9")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(FetchFailed) as failure:
                await fetcher.fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        assert failure.value.retry
        assert not isinstance(failure.value, FetchRefused)

    _play(broken, scene)


def test_few_connections_to_one_host() -> None:
    at_once = most = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return web.Response()

    async def scene(fetcher: Fetcher, host: str) -> None:
        await asyncio.gather(*(fetcher.fetch(f"http://{host}/") for _ in range(12)))

    _play(handler, scene, per_host=3)
    assert most == 3


def _certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server shows, and what a client must know to believe it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("peer.example")]), critical=False)
        .sign(key, SHA256())
    )
    file = folder / "peer.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(Encoding.PEM).decode())


def test_tls(tmp_path: Path) -> None:
    server, client = _certificate(tmp_path)

    async def downgrade(request: web.Request) -> web.Response:
        if request.path == "/":
            return web.Response(text="safe")
        return web.Response(status=302, headers={"Location": f"http://{request.host}/"})

    async def good(fetcher: Fetcher, host: str) -> None:
        port = host.partition(":")[2]
        assert (await fetcher.fetch(f"https://peer.example:{port}/")).body == b"safe"
        with pytest.raises(FetchRefused, match="lesser"):
            await fetcher.fetch(f"https://peer.example:{port}/down")
        with pytest.raises(FetchFailed, match="connection"):
            await fetcher.fetch(f"https://other.example:{port}/")

    async def unknown(fetcher: Fetcher, host: str) -> None:
        with pytest.raises(FetchFailed, match="connection"):
            await fetcher.fetch(f"https://peer.example:{host.partition(':')[2]}/")

    names = _Names([["127.0.0.1"]])
    assert len(_play(downgrade, good, server, resolver=lambda: names, ssl_context=client)) == 2
    assert _play(downgrade, unknown, server, resolver=lambda: names) == []


def test_a_process_that_loaded_no_certificates_trusts_those_of_the_system(tmp_path: Path) -> None:
    server, _client = _certificate(tmp_path)
    script = """
import asyncio, os, sys
from phiomia.platform.http import Fetcher, FetchOptions, load_library
load_library()
import aiohttp.connector as loaded
assert not loaded._SSL_CONTEXT_VERIFIED.get_ca_certs() and not loaded._SSL_CONTEXT_UNVERIFIED.get_ca_certs()
from tests.platform.test_http import LOOPBACK, _Names
async def main():
    options = FetchOptions("https://ours.example", LOOPBACK, resolver=lambda: _Names([["127.0.0.1"]]))
    async with Fetcher(options) as fetcher:
        both = await asyncio.gather(*(fetcher.fetch(sys.argv[1]) for _ in range(2)))
    assert [answer.body for answer in both] == [b"hello"] * 2
asyncio.run(main())
assert os.environ["SSL_CERT_FILE"] == sys.argv[2]
"""

    async def scene(_fetcher: Fetcher, host: str) -> None:
        url, authority = f"https://peer.example:{host.partition(':')[2]}/", str(tmp_path / "peer.pem")
        environ = {**os.environ, "SSL_CERT_FILE": authority, "PYTHONPATH": str(Path(__file__).parents[2])}
        process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", script, url, authority, env=environ)
        assert await process.wait() == 0

    assert len(_play(_hello, scene, server)) == 2


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.1",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:808:808::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
        "nonsense",
    ],
)
def test_closed_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_open_addresses(address: str) -> None:
    assert is_public(address)
