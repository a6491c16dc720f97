"""uvicorn's protocol with less work for each request.

What a request costs before and after its handler is most of what a small answer costs. Here a whole answer is taken in
one call instead of two messages, and a connection has one clock for its idle time instead of one for each request.
"""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from phiomia.platform.answers import answers
from phiomia.platform.asgi import WHOLE
from phiomia.platform.held import HeldTransport

_VERSIONS: Any = {"version": "3.0", "spec_version": "2.3"}
_END = b"\r\n"
_CLOSE_END = b"connection: close\r\n\r\n"


class _Clock:
    """The second of now as answers name it, written anew only when it is another one."""

    second = 0
    header = (b"date", b"")
    end = close_end = b""

    def look(self) -> _Clock:
        """Itself, telling the time of now."""
        second = int(time.time())
        if second != self.second:
            date = formatdate(second, usegmt=True).encode()
            line = b"date: " + date + _END
            self.header, self.end, self.close_end = (b"date", date), line + _END, line + _CLOSE_END
            self.second = second
        return self


_CLOCK = _Clock()


class QuickCycle(RequestResponseCycle):
    """A request and its answer; the answer may be given whole."""

    began: float

    def answer(self, status: int, head: bytes, body: bytes) -> bool:
        """Sends a whole answer; False when it has to be sent as messages, as it must be to a client that is slow."""
        if self.flow.write_paused or self.default_headers or self.response_started:
            return False
        if self.disconnected:
            return True
        self.response_started = self.response_complete = True
        answers.observe(status, time.perf_counter() - self.began)
        transport: Any = self.transport
        clock = _CLOCK.look()
        transport.send((STATUS_LINE[status], head, clock.end if self.keep_alive else clock.close_end, body))
        self.message_event.set()
        if not self.keep_alive:
            transport.close()
        self.on_response()
        return True

    async def send(self, message: Any) -> None:
        """Sends a message of the application; the head of its answer tells the time."""
        if message["type"] == "http.response.start" and not self.response_started:
            answers.observe(message["status"], time.perf_counter() - self.began)
            message = message | {"headers": [_CLOCK.look().header, *message.get("headers", ())]}
        await super().send(message)


class QuickProtocol(HttpToolsProtocol):
    """The protocol. Its transport is a HeldTransport."""

    held: HeldTransport
    idle_since: float | None = None

    def on_message_begin(self) -> None:
        """Begins to collect what the application is told."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        scope: Any = {
            "type": "http",
            "asgi": _VERSIONS,
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": "",
            "headers": self.headers,
        }
        self.scope = scope

    def on_headers_complete(self) -> None:
        """Begins to answer. uvicorn's own with a shorter way for the usual address, and without upgrades and limits."""
        parser, scope = self.parser, self.scope
        version = parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        raw_path, query = _split(self.url)
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        before = self.cycle
        self.cycle = cycle = QuickCycle(
            scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            self.access_log,
            self.server_state.default_headers,
            asyncio.Event(),
            self.expect_100_continue,
            version != "1.0" and parser.should_keep_alive(),
            self.on_response_complete,
        )
        cycle.began = time.perf_counter()
        scope["extensions"] = {WHOLE: cycle.answer}  # type: ignore[dict-item]
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_response_complete(self) -> None:
        """Sends what is held, then begins with the next request or to be idle."""
        self.held.flush()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self.start_clock()

    def start_clock(self) -> None:
        """Begins to count how long nothing comes."""
        self.idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again_in(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        # The clock goes on, as setting it for each request costs more: it looks how long nothing has come.
        self.idle_since = None

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection on which nothing has come for long enough."""
        self.timeout_keep_alive_task = None
        if self.idle_since is None or self.transport.is_closing():
            return
        left = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.transport.close()
        else:
            self._look_again_in(left)

    def _look_again_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def stop_clock(self) -> None:
        """Stops the clock of an idle connection."""
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None


def _split(url: bytes) -> tuple[bytes, bytes]:
    if url[:1] == b"/" and url[1:2] != b"/" and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path, query
    parsed = httptools.parse_url(url)
    return parsed.path, parsed.query or b""
