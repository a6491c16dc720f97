"""Bodies of requests arrive whole or not at all.

The framework takes a client that hangs up for the end of the body. Half of a form is a form as well: half of a post
would be published.
"""

from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class CutOff(Exception):
    """The client has gone in the middle of its request."""


def only_whole(app: Any) -> Any:
    """The ASGI application; reading a body that ends too early raises CutOff in it."""

    async def call(scope: Any, receive: Receive, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY:
            await app(scope, receive, send)
            return
        try:
            await app(scope, _watch(receive), send)
        except CutOff:
            return  # nobody is there to be told

    return call


def _watch(receive: Receive) -> Receive:
    is_whole = False

    async def receive_whole() -> dict[str, Any]:
        nonlocal is_whole
        event = await receive()
        if event["type"] == "http.request":
            is_whole = not event.get("more_body", False)
        elif not is_whole:
            raise CutOff("The client has gone in the middle of its request.")
        return event

    return receive_whole
