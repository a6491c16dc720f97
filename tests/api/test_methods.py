"""What a path does not know is refused in the words of all refusals; HEAD is a GET without its body."""

from typing import Any

from phiomia.api.endpoint import ENDPOINTS, mount
from phiomia.api.health import mount_health
from phiomia.platform.asgi import WHOLE, QuickApp
from world import World, story

from .test_documented_statuses import MODULES

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


async def _ask(app: QuickApp, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    """A request as the server passes it on: what may leave in one piece does."""
    came: list[Any] = []

    def take_whole(status: int, head: bytes, data: bytes) -> bool:
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n") if line]
        came.extend(({"status": status, "headers": lines}, {"body": data}))
        return True

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        came.append(event)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
        "extensions": {WHOLE: take_whole},
    }
    await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in came[0]["headers"]}
    return came[0]["status"], headers, b"".join(event.get("body", b"") for event in came[1:])


@story(*MODULES)
async def test_wrong_methods_are_refused(world: World) -> None:
    app = QuickApp()
    mount(app, world.api)
    known: dict[str, set[str]] = {}
    for one in ENDPOINTS:
        if one.handler.__module__.startswith("phiomia."):
            known.setdefault(one.path, set()).add(one.method)
    for path, methods in known.items():
        for method in METHODS:
            if method in methods or (method == "HEAD" and "GET" in methods):
                continue
            status, headers, body = await _ask(app, method, path)
            assert status == 405, (method, path, status)
            assert headers["allow"] == _allowed(methods), (method, path)
            assert headers["access-control-allow-origin"] == "*"
            assert body == (b"" if method == "HEAD" else b'{"error":"Method Not Allowed"}'), (method, path)

        status, headers, _ = await _ask(app, "OPTIONS", path)
        assert (status, headers["allow"]) == (204, _allowed(methods)), path
        assert headers["access-control-allow-methods"] == headers["allow"], path


def _allowed(methods: set[str]) -> str:
    heads = {"HEAD"} if "GET" in methods else set()
    return ", ".join([*sorted(methods | heads), "OPTIONS"])


@story(*MODULES)
async def test_a_head_is_a_get_without_its_body(world: World) -> None:
    app = QuickApp()
    mount(app, world.api)
    mount_health(app, world.db)
    for path, status in (
        ("/api/v2/instance", 200),
        ("/health", 200),
        ("/api/v1/accounts/1", 404),
        ("/api/v1/timelines/home", 401),
    ):
        got, head = await _ask(app, "GET", path), await _ask(app, "HEAD", path)
        assert (got[0], head[0]) == (status, status)
        assert got[2] and not head[2]
        assert head[1]["content-type"] == got[1]["content-type"]
