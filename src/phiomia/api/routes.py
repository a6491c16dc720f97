"""Every endpoint, by importing the modules that declare them, and what stands around them."""

import importlib
import pkgutil
import random

import falcon
import falcon.asgi
import msgspec

import phiomia.api
from phiomia.api.context import Api
from phiomia.api.endpoint import mount
from phiomia.platform.asgi import App

_PLUMBING = {
    *("account_lists", "composing", "context", "endpoint", "errors", "idempotency"),
    *("faults", "openapi", "paging", "params", "refusals", "routes"),
}


def load_endpoints() -> None:
    """Imports every module of the package, so that its endpoints are declared."""
    for module in pkgutil.iter_modules(phiomia.api.__path__):
        if module.name not in _PLUMBING:
            importlib.import_module(f"phiomia.api.{module.name}")


def mount_api(app: App, api: Api) -> None:
    """Adds the REST API to the web application."""
    load_endpoints()
    mount(app, api)
    app.add_sink(_unknown, "/api/")


async def _unknown(req: falcon.asgi.Request, resp: falcon.asgi.Response | None, **_path: str) -> None:
    if resp is None:  # a WebSocket; ours never come this far
        return
    resp.set_header("Access-Control-Allow-Origin", "*")
    if req.path.startswith("/api/v1/streaming"):
        # The streaming process takes these connections before the web reads them; nobody was there.
        resp.status = falcon.HTTP_503
        resp.set_header("Retry-After", str(random.randint(1, 5)))  # not everybody at once
        resp.data = msgspec.json.encode({"error": "Streaming is not available right now"})
    else:
        resp.status = falcon.HTTP_404
        resp.data = msgspec.json.encode({"error": "Not Found"})
    resp.content_type = "application/json; charset=utf-8"
