"""The way of an app through a real browser, which has opinions about forms, cookies and redirects."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from phiomia.platform.settings import Registrations
from phiomia.upgrade import schema
from web.browser import PASSWORD, Site, open_site
from web.served import serve

MAIL = "alice@mail.example"
playwright = pytest.importorskip("playwright.sync_api")


class _Client(BaseHTTPRequestHandler):
    """A web client: its callback leads on to another host, as those of large clients do."""

    def do_GET(self) -> None:
        query = self.path.partition("?")[2]
        if self.path.startswith("/callback"):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/done?{query}")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Arrived</title>")

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database with tables; what the browser does has nothing to do with its kind."""
    url = f"sqlite:///{tmp_path / 'phiomia.sqlite3'}"
    asyncio.run(schema.upgrade(url))
    return url


@contextmanager
def run_client() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Client)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def run_site(url: str, client: str, port: int) -> Iterator[dict[str, str]]:
    """Serves the pages; gives the client ids of two apps."""
    made = dict[str, str]()

    @asynccontextmanager
    async def fill() -> AsyncIterator[Any]:
        base = f"http://127.0.0.1:{port}"
        async with open_site(url, public_url=base, registrations=Registrations(mode="approval")) as site:
            await _fill(site, client, made)
            yield site.conductor.app

    with serve(port, fill):
        yield made


async def _fill(site: Site, client: str, made: dict[str, str]) -> None:
    await site.member("alice")
    made["web"] = (await site.app(f"{client}/callback", name="Web client")).client_id
    made["native"] = (await site.app("exampleapp://callback", name="Native client")).client_id


@contextmanager
def open_page(chromium: str) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
        try:
            yield context.new_page()
        finally:
            browser.close()


@pytest.mark.browser
def test_a_browser_without_scripts_gets_through(chromium: str, sqlite_url: str, free_port: int) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(run_client())
        made = stack.enter_context(run_site(sqlite_url, client, free_port))
        page = stack.enter_context(open_page(chromium))
        blocked: list[str] = []
        page.on("console", lambda message: blocked.append(message.text))
        base = f"http://127.0.0.1:{free_port}"
        wish = f"{base}/oauth/authorize?response_type=code&scope=read+write&state=s&client_id={made['web']}"
        page.goto(f"{wish}&redirect_uri={client}/callback")
        page.get_by_label("E-mail").fill(MAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Let Web client in?").wait_for()
        page.get_by_role("button", name="Let it in").click()
        page.wait_for_url("**/done?code=*&state=s")
        assert page.title() == "Arrived"

        native = f"{base}/oauth/authorize?response_type=code&client_id={made['native']}"
        page.goto(f"{native}&redirect_uri=exampleapp://callback")
        with page.expect_event("requestfailed") as failed:
            page.get_by_role("button", name="Let it in").click()
        assert failed.value.url.startswith("exampleapp://callback?code=")
        assert not [text for text in blocked if "Content Security Policy" in text]


@pytest.mark.browser
def test_pages_fit_a_small_screen(chromium: str, sqlite_url: str, free_port: int) -> None:
    with ExitStack() as stack:
        made = stack.enter_context(run_site(sqlite_url, "http://127.0.0.1:1", free_port))
        page = stack.enter_context(open_page(chromium))
        base = f"http://127.0.0.1:{free_port}"
        for path in ("/", "/about", "/auth/sign_up", "/auth/password", "/auth/sign_in"):
            page.goto(base + path)
            assert _width(page) <= 320, path
        page.get_by_label("E-mail").fill(MAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Sign out").wait_for()
        native = f"/oauth/authorize?response_type=code&client_id={made['native']}&redirect_uri=exampleapp://callback"
        for path in (native, "/oauth/authorize/native?code=" + "x" * 43, "/oauth/authorized_applications"):
            page.goto(base + path)
            assert _width(page) <= 320, path
        _check_faces(page, base)


def _check_faces(page: Any, base: str) -> None:
    """No card cuts off the picture of whom it shows."""
    handle = f"@alice@{base.removeprefix('http://')}"
    for path, above in ((f"/authorize_interaction?uri={handle}", ".profile"), ("/@alice", "body")):
        page.goto(base + path)
        face, card = (page.locator(found).first.bounding_box() for found in (".avatar", above))
        assert face["y"] > card["y"], path


def _width(page: Any) -> int:
    found: int = page.locator("html").evaluate("root => root.scrollWidth")
    return found
