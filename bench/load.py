"""A client that costs little: requests are bytes made beforehand, answers are only counted. One thread, one epoll."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

Address = tuple[str, int]


@dataclass
class Passed:
    """What happened during a run."""

    answers: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)  # beginnings of answers other than 200

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the answers did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def make_request(path: str, token: str = "", *, form: bytes = b"", headers: Sequence[str] = ()) -> bytes:
    """The bytes of a GET, or with a form of a POST."""
    lines = [f"{'POST' if form else 'GET'} {path} HTTP/1.1", "Host: bench.example", "User-Agent: bench", *headers]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if form:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
    return "\r\n".join([*lines, "", ""]).encode() + form


class Line:
    """One kept-alive connection."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.received = b""
        self.missing = 0
        self.keep = False

    def send(self, request: bytes) -> None:
        """Sends a request; the answer to the one before has been read."""
        self.received = b""
        self.missing = -1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Reads what is there; tells whether the answer is complete. Of a long one only the beginning is kept."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed the connection")
        if self.missing >= 0:
            if self.keep:
                self.received += data
            self.missing -= len(data)
            return self.missing <= 0
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        self.missing = _body_length(self.received[:end]) - (len(self.received) - end - 4)
        return self.missing <= 0

    def ask(self, request: bytes) -> bytes:
        """The body of the answer; raises for any status but 200."""
        self.keep = True
        self.send(request)
        while not self.receive():
            pass
        head, _, data = self.received.partition(b"\r\n\r\n")
        raise_for(head)
        return data


def raise_for(head: bytes) -> None:
    """Raises when the head of an answer says other than 200."""
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server refused: {head[:400]!r}")


def _body_length(head: bytes) -> int:
    lowered = head.lower()
    place = lowered.find(b"content-length:")
    if place < 0:
        raise RuntimeError(f"an answer without its length: {head[:400]!r}")
    return int(lowered[place + 15 :].partition(b"\r\n")[0])


def run(
    address: Address, requests: Sequence[bytes], *, seconds: float, connections: int = 8, most: int = 1 << 60
) -> Passed:
    """Asks the requests in turn on several connections, for a time or until `most` have been answered."""
    lines = [Line(address) for _ in range(connections)]
    try:
        return _run(lines, cycle(requests).__next__, seconds, most)
    finally:
        for line in lines:
            line.socket.close()


def _run(lines: Sequence[Line], following: Callable[[], bytes], seconds: float, most: int) -> Passed:
    passed = Passed()
    poll = select.epoll()
    by_number = {line.socket.fileno(): line for line in lines}
    begun = time.perf_counter()
    asked = 0
    for number, line in by_number.items():
        if asked < most:
            poll.register(number, select.EPOLLIN)
            line.send(following())
            asked += 1
    waiting = asked
    until = begun + seconds
    while waiting:
        for number, _ in poll.poll(30):
            line = by_number[number]
            if not line.receive():
                continue
            now = time.perf_counter()
            passed.answers += 1
            passed.latencies.append(now - line.sent_at)
            if not line.received.startswith(b"HTTP/1.1 200"):
                passed.refused.append(line.received[:400])
            if now < until and asked < most:
                line.send(following())
                asked += 1
            else:
                waiting -= 1
    passed.seconds = time.perf_counter() - begun
    poll.close()
    return passed
