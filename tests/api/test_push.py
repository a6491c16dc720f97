"""Web Push: subscribing over the API, and what arrives at a push service."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from phiomia.domain.notifications.push import Push, run_push
from phiomia.entities.links import Links
from phiomia.platform.http import Fetcher, FetchOptions
from phiomia.platform.jobs.handlers import Discard, Retry
from phiomia.platform.reachable import networks
from world import BASE, DOMAIN, Account, World, make_token, story

MODULES = ("accounts", "statuses", "notifications", "push", "apps", "instance", "oauth")
PATH = "/api/v1/push/subscription"
ALERTS = (
    "mention", "status", "reblog", "follow", "follow_request", "favourite", "poll", "update", "admin.sign_up",
    "admin.report", "quote", "quoted_update",
)  # fmt: skip


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _derive(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    return HKDF(hashes.SHA256(), size, salt, info).derive(secret)


@dataclass
class Device:
    """A subscriber with keys of its own; reads what was pushed to it."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = bytes(range(16))

    @property
    def point(self) -> bytes:
        return _point(self.private.public_key())

    def form(self, endpoint: str, *, standard: bool = True, **more: Any) -> dict[str, Any]:
        keys = {"p256dh": _text(self.point), "auth": _text(self.auth)}
        return {"subscription": {"endpoint": endpoint, "keys": keys, "standard": standard}, "data": more}

    def read(self, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        if headers["content-encoding"] == "aes128gcm":
            salt, point, sealed = body[:16], body[21:86], body[86:]
            mixed = self._mix(point, b"WebPush: info\0" + self.point + point)
            context, name = b"", b"aes128gcm"
        else:
            salt = _bytes(headers["encryption"].removeprefix("salt="))
            point, sealed = _bytes(headers["crypto-key"].partition(";")[0].removeprefix("dh=")), body
            mixed = self._mix(point, b"Content-Encoding: auth\0")
            context, name = b"P-256\0\0\x41" + self.point + b"\0\x41" + point, b"aesgcm"
        key = _derive(mixed, salt, b"Content-Encoding: " + name + b"\0" + context, 16)
        nonce = _derive(mixed, salt, b"Content-Encoding: nonce\0" + context, 12)
        opened = AESGCM(key).decrypt(nonce, sealed, None)
        plain = opened.rstrip(b"\0").removesuffix(b"\x02") if name == b"aes128gcm" else opened[2:]
        read: dict[str, Any] = json.loads(plain)
        return read

    def _mix(self, point: bytes, info: bytes) -> bytes:
        other = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        return _derive(self.private.exchange(ec.ECDH(), other), self.auth, info, 32)


@dataclass
class Service:
    """A push service on loopback."""

    url: str = ""
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.status, headers=self.headers)


