"""The baseline: an ASGI application that says hello, with what any application must do and nothing else."""

from typing import Any

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"17")],
}
_BODY = {"type": "http.response.body", "body": b'{"hello":"world"}'}


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answers every request alike."""
    if scope["type"] == "http":
        await send(_START)
        await send(_BODY)
