"""`python -m bench.stream_handover`: what listeners notice when streaming is replaced under them. Nothing but a pause.

Thousands of WebSockets and event streams listen while somebody posts and the streaming role is reloaded and restarted.
Each post must come to each of them once and in its place.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from bench.load import Line
from bench.report import conclude
from bench.server import Server
from bench.streams import Listener
from bench.writes import post
from phiomia.platform import control

MOST_PAUSE_S = 1.0
_SETTLE_S = 3.0
_ID = re.compile(rb'"event":"update","payload":"\{\\"id\\":\\"(\d+)|\ndata: \{"id":"(\d+)')


class EventStream:
    """One event stream."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        head = f"GET /api/v1/streaming/user HTTP/1.1\r\nHost: bench.example\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.socket.sendall(head.encode())
        self.buffer = b""
        while b":)" not in self.buffer:
            self.buffer += self._read()
        if not self.buffer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the stream was refused: {self.buffer[:300]!r}")

    def receive(self) -> list[bytes]:
        """The events that are complete."""
        self.buffer += self._read()
        *events, self.buffer = self.buffer.split(b"\n\n")
        return events

    def _read(self) -> bytes:
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server ended a stream")
        return data


class Crowd:
    """Everybody who listens, and what came when."""

    def __init__(self, listeners: Sequence[Listener | EventStream]) -> None:
        self.by_number = {listener.socket.fileno(): listener for listener in listeners}
        self.heard: dict[int, list[str]] = {number: [] for number in self.by_number}
        self.last: dict[str, float] = {}
        self.at: dict[int, float] = {}
        self.gap = 0.0  # the longest time between two events that somebody has noticed
        self.disconnects = 0
        self.ended = threading.Event()
        self._poll = select.epoll()
        for number in self.by_number:
            self._poll.register(number, select.EPOLLIN)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def end(self) -> None:
        """Listens no more."""
        self.ended.set()
        self._thread.join()
        for listener in self.by_number.values():
            listener.socket.close()

    def _listen(self) -> None:
        while not self.ended.is_set():
            for number, _ in self._poll.poll(0.2):
                try:
                    messages = self.by_number[number].receive()
                except OSError:
                    self.disconnects += 1
                    self._poll.unregister(number)
                    continue
                for message in messages:
                    self._note(number, message)

    def _note(self, number: int, message: bytes) -> None:
        found = _ID.search(message)
        if found is not None:
            id_ = (found[1] or found[2]).decode()
            now = time.perf_counter()
            self.heard[number].append(id_)
            self.gap = max(self.gap, now - self.at.get(number, now))
            self.last[id_] = self.at[number] = now


class Poster:
    """Posts at a steady pace until it is told to stop."""

    def __init__(self, server: Server, token: str, every_s: float) -> None:
        self.posted: dict[str, float] = {}
        self._line, self._token, self._every_s = Line(server.address), token, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._post)
        self._thread.start()

    def end(self) -> None:
        """Posts no more."""
        self._ended.set()
        self._thread.join()

    def _post(self) -> None:
        while not self._ended.wait(self._every_s):
            begun = time.perf_counter()
            self.posted[post(self._line, self._token)] = begun


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 with --check when a stream broke, or something was lost or came twice."""
    options = _parse(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="phiomia-streams-", dir="/tmp") as folder:
        # They connect one after another, faster than apps are let in.
        server = Server(Path(folder), settings={"PHIOMIA_STREAMS_HANDSHAKES_PER_SECOND": "0"})
        server.start()
        try:
            figures = _measure(server, options)
        finally:
            server.stop()
    return conclude(figures, "streaming replaced under its listeners", load, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.stream_handover", description=__doc__)
    parser.add_argument("--websockets", type=int, default=4000)
    parser.add_argument("--event-streams", type=int, default=200)
    parser.add_argument("--times", type=int, default=4, help="how often it is replaced: reload and restart in turn")
    parser.add_argument("--every", type=float, default=0.5, metavar="SECONDS", help="between two posts")
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    parser.add_argument("--check", action="store_true", help="fail when something broke")
    return parser.parse_args(arguments)


def _measure(server: Server, options: argparse.Namespace) -> list[Figure]:
    token = _make_member(server)
    listeners: list[Listener | EventStream] = [Listener(server.address, token) for _ in range(options.websockets)]
    listeners += [EventStream(server.address, token) for _ in range(options.event_streams)]
    time.sleep(1)
    crowd, poster = Crowd(listeners), Poster(server, token, options.every)
    try:
        time.sleep(_SETTLE_S)
        begun = time.perf_counter()
        memory = [_count_memory(server)]
        usual, crowd.gap = crowd.gap, 0.0
        for turn in range(options.times):
            change = (control.reload, control.restart)[turn % 2]
            outcome = change(server.data / "run", ["streaming"])
            if not outcome.ok:
                raise RuntimeError(outcome.reason)
            time.sleep(_SETTLE_S)
            memory.append(_count_memory(server))
    finally:
        poster.end()
        time.sleep(_SETTLE_S)
        crowd.end()
    return [*_judge(crowd, poster, begun, memory), _judge_pause(crowd.gap, usual)]


def _judge(crowd: Crowd, poster: Poster, begun: float, memory: list[float]) -> list[Figure]:
    expected = list(poster.posted)
    lost = sum(len(set(expected) - set(heard)) for heard in crowd.heard.values())
    twice = sum(len(heard) - len(set(heard)) for heard in crowd.heard.values())
    moved = sum(heard != expected for heard in crowd.heard.values())
    before, during = [0.0], [0.0]
    for id_, at in poster.posted.items():
        (before if at < begun - 1 else during).append(crowd.last.get(id_, at) - at)
    more = {"listeners": len(crowd.heard), "posts": len(expected), "before": f"{max(before):.2f}"}
    return [
        Figure("handover", "streams that ended", crowd.disconnects, "", 0, more=more),
        Figure("handover", "events lost", lost, "", 0),
        Figure("handover", "events twice", twice, "", 0),
        Figure("handover", "listeners with another order", moved, "", 0),
        Figure("handover", "post to last listener, longest", max(during), "s", max(before) + MOST_PAUSE_S),
        Figure(
            "handover",
            "memory of the streaming process afterwards",
            memory[-1] - memory[0],
            "MB more",
            more={"MB": [round(one) for one in memory]},
        ),
    ]


def _judge_pause(gap: float, usual: float) -> Figure:
    more = {"before": f"{usual:.2f}"}
    return Figure("handover", "between two events, longest", gap, "s", usual + MOST_PAUSE_S, more=more)


def _make_member(server: Server) -> str:
    variables = {"PHIOMIA_DATA": str(server.data), "PHIOMIA_PASSWORD": "correct horse battery"}
    made = ""
    for arguments in (
        ("accounts", "create", "bench", "--email", "bench@bench.example", "--confirmed"),
        ("tokens", "create", "bench", "--scopes", "read write"),
    ):
        command = [sys.executable, "-P", "-m", "phiomia", *arguments]
        made = subprocess.run(
            command, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=True
        ).stdout
    return made.strip()


def _count_memory(server: Server) -> float:
    """The memory of the newest streaming process that is its own, in MB."""
    status = Path(f"/proc/{server.role('streaming')[-1]}/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    sys.exit(main())
