"""Small worlds to test in: a database, accounts with tokens, and the API without a server around it.

    @story("statuses")
    async def test_posting(world: World) -> None:
        alice = await world.account("alice")
        answer = await world.client.post("/api/v1/statuses", alice, form={"status": "Hello"})
        assert answer.status == 200

runs on SQLite and on PostgreSQL, each time in a database of its own, with the endpoints of `phiomia.api.statuses`.
"""

from __future__ import annotations

import importlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import falcon.asgi
import falcon.testing

from contract import assert_returns
from hashes import cheap_hashes
from phiomia.api.context import Api
from phiomia.api.endpoint import ENDPOINTS, mount
from phiomia.domain.accounts.models import accounts
from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.models import media
from phiomia.domain.oauth.bearers import Bearers, hash_secret
from phiomia.domain.oauth.models import access_tokens
from phiomia.domain.users.models import users
from phiomia.entities.fragments import Fragments
from phiomia.entities.links import Links
from phiomia.platform.bus import LocalBus
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Database, Query, WriteSession, insert_into, open_database
from phiomia.platform.events import Services
from phiomia.platform.ids import new_id
from phiomia.platform.rates import Rates
from phiomia.platform.settings import Config, RateLimits
from phiomia.side_effects import SIDE_EFFECTS
from plays import on_both_databases

BASE = "https://phiomia.example"
DOMAIN = "phiomia.example"

_ACCOUNT = insert_into(
    accounts, "id", "username", "username_key", "domain", "uri", "url", "display_name", "locked", "state", "created_at"
)
_USER = insert_into(
    users, "id", "account_id", "email", "email_key", "role", "created_at", "confirmed_at", "approved_at"
)
_TOKEN = insert_into(access_tokens, "id", "token_hash", "user_id", "scopes", "created_at")
_MEDIA = insert_into(media, "id", "account_id", "kind", "state", "key", "preview_key", "description", "created_at")


@dataclass(frozen=True)
class Account:
    """Somebody in the world; `token` and `user_id` belong to members only."""

    id: int
    token: str = ""
    user_id: int = 0


@dataclass(frozen=True)
class Answer:
    """What came back. `links` are the parameters of the addresses in the Link header, by rel."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def ids(self) -> list[str]:
        """The ids of a list of entities."""
        return [item["id"] for item in self.json]

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """Where further pages are."""
        found = re.findall(r'<([^>]+)>; rel="(\w+)"', self.headers.get("link", ""))
        return {rel: dict(parse_qsl(url.partition("?")[2])) for url, rel in found}


class Client:
    """Speaks to the mounted API within the process. `who` is an Account or a token; None is anonymous."""

    def __init__(self, app: falcon.asgi.App[Any, Any]) -> None:
        self._conductor = falcon.testing.ASGIConductor(app)

    async def get(self, path: str, who: Account | str | None = None, **query: Any) -> Answer:
        """GET; lists in the query are written as `name[]`."""
        return await self.request("GET", path, who, query=query)

    async def post(self, path: str, who: Account | str | None = None, **more: Any) -> Answer:
        """POST with `form`, `json`, `query` or `headers`."""
        return await self.request("POST", path, who, **more)

    async def put(self, path: str, who: Account | str | None = None, **more: Any) -> Answer:
        """PUT with `form`, `json`, `query` or `headers`."""
        return await self.request("PUT", path, who, **more)

    async def delete(self, path: str, who: Account | str | None = None, **query: Any) -> Answer:
        """DELETE."""
        return await self.request("DELETE", path, who, query=query)

    async def request(
        self,
        method: str,
        path: str,
        who: Account | str | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request."""
        sent = dict(headers or {})
        token = who.token if isinstance(who, Account) else who
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if form is not None:
            body, sent["Content-Type"] = _encode(form).encode(), "application/x-www-form-urlencoded"
        result = await self._conductor.simulate_request(
            method, path, query_string=_encode(query or {}), headers=sent, body=body, json=json
        )
        return Answer(result.status_code, result.headers, result.content)

    async def check(self, endpoint: str, who: Account | str | None = None, *, id: Any = None, **more: Any) -> Any:
        """The JSON of "METHOD /path/:id", which must succeed and be what the facts say it answers with."""
        method, _, path = endpoint.partition(" ")
        answer = await self.request(method, path.replace(":id", str(id)), who, **more)
        assert answer.status == 200, answer.body
        assert_returns(endpoint, answer.json)
        return answer.json


