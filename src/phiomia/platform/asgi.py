"""The HTTP framework's application, and a shorter way through it for resources that ask for it.

A resource with `QUICK = True` promises that its responders for GET catch every exception themselves, do not read a body
and answer with `data` alone. Its answers then leave in one piece: the framework's own way costs three times as much.
"""

from typing import Any, TypeAlias

import falcon.asgi

App: TypeAlias = falcon.asgi.App[Any, Any]

# The server's offer to take a whole answer; see `protocol.py`.
WHOLE = "phiomia.whole"
_BODILESS = frozenset({204, 304})


class Answer(falcon.asgi.Response):
    """A response that can write its own head."""

    def put(self, headers: dict[str, str]) -> None:
        """Sets several headers; the names must be in small letters."""
        self._headers.update(headers)

    def is_plain(self) -> bool:
        """Whether there is nothing but data and headers that are sound."""
        return self._cookies is None and self._extra_headers is None and "".join(self._headers.values()).isprintable()

    def head(self) -> bytes:
        """The lines of the head, without the status and without the empty line at the end."""
        return "".join([f"{name}: {value}\r\n" for name, value in self._headers.items()]).encode("latin-1")


class QuickApp(falcon.asgi.App[falcon.asgi.Request, Answer]):
    """The framework's application with the shorter way."""

    def __init__(self) -> None:
        super().__init__(response_type=Answer)
        self.req_options.strip_url_path_trailing_slash = True
        self.req_options.auto_parse_form_urlencoded = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # type: ignore[override]
        """Answers a request."""
        if scope["type"] == "http" and scope["method"] == "GET" and WHOLE in scope.get("extensions", ()):
            path = scope["path"]
            if len(path) > 1 and path[-1] == "/":
                path = path[:-1]
            found = self._router_search(path, None)
            if found is not None and getattr(found[0], "QUICK", False) and "GET" in found[1]:
                await self._answer(scope, receive, send, found[1]["GET"], found[2])
                return
        await super().__call__(scope, receive, send)

    async def _answer(self, scope: dict[str, Any], receive: Any, send: Any, responder: Any, path: Any) -> None:
        request = falcon.asgi.Request(scope, receive, options=self.req_options)
        answer = Answer(options=self.resp_options)
        await responder(request, answer, **path)
        status, data = answer.status_code, answer.data
        if data is not None and status not in _BODILESS:
            answer.put({"content-length": str(len(data))})
            if answer.is_plain() and scope["extensions"][WHOLE](status, answer.head(), data):
                return
            headers = answer._asgi_headers()
        else:
            if status not in _BODILESS:
                answer.put({"content-length": "0"})
            headers, data = answer._asgi_headers(), b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})
