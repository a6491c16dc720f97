"""Streams go on in the process that comes after: nothing is lost, nothing comes twice, nobody is disconnected."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from stage import ALICE, Stage, bearer, next_event, next_message, open_stage, perform

from phiomia.streaming import giving, taking
from phiomia.streaming.state import READS, VERSION, ClientState, read_batch, write_batch

HEAD = "GET /api/v1/streaming{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n{more}\r\n"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def masked(command: dict[str, Any]) -> bytes:
    """A frame as a client sends it; its mask changes nothing."""
    text = json.dumps(command).encode()
    return bytes((0x81, 0x80 | len(text))) + bytes(4) + text


def split_frames(data: bytes) -> list[dict[str, Any]]:
    """The messages in whole frames of the server; fails when something is left."""
    messages = []
    file = io.BytesIO(data)
    while head := file.read(2):
        assert head[0] == 0x81, head
        extended = {126: 2, 127: 8}.get(head[1], 0)
        size = int.from_bytes(file.read(extended), "big") if extended else head[1]
        body = file.read(size)
        assert len(body) == size, "half a frame"
        messages.append(json.loads(body))
    return messages


def number_of(message: dict[str, Any]) -> int:
    """The number of the status in a message."""
    return int(json.loads(message["payload"])["id"])


class Sloth:
    """A WebSocket that does not read before it is told to."""

    def __init__(self, stage: Stage) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", stage.port))
        self.socket.sendall(HEAD.format(path="?stream=user", more=UPGRADE).encode())
        self.socket.setblocking(False)
        self.data = bytearray()

    async def read(self, numbers: int) -> list[int]:
        """The numbers of as many statuses."""
        loop = asyncio.get_running_loop()
        end = f'\\"id\\": \\"{numbers}\\"'.encode()
        while not self.data.endswith(b"}") or end not in self.data[-100_000:]:
            more = await loop.sock_recv(self.socket, 1 << 20)
            assert more, "the server ended the stream"
            self.data += more
        return [number_of(message) for message in split_frames(bytes(self.data.partition(b"\r\n\r\n")[2]))]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ClientState]]:
    """Every state that was given away, with the version in which it was written."""
    told: list[tuple[int, ClientState]] = []

    def write(position: int, clients: list[ClientState], version: int) -> bytes:
        told.extend((version, client) for client in clients)
        return write_batch(position, clients, version)

    monkeypatch.setattr(giving, "write_batch", write)
    return told


@pytest.mark.parametrize("on_uvloop", [True, False])
def test_ten_generations_go_on_with_every_stream(
    tmp_path: Path, given: list[tuple[int, ClientState]], monkeypatch: pytest.MonkeyPatch, on_uvloop: bool
) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path, queued=1 << 26) as stage,
            aiohttp.ClientSession(headers=bearer(), read_bufsize=1 << 24) as http,
        ):
            stage.painter.padding = "x" * 40_000
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            events = await http.get(stage.url + "/user")
            sloth = Sloth(stage)
            await stage.until(lambda: stage.metrics.subscriptions == 3)
            posted = 0
            ended = asyncio.Event()

            async def post() -> None:
                nonlocal posted
                while not ended.is_set():
                    posted += 1
                    await stage.post(posted, home=[ALICE])
                    await asyncio.sleep(0.005)

            posting = asyncio.create_task(post())
            wire = socket_.get_extra_info("socket")
            for turn in range(10):
                # Each other generation is of the release before, which reads only the version before.
                monkeypatch.setattr(taking, "READS", READS[: 1 + turn % 2])
                frame = masked({"type": "subscribe", "stream": "hashtag", "tag": f"turn{turn}"})
                os.write(wire.fileno(), frame[:20])
                # More than the kernel keeps for who does not read.
                await stage.until(lambda turn=turn: posted >= 15 * (turn + 1))
                await stage.replace()
                os.write(wire.fileno(), frame[20:])
                await stage.until(lambda turn=turn: stage.metrics.subscriptions == 4 + turn)
                assert stage.metrics.taken == 3
            ended.set()
            await posting
            assert posted > 20
            expected = list(range(1, posted + 1))
            assert [number_of(await next_message(socket_)) for _ in expected] == expected
            heard = [await next_event(events) for _ in expected]
            assert [int(json.loads(event["data"])["id"]) for event in heard] == expected
            assert [int(event["id"]) for event in heard] == expected
            assert await sloth.read(posted) == expected
            sloth.socket.close()

    perform(play, on_uvloop=on_uvloop)
    assert {version for version, _ in given} == set(READS)
    assert sum(bool(state.unread) for _, state in given) == 10
    assert any(state.unsent for _, state in given)


def test_who_is_not_answered_yet_is_answered_by_the_next_process(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage:
            reader, writer = await stage.connect()
            head = HEAD.format(path="/user", more="").encode()
            writer.write(head[:30])
            await stage.until(lambda: stage.metrics.accepted == 1)
            await asyncio.sleep(0.02)
            await stage.replace()
            writer.write(head[30:])
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()

    perform(play)


def test_who_catches_up_goes_on_where_it_was(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            for number in range(1, 41):
                await stage.post(number, home=[ALICE])
            stage.painter.gate = asyncio.Event()
            events = await http.get(stage.url + "/user", headers={"last-event-id": "10"})
            await stage.until(lambda: stage.painter.calls == 1)
            replacing = asyncio.create_task(stage.replace())
            await stage.post(41, home=[ALICE])
            stage.painter.gate.set()
            stage.painter.gate = None
            await replacing
            await stage.post(42, home=[ALICE])
            expected = [str(number) for number in range(11, 43)]
            assert [(await next_event(events))["id"] for _ in expected] == expected

    perform(play)


def test_a_token_that_is_revoked_between_two_processes_ends_its_streams(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            alice = await http.ws_connect(stage.url + "?stream=user", headers=bearer("alice"))
            bob = await http.ws_connect(stage.url + "?stream=user", headers=bearer("bob"))
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            asked = asyncio.Event()
            give = giving.give_away

            async def late(*arguments: Any) -> bool:
                server = arguments[0]
                server.feed.finish()
                await stage.append("token", ids=[ALICE * 100])
                await stage.post(1, home=[1, 2])
                await stage.until(lambda: stage.metrics.events == 2)
                asked.set()
                return await give(*arguments)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("phiomia.streaming.succession.give_away", late)
                await stage.replace()
            assert asked.is_set()
            assert (await alice.receive(timeout=5)).data == 1008
            assert number_of(await next_message(bob)) == 1

    perform(play)


class Pretender:
    """Listens like a next process, and does what a test wants instead of taking."""

    def __init__(self, folder: Path, answer: bytes, then: Callable[[socket.socket], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(folder / f"9-{os.getpid()}.over"))
        self.listener.listen()
        self.answer = answer
        self.then = then

    def serve(self) -> None:
        """Answers one giver."""
        sock, _ = self.listener.accept()
        with sock:
            sock.send(self.answer)
            self.then(sock)


@pytest.mark.parametrize("answer", [b"[1,2]", b"[3]", b"no list"])
def test_without_somebody_who_takes_them_streams_end_in_good_order(tmp_path: Path, answer: bytes) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            pretender = Pretender(stage.handed_over, answer, lambda sock: None)
            serving = asyncio.create_task(asyncio.to_thread(pretender.serve))
            ending = asyncio.create_task(stage.end())
            assert (await socket_.receive(timeout=5)).data == 1012
            await serving
            await ending
            pretender.listener.close()

    perform(play)


def test_when_the_next_process_ends_before_it_has_all_the_one_after_it_takes_the_rest(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            socket_ = await http.ws_connect(stage.url + "?stream=user")
            events = await http.get(stage.url + "/user")
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            pretender = Pretender(stage.handed_over, b"[1,2]", lambda sock: None)
            serving = asyncio.create_task(asyncio.to_thread(pretender.serve))

            async def forget() -> None:
                await serving
                pretender.listener.close()

            forgetting = asyncio.create_task(forget())
            await stage.post(1, home=[ALICE])
            await stage.replace()
            await forgetting
            await stage.until(lambda: stage.metrics.taken == 2)
            await stage.post(2, home=[ALICE])
            assert [number_of(await next_message(socket_)) for _ in range(2)] == [1, 2]
            assert [(await next_event(events))["id"] for _ in range(2)] == ["1", "2"]

    perform(play)


def test_a_batch_of_the_version_before_is_read_and_a_later_one_refused() -> None:
    old = {
        "version": 1,
        "position": 7,
        "clients": [
            {
                "kind": "sse",
                "inode": 1,
                "account_id": 2,
                "token_id": 3,
                "scopes": ["read"],
                "languages": None,
                "channels": [["user", ""]],
                "unread": b"",
                "unsent": b"id: 7",
                "chunked": True,
                "seen": 0,
                "awaits_pong": False,
            }
        ],
    }
    batch = read_batch(msgspec.msgpack.encode(old))
    assert batch.position == 7
    (client,) = batch.clients
    assert (client.kind, client.unsent, client.commands, client.due_s) == ("sse", b"id: 7", [], None)
    with pytest.raises(ValueError, match="version 3"):
        read_batch(msgspec.msgpack.encode(old | {"version": VERSION + 1}))