@dataclass(frozen=True)
class World:
    """A database with the API on it."""

    db: Database
    api: Api
    client: Client

    async def account(self, name: str, **more: Any) -> Account:
        """See `make_account`."""
        return await make_account(self.db, name, **more)

    async def picture(self, owner: Account, **more: Any) -> int:
        """See `make_picture`."""
        return await make_picture(self.db, owner, **more)

    async def write(self, verb: Callable[[WriteSession], Awaitable[Any]]) -> Any:
        """Runs a verb in a transaction."""
        return await self.db.write(verb)

    async def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row of hand-written SQL."""
        async with self.db.read() as session:
            return await session.value(Query.raw(sqlite=sql), **parameters)

    async def execute(self, sql: str, **parameters: Any) -> int:
        """Runs hand-written SQL; gives the number of rows it changed."""
        return await self.db.write(lambda session: session.execute(Query.raw(sqlite=sql), **parameters))


async def make_account(
    db: Database,
    name: str,
    *,
    domain: str = "",
    scopes: str = "read write follow push profile",
    role: int = 0,
    locked: bool = False,
    state: int = 0,
) -> Account:
    """A member with an access token; with a domain, somebody of another server."""
    token = "" if domain else f"token-{name}-{secrets.token_hex(8)}"
    account_id, user_id, now = new_id(), 0 if domain else new_id(), now_ms()
    address = f"https://{domain}/users/{name}" if domain else ""

    async def write(session: WriteSession) -> None:
        await session.execute(
            _ACCOUNT,
            id=account_id,
            username=name,
            username_key=name.lower(),
            domain=domain,
            uri=address,
            url=address,
            display_name=name.title(),
            locked=locked,
            state=state,
            created_at=now,
        )
        if not domain:
            email = f"{name.lower()}@mail.example"
            await session.execute(
                _USER,
                id=user_id,
                account_id=account_id,
                email=email,
                email_key=email,
                role=role,
                created_at=now,
                confirmed_at=now,
                approved_at=now,
            )
            await _insert_token(session, token, user_id, scopes)

    await db.write(write)
    return Account(account_id, token, user_id)


async def make_token(db: Database, owner: Account | None, scopes: str) -> str:
    """A further token of a member, or for None one of an app alone."""
    token = secrets.token_hex(16)
    await db.write(lambda session: _insert_token(session, token, owner.user_id if owner else None, scopes))
    return token


async def _insert_token(session: WriteSession, token: str, user_id: int | None, scopes: str) -> None:
    await session.execute(
        _TOKEN, id=new_id(), token_hash=hash_secret(token), user_id=user_id, scopes=scopes, created_at=now_ms()
    )


async def make_picture(
    db: Database,
    owner: Account,
    *,
    description: str | None = None,
    kind: MediaKind = MediaKind.IMAGE,
    state: MediaState = MediaState.READY,
) -> int:
    """The id of an uploaded file that is attached to nothing; there is no file behind it."""
    media_id = new_id()
    await db.write(
        lambda session: session.execute(
            _MEDIA,
            id=media_id,
            account_id=owner.id,
            kind=int(kind),
            state=int(state),
            key=f"media/{media_id}.webp",
            preview_key=f"media/{media_id}-small.webp",
            description=description,
            created_at=now_ms(),
        )
    )
    return media_id


# Mounted apps that no world has at the moment. What an app was mounted from, besides its Api: endpoints and limits.
_SPARE: dict[tuple[int, RateLimits], list[tuple[Api, Client]]] = {}


@contextmanager
def mounted(api: Api) -> Iterator[tuple[Api, Client]]:
    """The API on a Falcon app that nobody else has meanwhile; use the Api that is given back.

    Mounting all endpoints takes as long as a test does, so apps are used again, with everything in their Api replaced.
    """
    spare = _SPARE.setdefault((len(ENDPOINTS), api.config.rate_limits), [])
    mine, client = spare.pop() if spare else _mount(api)
    if mine is not api:
        vars(mine).clear()
        vars(mine).update(vars(api))
    try:
        yield mine, client
    finally:
        spare.append((mine, client))


def _mount(api: Api) -> tuple[Api, Client]:
    app = falcon.asgi.App()
    app.req_options.strip_url_path_trailing_slash = True
    mount(app, api)
    return api, Client(app)


async def make_api(db: Database, *modules: str, rate_limits: RateLimits | None = None, effects: bool = False) -> Api:
    """What the endpoints of these modules of `phiomia.api` stand on; with `effects`, all that follows happens."""
    for name in modules:
        importlib.import_module(f"phiomia.api.{name}")
    config = Config(public_url=BASE, rate_limits=rate_limits or RateLimits(enabled=False))
    bus = LocalBus()
    await bus.start()
    db.services = Services(side_effects=SIDE_EFFECTS if effects else {}, bus=bus, config=config)
    return Api(
        config=config,
        db=db,
        bus=bus,
        storage=None,
        bearers=Bearers(db, bus),
        fragments=Fragments(Links(BASE, DOMAIN, lambda key: f"{BASE}/media/{key}")),
        rates=Rates(),
    )


@asynccontextmanager
async def open_world(
    url: str, *modules: str, rate_limits: RateLimits | None = None, effects: bool = False
) -> AsyncIterator[World]:
    """A world on a database that has its tables."""
    db = open_database(url)
    await db.start()
    try:
        made = await make_api(db, *modules, rate_limits=rate_limits, effects=effects)
        with mounted(made) as (api, client), cheap_hashes():
            yield World(db, api, client)
    finally:
        await db.close()


def story(
    *modules: str, rate_limits: RateLimits | None = None, effects: bool = False
) -> Callable[[Callable[[World], Awaitable[None]]], Callable[[str], None]]:
    """Makes a test of a coroutine that gets a World; it runs on both databases."""

    def tell(play: Callable[[World], Awaitable[None]]) -> Callable[[str], None]:
        async def run(url: str) -> None:
            async with open_world(url, *modules, rate_limits=rate_limits, effects=effects) as world:
                await play(world)

        return on_both_databases(play, run)

    return tell


def _encode(values: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> str:
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items() if isinstance(values, Mapping) else values:
        if isinstance(value, list | tuple):
            pairs += [(f"{name}[]", item) for item in value]
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else value))
    return urlencode(pairs)
