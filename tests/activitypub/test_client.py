"""Signed requests reach servers that read only one form of signature."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from phiomia.activitypub.client import Client, Signer
from phiomia.activitypub.signatures.knocks import Knocks, Scheme
from phiomia.activitypub.signatures.request import Request, SignatureRefused
from phiomia.activitypub.signatures.verify import verify
from phiomia.platform.http import Fetcher, FetchFailed, FetchOptions, FetchRefused
from phiomia.platform.reachable import networks

from .material import Ring

KEY = ed25519.Ed25519PrivateKey.generate()
SIGNER = Signer(
    "https://ours.example/actor#main-key",
    KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
)
NOW = 1_777_890_030.0
ACTIVITY = {"Content-Type": "application/activity+json; charset=utf-8"}


class Peer:
    """A server that reads one form of signature, or none."""

    def __init__(self, reads: Scheme | None) -> None:
        self.reads = reads
        self.seen: list[tuple[str, Scheme | None]] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        scheme = None
        if "Signature" in request.headers:
            scheme = Scheme.RFC9421 if "Signature-Input" in request.headers else Scheme.CAVAGE
        self.seen.append((request.path, scheme))
        if request.path == "/moved":
            return web.Response(status=301, headers={"Location": "/actor?full=1"})
        if request.path == "/open":
            return web.Response(text="{}", headers=ACTIVITY)
        if request.path == "/page":
            return web.Response(text="<html>")
        if request.path == "/gone":
            return web.Response(status=410)
        if scheme is None or scheme is not self.reads:
            return web.Response(status=401)
        url = f"http://{request.host}{request.raw_path}"
        try:
            await verify(
                Request.of(request.method, url, request.headers.items(), await request.read()),
                Ring(KEY.public_key()),
                now=NOW,
            )
        except SignatureRefused as error:
            return web.Response(status=403, text=str(error))
        return web.Response(text="{}", status=202 if request.method == "POST" else 200, headers=ACTIVITY)


def _play(peer: Peer, scene: Callable[[Client, str], Awaitable[Any]], knocks: Knocks | None = None) -> None:
    async def run() -> None:
        runner = web.ServerRunner(web.Server(peer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        options = FetchOptions(base_url="https://ours.example", allow_private=networks(["127.0.0.0/8"]))
        try:
            async with Fetcher(options) as fetcher:
                await scene(Client(fetcher, knocks, clock=lambda: NOW), f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()

    asyncio.run(run())


@pytest.mark.parametrize("reads", list(Scheme))
def test_the_form_that_worked_is_tried_first(reads: Scheme) -> None:
    peer = Peer(reads)

    async def scene(client: Client, base: str) -> None:
        for _ in range(2):
            assert (await client.post(f"{base}/inbox", b'{"a":1}', SIGNER)).status == 202
        assert (await client.get(f"{base}/actor?page=1", SIGNER)).ok

    _play(peer, scene)
    first = [("/inbox", Scheme.CAVAGE)] if reads is Scheme.RFC9421 else []
    assert peer.seen == [*first, ("/inbox", reads), ("/inbox", reads), ("/actor", reads)]


def test_what_no_longer_works_is_forgotten() -> None:
    peer, knocks = Peer(Scheme.RFC9421), Knocks()

    async def scene(client: Client, base: str) -> None:
        await client.post(f"{base}/inbox", b"{}", SIGNER)
        peer.reads = None
        assert (await client.post(f"{base}/inbox", b"{}", SIGNER)).status == 401
        peer.reads = Scheme.CAVAGE
        assert (await client.post(f"{base}/inbox", b"{}", SIGNER)).status == 202

    _play(peer, scene, knocks)
    tried = [scheme for _, scheme in peer.seen]
    assert tried == [Scheme.CAVAGE, Scheme.RFC9421, Scheme.RFC9421, Scheme.CAVAGE, Scheme.CAVAGE]


@pytest.mark.parametrize("reads", list(Scheme))
def test_each_hop_is_signed(reads: Scheme) -> None:
    async def scene(client: Client, base: str) -> None:
        answer = await client.get(f"{base}/moved", SIGNER)
        assert (answer.status, answer.url) == (200, f"{base}/actor?full=1")

    _play(Peer(reads), scene)


def test_answers_that_are_not_about_the_signature() -> None:
    peer = Peer(Scheme.CAVAGE)

    async def scene(client: Client, base: str) -> None:
        assert (await client.get(f"{base}/gone", SIGNER)).status == 410
        assert (await client.get(f"{base}/open", None)).body == b"{}"
        with pytest.raises(FetchFailed):
            await client.get(f"{base}/page", SIGNER)
        with pytest.raises(FetchRefused):
            await client.get("https://[", SIGNER)

    _play(peer, scene)
    assert peer.seen == [("/gone", Scheme.CAVAGE), ("/open", None), ("/page", Scheme.CAVAGE)]


def test_a_signer_does_not_show_its_key() -> None:
    assert "PRIVATE" not in repr(SIGNER)