@asynccontextmanager
async def _service() -> AsyncIterator[Service]:
    service, app = Service(), web.Application()
    app.router.add_post("/push/{name}", service.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/push/device"
    try:
        yield service
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _worker(world: World) -> AsyncIterator[Any]:
    options = FetchOptions(base_url=BASE, allow_private=networks(["127.0.0.0/8"]))
    async with Fetcher(options) as fetcher:
        yield SimpleNamespace(
            db=world.db,
            config=world.api.config,
            outside=SimpleNamespace(fetcher=fetcher),
            links=Links(BASE, DOMAIN, lambda key: f"{BASE}/media/{key}"),
        )


async def _jobs(world: World) -> list[Push]:
    from phiomia.platform.db import Query

    async with world.db.read() as session:
        rows = await session.all(
            Query.raw(sqlite="SELECT args, host FROM jobs WHERE type = 'notifications.push' ORDER BY id")
        )
    assert all(row[1] == "127.0.0.1" for row in rows)
    return [Push(**json.loads(row[0])) for row in rows]


async def _mention(world: World, who: Account, text: str, **more: Any) -> None:
    assert (await world.client.post("/api/v1/statuses", who, form={"status": text, **more})).status == 200


@story(*MODULES)
async def test_a_subscription_belongs_to_its_token(world: World) -> None:
    alice, device = await world.account("alice"), Device()
    other = await make_token(world.db, alice, "push")
    endpoint = "https://push.example/send/1"
    sent = device.form(endpoint, alerts={"mention": True, "admin.sign_up": "1"}, policy="follower")
    made = await world.client.check(f"POST {PATH}", alice, json=sent)
    assert made["alerts"] == dict.fromkeys(ALERTS, False) | {"mention": True, "admin.sign_up": True}
    assert (made["endpoint"], made["policy"], made["standard"]) == (endpoint, "follower", True)
    # Apps for Android read it into 32 bits.
    assert isinstance(made["id"], int) and 0 <= made["id"] < 2**31
    instance = await world.client.check("GET /api/v2/instance")
    assert made["server_key"] == instance["configuration"]["vapid"]["public_key"]
    assert await world.client.check(f"GET {PATH}", alice) == made
    assert (await world.client.get(PATH, other)).status == 404
    assert (await world.client.put(PATH, other, json={"data": {"policy": "all"}})).status == 404
    changed = await world.client.check(f"PUT {PATH}", alice, form=[("data[alerts][poll]", "true")])
    assert changed == made | {"alerts": dict.fromkeys(ALERTS, False) | {"poll": True}}
    changed = await world.client.check(f"PUT {PATH}", alice, form={"policy": "none"})
    assert (changed["policy"], changed["alerts"]["poll"]) == ("none", True)
    again = await world.client.check(f"POST {PATH}", alice, form=[
        ("subscription[endpoint]", endpoint), ("subscription[keys][p256dh]", _text(device.point)),
        ("subscription[keys][auth]", _text(device.auth) + "=="), ("data[alerts][admin.report]", "true"),
    ])  # fmt: skip
    assert (again["standard"], again["policy"], again["alerts"]["admin.report"]) == (False, "all", True)
    assert await world.value("SELECT count(*) FROM push_subscriptions") == 1
    stored = bytes(await world.value("SELECT sealed_token FROM push_subscriptions"))
    assert alice.token.encode() not in stored
    assert (await world.client.delete(PATH, alice)).json == {}
    assert (await world.client.delete(PATH, alice)).json == {}
    assert (await world.client.get(PATH, alice)).status == 404


@story(*MODULES)
async def test_what_is_refused(world: World) -> None:
    alice, device = await world.account("alice"), Device()
    good = device.form("https://push.example/1")
    assert (await world.client.post(PATH, None, json=good)).status == 401
    assert (await world.client.post(PATH, await make_token(world.db, alice, "read write"), json=good)).status == 403
    for endpoint in ("", "javascript:alert(1)", "//push.example", "https://[", "https://push.example/" + "x" * 3_000):
        assert (await world.client.post(PATH, alice, json=device.form(endpoint))).status == 422, endpoint
    no_keys = {"subscription": {"endpoint": "https://push.example/1", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}}
    for wrong in (no_keys, {}, {"subscription": {"endpoint": "https://push.example/1"}}):
        assert (await world.client.post(PATH, alice, json=wrong)).status == 422
    assert (await world.client.post(PATH, alice, json=device.form("https://a.example/", policy="some"))).status == 422


@story(*MODULES, effects=True)
async def test_the_end_of_a_token_is_the_end_of_its_subscription(world: World) -> None:
    alice = await world.account("alice")
    await world.client.check(f"POST {PATH}", alice, json=Device().form("https://push.example/1"))
    await world.execute("DELETE FROM access_tokens")
    assert await world.value("SELECT count(*) FROM push_subscriptions") == 0


@story(*MODULES, effects=True)
async def test_a_device_reads_what_is_pushed(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    old, new = Device(), Device()
    second = replace(alice, token=await make_token(world.db, alice, "push"))
    async with _service() as service, _worker(world) as worker:
        await world.client.check(f"POST {PATH}", alice, json=new.form(service.url, alerts={"mention": True}))
        sent = old.form(service.url, standard=False, alerts={"mention": True, "follow": True})
        await world.client.check(f"POST {PATH}", second, json=sent)
        await _mention(world, bob, "Hello @alice & all, " + "x" * 200)
        for job in await _jobs(world):
            await run_push(worker, job)
        (one, body), (two, older) = service.got
        told = new.read(one, body)
        assert told["access_token"] == alice.token
        assert (told["notification_type"], told["title"], told["preferred_locale"]) == (
            "mention",
            "Bob mentioned you",
            "en",
        )
        assert told["body"].startswith("Hello @alice & all, xx") and len(told["body"]) == 140
        assert told["icon"] == f"{BASE}/avatars/original/missing.png"
        listed = (await world.client.get("/api/v1/notifications", alice)).ids
        # A number, which the apps of iOS insist on, and one that JavaScript does not round.
        assert [str(told["notification_id"])] == listed
        assert json.loads(str(told["notification_id"]), parse_int=float) == told["notification_id"]
        assert old.read(two, older) == told | {"access_token": second.token}
        assert (one["ttl"], one["urgency"], one["topic"]) == ("172800", "normal", f"n{listed[0]}")
        point = (await world.client.check("GET /api/v2/instance"))["configuration"]["vapid"]["public_key"].rstrip("=")
        assert one["authorization"].startswith("vapid t=") and one["authorization"].endswith(f", k={point}")
        claims = json.loads(_bytes(one["authorization"].split(".")[1]))
        assert claims["aud"] == service.url.removesuffix("/push/device") and claims["sub"] == BASE
        assert two["authorization"].startswith("WebPush ") and two["crypto-key"].endswith(f";p256ecdsa={point}")
        await world.client.post(f"/api/v1/accounts/{alice.id}/follow", bob)
        assert len(await _jobs(world)) == 3, "only one of them wants to hear of followers"
        ending = urlsplit(one["unsubscribe-url"]).path
        assert (await world.client.delete(ending[:-1] + ("0" if ending[-1] != "0" else "1"))).status == 404
        assert (await world.client.delete(ending)).json == {}
        assert (await world.client.get(PATH, alice)).status == 404
        assert (await world.client.get(PATH, second)).status == 200


@story(*MODULES, effects=True)
async def test_whose_notifications_are_pushed(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    async with _service() as service:
        await world.client.check(f"POST {PATH}", alice, json=Device().form(service.url, alerts={"mention": True}))

        async def pushed(policy: str) -> int:
            await world.client.check(f"PUT {PATH}", alice, json={"data": {"policy": policy}})
            await world.execute("DELETE FROM jobs")
            await _mention(world, bob, "hello @alice")
            return len(await _jobs(world))

        assert [await pushed(policy) for policy in ("all", "followed", "follower", "none")] == [1, 0, 0, 0]
        await world.client.post(f"/api/v1/accounts/{alice.id}/follow", bob)
        assert [await pushed(policy) for policy in ("all", "followed", "follower", "none")] == [1, 0, 1, 0]
        await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice)
        assert [await pushed(policy) for policy in ("all", "followed", "follower", "none")] == [1, 1, 1, 0]


@story(*MODULES, effects=True)
async def test_how_services_answer(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    async with _service() as service, _worker(world) as worker:
        await world.client.check(f"POST {PATH}", alice, json=Device().form(service.url, alerts={"mention": True}))
        await _mention(world, bob, "hello @alice")
        (job,) = await _jobs(world)
        service.status, service.headers = 429, {"Retry-After": "7"}
        with pytest.raises(Retry) as put_off:
            await run_push(worker, job)
        assert put_off.value.delay_ms == 7_000
        service.status, service.headers = 503, {}
        with pytest.raises(Retry) as put_off:
            await run_push(worker, job)
        assert put_off.value.delay_ms is None
        service.status = 400
        with pytest.raises(Discard):
            await run_push(worker, job)
        assert (await world.client.get(PATH, alice)).status == 200
        service.status = 410
        await run_push(worker, job)
        assert (await world.client.get(PATH, alice)).status == 404
        with pytest.raises(Discard):
            await run_push(worker, job)
        assert len(service.got) == 4


@story(*MODULES, effects=True)
async def test_an_address_within_the_own_network_is_not_asked(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    async with _service() as service, _worker(world) as worker, Fetcher(FetchOptions(base_url=BASE)) as careful:
        await world.client.check(f"POST {PATH}", alice, json=Device().form(service.url, alerts={"mention": True}))
        await _mention(world, bob, "hello @alice")
        worker.outside.fetcher = careful
        (job,) = await _jobs(world)
        with pytest.raises(Discard):
            await run_push(worker, job)
        assert service.got == []
