"""Another way into the role: connections that a web process gave away."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from pathlib import Path

from stage import open_stage, perform

from phiomia.platform.passing import Giver, turn_away


def test_a_connection_can_be_given_to_the_role(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage:
            ours, theirs = socket.socketpair()
            giver = Giver(stage.handed_over)
            assert giver.give(theirs.fileno(), b"GET /api/v1/streaming/user HTTP/1.1\r\nHost: x\r\nAuthor")
            theirs.close()
            reader, writer = await asyncio.open_connection(sock=ours)
            writer.write(b"ization: Bearer alice\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await stage.until(lambda: stage.metrics.connected_sse == 1)
            writer.close()

    perform(play)


def test_whom_nobody_takes_is_told_at_once_when_to_return() -> None:
    asked = b"GET /api/v1/streaming/user HTTP/1.1\r\nHost: x\r\n"
    seconds = set()
    for _ in range(40):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert not turn_away(theirs.fileno(), asked)
            assert not turn_away(theirs.fileno(), b"POST" + asked[3:] + b"\r\n")
            assert turn_away(theirs.fileno(), asked + b"\r\n")
            theirs.close()
            answer = http.client.HTTPResponse(ours)
            answer.begin()
            assert (answer.status, answer.getheader("connection")) == (503, "close")
            assert json.loads(answer.read()) == {"error": "Streaming is not available right now"}
            seconds.add(int(answer.getheader("retry-after", "")))
    assert len(seconds) > 1
    assert seconds <= {1, 2, 3, 4, 5}
