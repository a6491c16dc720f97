"""Other ways into the role: connections that a web process gave away, and those of a process before."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path

import aiohttp
import msgspec
import pytest
from stage import ALICE, Stage, bearer, next_event, next_message, open_stage, perform

from phiomia.platform.passing import Giver
from phiomia.streaming.feed import Feed
from phiomia.streaming.hall import Hall
from phiomia.streaming.metrics import StreamingMetrics
from phiomia.streaming.server import StreamingServer
from phiomia.streaming.state import ClientState


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


class Successor:
    """Another process, as far as streams can tell: it knows nothing but states and sockets."""

    def __init__(self, stage: Stage) -> None:
        self.metrics = StreamingMetrics()
        self.hall = Hall(self.metrics, stage.context.limits)
        self.feed = Feed(stage.db, stage.bus, stage.painter, self.hall)
        self.server = StreamingServer(self.hall, self.feed, stage.tokens)


def test_streams_go_on_in_another_process_in_the_middle_of_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: list[StreamingServer] = []
    listen = StreamingServer.listen

    def remember(server: StreamingServer, sockets: list[socket.socket]) -> None:
        servers.append(server)
        listen(server, sockets)

    monkeypatch.setattr(StreamingServer, "listen", remember)

    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            (old,) = servers
            ws = await http.ws_connect(stage.url + "?stream=user")
            response = await http.get(stage.url + "/public")
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            frame = b'{"type":"subscribe","stream":"public"}'
            frame = bytes((0x81, 0x80 | len(frame))) + bytes(4) + frame
            transport = ws.get_extra_info("socket")
            assert transport is not None
            os.write(transport.fileno(), frame[:20])
            await asyncio.sleep(0.1)

            states = msgspec.json.decode(msgspec.json.encode(old.states()), type=list[ClientState])
            position = old.feed.position
            parked = {}
            for guest in list(old.hall.guests):
                sock = guest.wire.sock.dup()  # type: ignore[attr-defined]
                parked[os.fstat(sock.fileno()).st_ino] = sock
                guest.detach()
            await stage.post(1, home=[ALICE])

            new = Successor(stage)
            await new.feed.start(position)
            for state in states:
                new.server.resume(parked[state.inode], state)
            following = asyncio.create_task(new.feed.run())
            assert (await next_message(ws))["stream"] == ["user"]
            assert json.loads((await next_event(response))["data"])["id"] == "1"
            os.write(transport.fileno(), frame[20:])
            await stage.until(lambda: new.metrics.subscriptions == 3)
            await stage.post(2, home=[ALICE])
            assert [(await next_message(ws))["stream"] for _ in range(2)] == [["user"], ["public"]]
            await new.server.close(0.5)
            assert (await ws.receive(timeout=5)).data == 1012
            following.cancel()

    perform(play)
