"""People who use the server while it is upgraded: apps that keep connections, and some that do not; a third posts.

At every address somebody also listens to what is posted. Runs until SIGTERM, then prints what became of it as JSON: of
each address by its number, and of streams. Arguments: the name of the server, a token, a file that says how many were
answered, and addresses, http://… or https://…, whose certificates are not looked at.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

KEPT, FRESH = 2, 1
_PAUSE_S = 0.4
_LONGEST_S = 120.0
# How long events that are still on their way are waited for.
_LATE_S = 30.0
# Certificates of a laboratory are its own.
_TLS = ssl.create_default_context()
_TLS.check_hostname = False
_TLS.verify_mode = ssl.CERT_NONE


class Line:
    """An address, and what was seen there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers = self.posts = 0
        self.failures: list[str] = []
        self.slowest = self.pause = 0.0
        self.last = time.monotonic()

    def connect(self) -> http.client.HTTPConnection:
        """A fresh connection."""
        parts = urlsplit(self.address)
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_LONGEST_S, context=_TLS)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_LONGEST_S)

    def told(self) -> dict[str, Any]:
        """What was seen, as JSON."""
        return {
            "address": self.address,
            "answers": self.answers,
            "posts": self.posts,
            "failures": self.failures,
            "slowest": round(self.slowest, 3),
            "pause": round(self.pause, 3),
        }


class Crowd:
    """All of them, and what they have seen."""

    def __init__(self, name: str, token: str, counter: Path, addresses: list[str]) -> None:
        self.lines = [Line(address) for address in addresses]
        self.headers = {
            "Host": name,
            "Authorization": f"Bearer {token}",
            "X-Forwarded-Proto": "https",
        }
        self.counter = counter
        self.enough = threading.Event()
        self.lock = threading.Lock()
        self.posted: set[str] = set()

    def use(self, line: Line, number: int, *, keep: bool) -> None:
        """One app, until it is enough."""
        connection = line.connect()
        while not self.enough.is_set():
            if not keep:
                connection = line.connect()
            self._ask(line, connection, number)
            number += 1
            time.sleep(_PAUSE_S)

    def _ask(self, line: Line, connection: http.client.HTTPConnection, number: int) -> None:
        began = time.monotonic()
        post = number % 3 == 0
        try:
            if post:
                headers = {**self.headers, "Content-Type": "application/x-www-form-urlencoded"}
                connection.request("POST", "/api/v1/statuses", f"status=n+{number}+{began}", headers)
            else:
                connection.request("GET", "/api/v1/timelines/home?limit=3", headers=self.headers)
            answer = connection.getresponse()
            body = answer.read()
            failure = "" if answer.status == 200 else f"{answer.status} {body[:200]!r}"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            body, failure = b"", f"{'POST' if post else 'GET'} {error!r}"
        self._note(line, began, posted=json.loads(body)["id"] if post and not failure else "", failure=failure)

    def _note(self, line: Line, began: float, *, posted: str, failure: str) -> None:
        now = time.monotonic()
        with self.lock:
            if failure:
                line.failures.append(failure)
                return
            line.answers += 1
            if posted:
                line.posts += 1
                self.posted.add(posted)
            line.slowest = max(line.slowest, now - began)
            line.pause = max(line.pause, now - line.last)
            line.last = now
            answers = sum(one.answers for one in self.lines)
            if answers % 20 == 0:
                self.counter.write_text(str(answers))


class Listener:
    """Somebody who listens: through a WebSocket at https, to an event stream at http. Comes back when it ends."""

    def __init__(self, crowd: Crowd, address: str) -> None:
        self.crowd = crowd
        self.address = address
        self.heard: Counter[str] = Counter()
        self.drops: list[str] = []
        self.connected = threading.Event()
        self.leaving = threading.Event()

    def listen(self) -> None:
        """Listens until everybody leaves."""
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        connector = aiohttp.TCPConnector(ssl=_TLS)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_LONGEST_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self.crowd.headers) as session:
            while not self.leaving.is_set():
                hearing = asyncio.create_task(self._hear(session))
                while not self.leaving.is_set() and not (await asyncio.wait([hearing], timeout=0.1))[0]:
                    pass
                if not hearing.done():
                    hearing.cancel()
                    await asyncio.gather(hearing, return_exceptions=True)
                    return
                self.drops.append(repr(hearing.exception()) if hearing.exception() else "it ended")
                await asyncio.sleep(0.2)

    async def _hear(self, session: aiohttp.ClientSession) -> None:
        if self.address.startswith("https:"):
            async with session.ws_connect(f"{self.address}/api/v1/streaming?stream=user", autoping=True) as socket:
                self.connected.set()
                async for message in socket:
                    event = json.loads(message.data)
                    self._note(event["event"], event["payload"])
            return
        async with session.get(f"{self.address}/api/v1/streaming/user") as answer:
            answer.raise_for_status()
            self.connected.set()
            kind = ""
            while line := (await answer.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    self._note(kind, value)

    def _note(self, kind: str, payload: str) -> None:
        if kind == "update":
            self.heard[json.loads(payload)["id"]] += 1

    def told(self) -> dict[str, Any]:
        """What was heard, as JSON."""
        return {
            "address": self.address,
            "heard": len(self.heard),
            "drops": self.drops,
            "lost": len(self.crowd.posted - self.heard.keys()),
            "twice": sum(count > 1 for count in self.heard.values()),
        }


def main() -> None:
    """Lets them in, waits, tells."""
    name, token, counter, *addresses = sys.argv[1:]
    crowd = Crowd(name, token, Path(counter), addresses)
    signal.signal(signal.SIGTERM, lambda _number, _frame: crowd.enough.set())
    listeners = [Listener(crowd, address) for address in addresses]
    listening = [threading.Thread(target=one.listen) for one in listeners]
    for one in listening:
        one.start()
    for listener in listeners:
        listener.connected.wait(_LONGEST_S)
    people = [
        threading.Thread(target=crowd.use, args=(line, (10 * place + seat) * 1000), kwargs={"keep": seat < KEPT})
        for place, line in enumerate(crowd.lines)
        for seat in range(KEPT + FRESH)
    ]
    for one in people:
        one.start()
    while not crowd.enough.wait(0.2):
        pass
    for one in people:
        one.join()
    late = time.monotonic() + _LATE_S
    while time.monotonic() < late and any(crowd.posted - listener.heard.keys() for listener in listeners):
        time.sleep(0.1)
    for listener in listeners:
        listener.leaving.set()
    for one in listening:
        one.join()
    streams = [listener.told() for listener in listeners]
    print(json.dumps({"lines": [line.told() for line in crowd.lines], "streams": streams}))


if __name__ == "__main__":
    main()
