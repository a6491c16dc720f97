"""Another way into the role: connections that a web process gave away."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from stage import open_stage, perform

from phiomia.platform.passing import Giver


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
