"""Each status that the description promises is really given, and no refusal is given that it does not promise.

Every operation is asked in each wrong way there is: without a token, with one that is not enough, for what is not
there, with a body that is too large or none at all, too often, and while the database is away.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from phiomia.api.endpoint import ENDPOINTS, Endpoint
from phiomia.api.openapi import build_document, template
from phiomia.api.routes import load_endpoints
from phiomia.platform import limits
from phiomia.platform.db import Conflict, Unavailable
from phiomia.platform.settings import RateLimits
from world import Account, Answer, World, make_token, story

load_endpoints()
MODULES = sorted({one.handler.__module__.rpartition(".")[2] for one in ENDPOINTS})
ALL = [one for one in ENDPOINTS if one.handler.__module__.startswith("phiomia.")]
NOWHERE = "1"
JSON = {"Content-Type": "application/json"}
# What succeeds is in test_documented_successes.py.
GOOD = {"200", "202", "206", "302", "204"}
# What arrives too slowly is in tests/flows/test_faults.py, what comes too often below.
ELSEWHERE = {"408", "429"}
# What is only refused when it says something of a kind.
SAID: dict[str, list[dict[str, Any]]] = {
    "GET /api/v1/accounts/lookup": [{"query": {"acct": "nobody"}}],
    "GET /invite/:invite_code": [{"headers": {"Accept": "application/json"}}],
    "GET /api/oembed": [{"query": {"url": "https://phiomia.example/@a/1"}}, {"query": {"url": "u", "maxwidth": "x"}}],
    "GET /.well-known/proxy": [{"query": {"uri": "https://phiomia.example/1"}}],
    "GET /api/v1/timelines/link": [{"query": {"url": "https://there.example/"}}],
    "GET /api/v2/search": [
        {"query": {"q": "x", "account_id": 1}},
        {"query": {"q": "https://t.example/", "resolve": 1}},
    ],
    "GET /api/v1/accounts/search": [{"query": {"q": "@a@there.example", "resolve": 1}}],
    "GET /api/v1/peers/search": [{"query": {"q": "x"}}],
    "POST /api/v1/statuses": [
        {"json": {"status": "x", "in_reply_to_id": "1"}},
        {"json": {"status": "x", "media_ids": ["1"]}},
        {"json": {"status": "x", "quoted_status_id": "1"}},
    ],
    "POST /api/v1/reports": [
        {"json": {"account_id": "1"}},
        {"json": {"account_id": "1", "status_ids": ["1"]}},
        {"json": {"account_id": "1", "collection_ids": ["1"]}},
    ],
    "POST /api/v1/collections": [{"json": {"name": "x", "account_ids": ["1"]}}],
    "POST /api/v1_alpha/collections": [{"json": {"name": "x", "account_ids": ["1"]}}],
    "POST /api/v1/notifications/requests/accept": [{"json": {"id": ["1"]}}],
    "POST /api/v1/notifications/requests/dismiss": [{"json": {"id": ["1"]}}],
    "POST /api/v1/domain_blocks": [{"json": {"domain": "there.example"}}],
    "DELETE /api/v1/domain_blocks": [{"query": {"domain": "there.example"}}],
    "GET /api/v1/domain_blocks/preview": [{"query": {"domain": "there.example"}}],
    "POST /api/v1/push/subscription": [{"json": {"subscription": {"endpoint": "https://a.example", "keys": {}}}}],
    "POST /api/v1/accounts": [
        {"json": {"username": "x", "email": "x@y.example", "password": "x" * 12, "agreement": True}}
    ],
    "POST /api/v1/apps": [{"json": {"client_name": "x", "redirect_uris": "https://x.example/"}}],
    "POST /api/v1/markers": [{"json": {"home": {"last_read_id": "1"}}}],
    "POST /oauth/token": [{"form": {"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}}],
    "POST /oauth/introspect": [{"form": {"token": "x", "client_id": "x", "client_secret": "y"}}],
    "POST /api/v1/filters": [{"json": {"phrase": "x", "context": ["home"], "irreversible": False}}],
    "POST /api/v1/collections/:id/items": [{"json": {"account_id": "1"}}],
    "POST /api/v1_alpha/collections/:id/items": [{"json": {"account_id": "1"}}],
    "POST /api/v2/filters/:id/keywords": [{"json": {"keyword": "x"}}],
    "PUT /api/v2/filters/keywords/:id": [{"json": {"keyword": "x"}}],
    "PATCH /api/v2/filters/keywords/:id": [{"json": {"keyword": "x"}}],
    "POST /api/v2/filters/:id/statuses": [{"json": {"status_id": "1"}}],
    "PUT /api/v1/filters/:id": [{"json": {"phrase": "x", "context": ["home"]}}],
    "PATCH /api/v1/filters/:id": [{"json": {"phrase": "x", "context": ["home"]}}],
    "POST /api/phiomia/v1/upgrade_probe": [{"json": {"n": 1}}],
    "POST /api/v1/lists/:id/accounts": [{"json": {"account_ids": ["1"]}}],
    "DELETE /api/v1/lists/:id/accounts": [{"query": {"account_ids": ["1"]}}],
}


@cache
def _described() -> dict[str, set[str]]:
    paths = json.loads(msgspec.json.encode(build_document("https://phiomia.example")))["paths"]
    return {f"{one.method} {one.path}": set(paths[template(one.path)][one.method.lower()]["responses"]) for one in ALL}


@dataclass
class Prober:
    """Asks one operation after the other and notes what came."""

    world: World
    alice: Account
    app: str
    narrow: str
    disabled: Account
    given: dict[str, set[str]] = field(default_factory=dict)

    async def ask(self, one: Endpoint, who: Account | str | None, **more: Any) -> Answer:
        """One request to the operation, whose status is noted."""
        path = re.sub(r":\w+", NOWHERE, one.path)
        answer = await self.world.client.request(one.method, path, who, **more)
        self.given.setdefault(f"{one.method} {one.path}", set()).add(str(answer.status))
        return answer


def _ways(one: Endpoint, prober: Prober) -> Iterator[Awaitable[Answer]]:
    ask, alice = prober.ask, prober.alice
    yield ask(one, None)
    yield ask(one, "no-such-token")
    yield ask(one, prober.narrow)
    yield ask(one, prober.app)
    yield ask(one, alice)
    yield ask(one, alice, query={"limit": "much", "id": ["x"], "offset": "x", "account_id": "x"})
    yield ask(one, alice, query={"id": "y", "id[a]": "z", "max_id[a]": "1", "max_id": "1"})
    if one.method in ("GET", "DELETE"):
        yield ask(one, alice, query={"a": 1, "a[b]": 2})
        yield ask(one, alice, query=dict.fromkeys(_fields(one), "\x00"))
    else:
        yield ask(one, alice, body=b"{", headers=JSON)
        yield ask(one, alice, body=b"<a/>", headers={"Content-Type": "application/xml"})
        yield ask(one, alice, body=b" " * (limits.JSON_BODY_BYTES + 1), headers=JSON)
        yield ask(one, alice, json={name: {"x": "y"} for name in _fields(one)})
        yield ask(one, alice, json=dict.fromkeys(_fields(one), "\x00"))
    if one.access == "user":
        yield ask(one, prober.disabled)
    if one.path == "/oauth/revoke":  # nobody ends what is not theirs
        yield ask(one, None, form={"token": alice.token})
    for said in SAID.get(f"{one.method} {one.path}", []):
        yield ask(one, alice, **said)


def _fields(one: Endpoint) -> list[str]:
    return [each.encode_name for each in msgspec.structs.fields(one.params)] if one.params else []


@contextmanager
def _failing(world: World, fault: Exception, *, reads: bool) -> Iterator[None]:
    database: Any = world.db
    kept = database.read, database.write, database.scan

    @asynccontextmanager
    async def fail_to_lend(*_: Any) -> AsyncIterator[None]:
        raise fault
        yield

    async def fail(*_: Any) -> None:
        raise fault

    database.write = fail
    if reads:
        database.read, database.scan = fail_to_lend, fail
    try:
        yield
    finally:
        database.read, database.write, database.scan = kept


async def _open(world: World) -> Prober:
    alice = await world.account("alice")
    app = await make_token(world.db, None, "read write follow push profile")
    narrow = await make_token(world.db, alice, "admin:read:none")
    disabled = await world.account("mallory")
    await world.execute("UPDATE users SET disabled_at = 1 WHERE id = :id", id=disabled.user_id)
    return Prober(world, alice, app, narrow, disabled)


@story(*MODULES)
async def test_refusals_are_as_described(world: World) -> None:
    prober = await _open(world)
    for one in ALL:
        for way in _ways(one, prober):
            await way
    columns = "id, code, uses, max_uses, expires_at, comment, created_at"
    await world.execute(f"INSERT INTO invites ({columns}) VALUES (1, '1', 0, 1, 1, '', 1)")
    for one in ALL:
        if one.path == "/invite/:invite_code":  # now there is one, which has run out
            await prober.ask(one, None)
        for fault, reads in ((Unavailable("away"), True), (Conflict("taken"), False)):
            if one.method == "GET" and not reads:
                continue
            with _failing(world, fault, reads=reads):
                world.api.answers.clear()
                for who in ("another-token", prober.alice):
                    for said in ({}, *SAID.get(f"{one.method} {one.path}", [])):
                        await prober.ask(one, who, **said)
    faults = []
    for name, promised in _described().items():
        given = prober.given[name]
        if missing := promised - given - GOOD - ELSEWHERE:
            faults.append(f"{name} promises {sorted(missing)}, which nobody got")
        if surplus := given - promised:
            faults.append(f"{name} answered {sorted(surplus)} without having said so")
    assert faults == [], "\n".join(faults)


@story(*MODULES, rate_limits=RateLimits(token=(0, 300), ip=(0, 300)))
async def test_every_endpoint_can_be_asked_too_often(world: World) -> None:
    prober = await _open(world)
    for one in ALL:
        answer = await prober.ask(one, prober.alice)
        assert answer.status == 429 and answer.headers["retry-after"], f"{one.method} {one.path}: {answer.status}"
        assert "429" in _described()[f"{one.method} {one.path}"]
