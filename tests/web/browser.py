"""A browser without a screen: keeps cookies, fills forms in, follows redirects when told to."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

import falcon.asgi
import falcon.testing

from hashes import cheap_hashes
from phiomia.domain.oauth.apps import draft_app, register_app
from phiomia.domain.oauth.queries import App
from phiomia.domain.users.roles import Role
from phiomia.domain.users.sign_up import SignUpForm, draft_by_operator, sign_up
from phiomia.entities.fragments import Fragments
from phiomia.entities.links import Links
from phiomia.platform.bus import LocalBus
from phiomia.platform.db import Database, Query, open_database
from phiomia.platform.events import Services
from phiomia.platform.rates import Rates
from phiomia.platform.settings import Config, RateLimits, Registrations
from phiomia.web.context import WebContext
from phiomia.web.routes import mount
from plays import on_both_databases

BASE = "https://phiomia.example"
PASSWORD = "correct horse battery"


class Forms(HTMLParser):
    """Every form of a page: where it leads, and its fields."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag in ("input", "textarea") and given.get("name") and self.forms and given.get("type") != "checkbox":
            self.forms[-1][1][given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@dataclass(frozen=True)
class Page:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        return self.headers.get("location", "")

    def form(self, action: str) -> dict[str, str]:
        """The fields of the form that leads there."""
        return dict(next(fields for where, fields in Forms(self.text).forms if where == action))


@dataclass
class Browser:
    """One person's."""

    conductor: Any
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """Opens a page."""
        return await self._request("GET", path, headers, None)

    async def post(self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Page:
        """Sends just that form."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return await self._request("POST", path, sent, urlencode(form).encode())

    async def delete(self, path: str, form: Mapping[str, str]) -> Page:
        """Sends a form with DELETE."""
        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._request("DELETE", path, sent, urlencode(form).encode())

    async def submit(self, page: Page, action: str, **typed: str) -> Page:
        """Fills a form of the page in and sends it."""
        return await self.post(action, {**page.form(action), **typed})

    async def sign_in(self, email: str, password: str = PASSWORD, path: str = "/auth/sign_in") -> Page:
        """Fills in the form at `path`, which may lead on."""
        return await self.submit(await self.get(path), "/auth/sign_in", email=email, password=password)

    async def _request(self, method: str, path: str, headers: Mapping[str, str] | None, body: bytes | None) -> Page:
        parts = urlsplit(path)
        result = await self.conductor.simulate_request(
            method,
            parts.path,
            query_string=parts.query,
            headers=dict(headers or {}),
            body=body,
            cookies=self.cookies,
        )
        for name, cookie in result.cookies.items():
            self.cookies[name] = cookie.value
            if not cookie.value:
                del self.cookies[name]
        packed = result.headers.get("content-encoding") == "gzip"
        content = gzip.decompress(result.content) if packed else result.content
        return Page(result.status_code, result.headers, content.decode())


@dataclass
class Site:
    """A server's pages, and its database behind them."""

    db: Database
    context: WebContext
    conductor: Any

    def browser(self) -> Browser:
        """A fresh browser."""
        return Browser(self.conductor)

    async def member(self, name: str, *, confirmed: bool = True) -> int:
        """Somebody with the usual password; gives the user's id."""
        form = SignUpForm(name, f"{name}@mail.example", PASSWORD)
        draft = await draft_by_operator(form, confirmed=confirmed, role=Role.NONE)
        return await self.db.write(lambda session: sign_up(session, draft))

    async def app(self, *uris: str, scopes: str = "read write", name: str = "Client") -> App:
        """A registered app."""
        draft = draft_app(name, uris, scopes)
        return await self.db.write(lambda session: register_app(session, draft))

    async def value(self, sql: str, **parameters: Any) -> Any:
        """The first column of the first row of hand-written SQL."""
        async with self.db.read() as session:
            return await session.value(Query.raw(sqlite=sql), **parameters)

    async def execute(self, sql: str, **parameters: Any) -> int:
        """Runs hand-written SQL."""
        return await self.db.write(lambda session: session.execute(Query.raw(sqlite=sql), **parameters))


@asynccontextmanager
async def open_site(url: str, **settings: Any) -> AsyncIterator[Site]:
    """The pages on a database that has its tables."""
    defaults: dict[str, Any] = {
        "public_url": BASE,
        "rate_limits": RateLimits(enabled=False),
        "registrations": Registrations(mode="open"),
    }
    config = Config(**{**defaults, **settings})
    db, bus = open_database(url), LocalBus()
    await bus.start()
    db.services = Services(bus=bus, config=config)
    await db.start()
    try:
        fragments = Fragments(Links(config.base_url, config.domain, lambda key: f"{config.base_url}/media/{key}"))
        context = WebContext(config, db, Rates(), fragments)
        app: falcon.asgi.App[Any, Any] = falcon.asgi.App()
        mount(app, context)
        with cheap_hashes():
            yield Site(db, context, falcon.testing.ASGIConductor(app))
    finally:
        await db.close()


def scene(**settings: Any) -> Callable[[Callable[[Site], Awaitable[None]]], Callable[[str], None]]:
    """Makes a test, on both databases, of a coroutine that gets a Site with these settings."""

    def tell(play: Callable[[Site], Awaitable[None]]) -> Callable[[str], None]:
        async def run(url: str) -> None:
            async with open_site(url, **settings) as site:
                await play(site)

        return on_both_databases(play, run)

    return tell
