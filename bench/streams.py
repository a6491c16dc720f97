"""How soon a post reaches everybody who listens: WebSockets, each of another follower."""

from __future__ import annotations

import base64
import os
import select
import socket
import time
from collections.abc import Sequence

from bench.figures import Figure
from bench.load import Address, Line
from bench.seed import Facts
from bench.server import Server
from bench.writes import post

_PING = 9
_PONG = b"\x8a\x80" + bytes(4)


class Listener:
    """One WebSocket that reads what the server sends."""

    def __init__(self, address: Address, token: str) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        head = [
            "GET /api/v1/streaming?stream=user HTTP/1.1",
            "Host: bench.example",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"Authorization: Bearer {token}",
        ]
        self.socket.sendall("\r\n".join([*head, "", ""]).encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self._read()
        answer, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(f"the stream was refused: {answer[:300]!r}")

    def receive(self) -> list[bytes]:
        """The messages that are complete."""
        self.buffer += self._read()
        messages = []
        while (frame := _split_frame(self.buffer)) is not None:
            opcode, payload, self.buffer = frame
            if opcode == 1:
                messages.append(payload)
            elif opcode == _PING:
                self.answer_ping()
        return messages

    def answer_ping(self) -> None:
        """Says that it is there."""
        self.socket.sendall(_PONG)

    def _read(self) -> bytes:
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server ended a stream")
        return data


def measure_streams(facts: Facts, server: Server, *, listeners: int = 200, posts: int = 60) -> list[Figure]:
    """Posts of somebody whom everybody follows, one after another."""
    tokens = [token for token in facts.tokens if token != facts.crowd]
    line = Line(server.address)
    opened = [Listener(server.address, tokens[place % len(tokens)]) for place in range(listeners)]
    time.sleep(0.5)
    each, last = [], []
    for place in range(posts + 3):
        delays = _deliver(opened, line, facts.crowd)
        if place >= 3:
            each += delays
            last.append(delays[-1])
        time.sleep(0.02)
    for listener in opened:
        listener.socket.close()
    more = {
        "listeners": listeners,
        "each_p50_ms": _share(each, 0.5),
        "each_p99_ms": _share(each, 0.99),
        "last_p50_ms": _share(last, 0.5),
    }
    return [Figure("streams", f"post to last of {listeners}", _share(last, 0.99), "ms p99", 90.0, 93.0, more=more)]


def _deliver(opened: Sequence[Listener], line: Line, token: str) -> list[float]:
    """Posts, and gives the delay of each delivery in ms, the shortest first."""
    by_number = {listener.socket.fileno(): listener for listener in opened}
    poll = select.epoll()
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    begun = time.perf_counter()
    wanted = post(line, token).encode()
    delays: list[float] = []
    while len(delays) < len(opened):
        ready = poll.poll(10)
        if not ready:
            raise RuntimeError(
                f"{len(opened) - len(delays)} of {len(opened)} streams did not get a post in ten seconds"
            )
        for number, _ in ready:
            for message in by_number[number].receive():
                if wanted in message and b'"event":"update"' in message:
                    delays.append((time.perf_counter() - begun) * 1000)
    poll.close()
    return delays


def _share(delays: Sequence[float], share: float) -> float:
    ordered = sorted(delays)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)


def _split_frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Opcode, payload and what follows of the first frame; None while it is incomplete. Servers do not mask."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length >= 126:
        start = 4 if length == 126 else 10
        length = int.from_bytes(data[2:start], "big")
        if len(data) < start:
            return None
    if len(data) < start + length:
        return None
    return data[0] & 0x0F, data[start : start + length], data[start + length :]
