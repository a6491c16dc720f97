"""Whether a request wants the document or the page. Both have one address, and `Accept` decides."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import falcon.asgi

from phiomia.activitypub.types import ACTIVITY, LINKED_DATA
from phiomia.platform.asgi import App

_JSON: Final = frozenset({ACTIVITY, LINKED_DATA, "application/json"})
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_LONGEST_KEPT: Final = 512


Responder = Callable[..., Awaitable[None]]


def wants_document(accept: str) -> bool:
    """Whether a document is named in `Accept`, and no page preferred to it. `*/*` alone asks for the page."""
    document, page, _ = _weigh(accept)
    return document > 0 and document >= page


def takes_document(accept: str) -> bool:
    """Whether a document would do, where there is no page."""
    document, _, anything = _weigh(accept)
    return not accept.strip() or document > 0 or anything > 0


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a packed body may be sent: gzip is named, or everything is, and not with a weight of nothing."""
    if accept_encoding in ("", "gzip"):
        return accept_encoding == "gzip"
    weights: dict[str, float] = {}
    for part in accept_encoding.split(","):
        name, *parameters = part.split(";")
        weights[name.strip().lower()] = _read_quality(parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


class Negotiating:
    """The app, as pages see it when they are mounted: some of their addresses are documents, too."""

    def __init__(self, app: App, documents: Mapping[str, Responder]) -> None:
        self._app = app
        self._documents = documents

    def add_route(self, template: str, resource: Any) -> None:
        """Adds a page, beside its document if it has one."""
        document = self._documents.get(template)
        self._app.add_route(template, resource if document is None else _Both(resource, document))

    def add_sink(self, sink: Any, prefix: re.Pattern[str]) -> None:
        """Adds what answers at all other addresses that begin so."""
        self._app.add_sink(sink, prefix)


class _Both:
    """One address with a page and a document."""

    QUICK = True  # see `platform/asgi.py`; pages keep that promise as well

    def __init__(self, page: Any, document: Responder) -> None:
        self._page: Responder = page.on_get
        self._document = document

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **path: str) -> None:
        if wants_document(req.get_header("Accept") or ""):
            await self._document(req, resp, **path)
            return
        await self._page(req, resp, **path)
        resp.append_header("Vary", "Accept")

    on_head = on_get


def _weigh(accept: str) -> tuple[float, float, float]:
    return _weigh_kept(accept) if len(accept) <= _LONGEST_KEPT else _weigh_anew(accept)


def _weigh_anew(accept: str) -> tuple[float, float, float]:
    """How much a document, a page, and anything at all is wanted."""
    document = page = anything = 0.0
    for part in accept.split(","):
        essence, *parameters = part.split(";")
        name = essence.strip().lower()
        quality = _read_quality(parameters)
        if name in _JSON:
            document = max(document, quality)
        elif name in _PAGES:
            page = max(page, quality)
        elif name in ("*/*", "application/*"):
            anything = max(anything, quality)
    return document, page, anything


_weigh_kept = lru_cache(maxsize=256)(_weigh_anew)


def _read_quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 1.0
    return 1.0
