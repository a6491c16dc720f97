"""People who listen while the streaming unit is restarted, and one who posts for all of them.

Arguments: the name of the server, a token, and addresses of the form `ways:host:port`, where ways is how many
WebSockets and as many event streams to open there. Prints `ready`; then, for each line `gap` of its input, the longest
time between two events that somebody has seen since it was asked last, and for each line `ended` how many streams have.
Ends with its input, and prints what was heard as JSON.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
import traceback

from bench.stream_handover import Crowd, EventStream
from bench.streams import Listener

_EVERY_S = 0.05
_HALF_S = 0.3
_PATIENCE_S = 30.0
_COMMAND = b'{"type":"subscribe","stream":"hashtag","tag":"halves"}'
# A mask of zeros changes nothing.
_FRAME = bytes((0x81, 0x80 | len(_COMMAND))) + bytes(4) + _COMMAND


class Poster:
    """Posts at a steady pace until it is told to stop."""

    def __init__(self, name: str, token: str) -> None:
        self.posted: list[str] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", 3000, timeout=_PATIENCE_S)
        self._headers = {
            "Host": name,
            "Authorization": f"Bearer {token}",
            "X-Forwarded-Proto": "https",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._post)
        self._thread.start()

    def end(self) -> None:
        """Posts no more."""
        self._ended.set()
        self._thread.join()

    def _post(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._connection.request("POST", "/api/v1/statuses", f"status={len(self.posted)}", self._headers)
            answer = self._connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {body!r}")
            self.posted.append(json.loads(body)["id"])


class Halver(Listener):
    """Sends messages in two halves, all the time, so that it is between them whenever anything happens."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        super().__init__(address, token)
        self._lock = threading.Lock()
        self._is_between = self._owes_pong = False

    def answer_ping(self) -> None:
        """Says that it is there, once it may speak."""
        with self._lock:
            self._owes_pong = self._is_between
            if not self._is_between:
                super().answer_ping()

    def speak(self) -> None:
        """The next half."""
        with self._lock:
            self.socket.sendall(_FRAME[20:] if self._is_between else _FRAME[:20])
            self._is_between = not self._is_between
            if self._owes_pong and not self._is_between:
                self._owes_pong = False
                super().answer_ping()


def main() -> None:
    """Opens everything, obeys, tells."""
    name, token, *places = sys.argv[1:]
    listeners: list[Listener | EventStream] = []
    for place in places:
        ways, host, port = place.split(":")
        for _ in range(int(ways)):
            listeners += [Halver((host, int(port)), token), EventStream((host, int(port)), token)]
    audience = Crowd(listeners)
    poster = Poster(name, token)
    halvers = [one for one in listeners if isinstance(one, Halver)]
    talker = threading.Thread(target=talk, args=(halvers, audience.ended))
    talker.start()
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "gap\n":
            gap, audience.gap = audience.gap, 0.0
            print(round(gap, 2), flush=True)
        elif line == "ended\n":
            print(audience.disconnects, flush=True)
    poster.end()
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and any(heard[-1:] != poster.posted[-1:] for heard in audience.heard.values()):
        time.sleep(0.05)
    audience.ended.set()
    talker.join()
    audience.end()
    print(json.dumps(judge(poster.posted, audience)))


def talk(halvers: list[Halver], ended: threading.Event) -> None:
    """Lets everybody say half a message, then the other half, and so on."""
    while not ended.wait(_HALF_S):
        for one in halvers:
            try:
                one.speak()
            except OSError:
                # That it has ended counts where it is read.
                continue


def judge(posted: list[str], audience: Crowd) -> dict[str, int]:
    """What was heard of what was posted."""
    heard = audience.heard.values()
    return {
        "posted": len(posted),
        "listeners": len(heard),
        "ended": audience.disconnects,
        "lost": sum(len(set(posted) - set(one)) for one in heard),
        "twice": sum(len(one) - len(set(one)) for one in heard),
        "moved": sum(one != posted for one in heard),
    }


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        # The others would listen for ever.
        os._exit(1)
