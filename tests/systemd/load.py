"""People who use the server while it is upgraded: apps that keep connections, and some that do not; a third posts.

Runs until SIGTERM, then prints what became of it as JSON. Arguments: host:port, the name of the server, a token, and
a file that says how many were answered.
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
from pathlib import Path

KEPT, FRESH = 3, 2
_LONGEST_S = 120.0


class Crowd:
    """All of them, and what they have seen."""

    def __init__(self, address: str, name: str, token: str, counter: Path) -> None:
        self.address = address
        self.headers = {
            "Host": name,
            "Authorization": f"Bearer {token}",
            "X-Forwarded-Proto": "https",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self.counter = counter
        self.enough = threading.Event()
        self.lock = threading.Lock()
        self.answers = self.posts = 0
        self.failures: list[str] = []
        self.slowest = self.pause = 0.0
        self.last = time.monotonic()

    def use(self, number: int, *, keep: bool) -> None:
        """One app, until it is enough."""
        connection = self._connect()
        while not self.enough.is_set():
            if not keep:
                connection = self._connect()
            self._ask(connection, number)
            number += 1
            time.sleep(0.1)

    def _connect(self) -> http.client.HTTPConnection:
        host, _, port = self.address.rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=_LONGEST_S)

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> None:
        began = time.monotonic()
        post = number % 3 == 0
        try:
            if post:
                connection.request("POST", "/api/v1/statuses", f"status=n+{number}+{began}", self.headers)
            else:
                connection.request("GET", "/api/v1/timelines/home?limit=3", headers=self.headers)
            answer = connection.getresponse()
            body = answer.read()
            self._note(began, post=post, failure="" if answer.status == 200 else f"{answer.status} {body[:200]!r}")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self._note(began, post=post, failure=f"{'POST' if post else 'GET'} {error!r}")

    def _note(self, began: float, *, post: bool, failure: str) -> None:
        now = time.monotonic()
        with self.lock:
            if failure:
                self.failures.append(failure)
                return
            self.answers += 1
            self.posts += post
            self.slowest = max(self.slowest, now - began)
            self.pause = max(self.pause, now - self.last)
            self.last = now
            if self.answers % 20 == 0:
                self.counter.write_text(str(self.answers))


def main() -> None:
    """Lets them in, waits, tells."""
    address, name, token, counter = sys.argv[1:]
    crowd = Crowd(address, name, token, Path(counter))
    signal.signal(signal.SIGTERM, lambda _number, _frame: crowd.enough.set())
    people = [
        threading.Thread(target=crowd.use, args=(place * 1000,), kwargs={"keep": place < KEPT})
        for place in range(KEPT + FRESH)
    ]
    for one in people:
        one.start()
    while not crowd.enough.wait(0.2):
        pass
    for one in people:
        one.join()
    told = {"answers": crowd.answers, "posts": crowd.posts, "failures": crowd.failures}
    print(json.dumps({**told, "slowest": round(crowd.slowest, 3), "pause": round(crowd.pause, 3)}))


if __name__ == "__main__":
    main()
