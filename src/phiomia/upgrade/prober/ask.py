"""One request on a connection of its own. Standard library only."""

import functools
import http.client
import ssl
import time
from typing import NamedTuple
from urllib.parse import urlsplit

# What is asked for in vain counts as a failure after this.
PATIENCE_S = 20.0


class Answer(NamedTuple):
    """What came back: milliseconds until the whole of it was there, its status, or why there is none (status 0)."""

    ms: float
    status: int
    why: str = ""


def ask(method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
    """The answer to a request."""
    parts = urlsplit(url)
    began = time.monotonic()
    connection = open_connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        answer = connection.getresponse()
        answer.read()
        status, why = answer.status, ""
    except (OSError, http.client.HTTPException) as error:
        status, why = 0, str(error) or type(error).__name__
    finally:
        connection.close()
    return Answer((time.monotonic() - began) * 1000, status, why)


def open_connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    """A connection that is made with the first request."""
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=tls())
    return http.client.HTTPConnection(host, port, timeout=PATIENCE_S)


@functools.cache
def tls() -> ssl.SSLContext:
    """How certificates are checked; reading all that are trusted takes longer than a request."""
    return ssl.create_default_context()
