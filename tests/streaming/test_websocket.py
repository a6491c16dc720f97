"""WebSockets: channels, errors, frames and how they end."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import aiohttp
import pytest
from stage import ALICE, ALICES_LIST, BOB, UNPAINTABLE, bearer, next_message, open_stage, perform
from wsproto import ConnectionType, WSConnection
from wsproto.events import CloseConnection, Event, Ping, Pong, Request, TextMessage


@pytest.mark.parametrize("on_uvloop", [True, False])
def test_channels_are_subscribed_and_unsubscribed_over_one_connection(tmp_path: Path, on_uvloop: bool) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer()) as http,
            http.ws_connect(stage.url + "?stream=user") as ws,
        ):
            await ws.send_json({"type": "subscribe", "stream": "public:local"})
            await ws.send_json({"type": "subscribe", "stream": "public:local"})
            await ws.send_json({"type": "subscribe", "stream": "hashtag", "tag": "Äpfel"})
            await ws.send_json({"type": "subscribe", "stream": "list", "list": str(ALICES_LIST)})
            await stage.until(lambda: stage.metrics.subscriptions == 4)
            await stage.post(5, home=[ALICE, BOB, *range(1000, 1100)], lists=[ALICES_LIST], tags=["apfel"])
            got = [await next_message(ws) for _ in range(4)]
            assert [message["stream"] for message in got] == [
                ["user"], ["list", "77"], ["hashtag", "Äpfel"], ["public:local"],
            ]  # fmt: skip
            assert {message["event"] for message in got} == {"update"}
            assert json.loads(got[0]["payload"]) == {"id": "5", "content": "<p>é</p>", "favourited": False}
            assert json.loads(got[3]["payload"]) == {"id": "5", "content": "<p>é</p>", "filtered": []}
            await ws.send_json({"type": "unsubscribe", "stream": "hashtag", "tag": "apfel"})
            await ws.send_json({"type": "unsubscribe", "stream": "user"})
            await ws.send_json({"type": "unsubscribe", "stream": "list", "list": ALICES_LIST})
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stage.append("delete", id=5, account=9, local=True, visibility="public", tags=[], home=[1], lists=[])
            assert await next_message(ws) == {"stream": ["public:local"], "event": "delete", "payload": "5"}
        assert stage.metrics.subscriptions == stage.metrics.connected_websocket == 0

    perform(play, on_uvloop=on_uvloop)


def test_messages_that_make_no_sense_are_ignored_and_impossible_ones_answered(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer("bob:read:statuses")) as http,
            http.ws_connect(stage.url + "/") as ws,
        ):
            for text in ("{", "[]", "null", '"subscribe"', '{"type":"dance","stream":"user"}', "{}"):
                await ws.send_str(text)
            errors = []
            for command in (
                {"stream": "nowhere"},
                {},
                {"stream": "hashtag"},
                {"stream": "list"},
                {"stream": "list", "list": "77"},
                {"stream": "list", "list": "x"},
                {"stream": "user:notification"},
            ):
                await ws.send_json({"type": "subscribe", **command})
                answer = await next_message(ws)
                assert set(answer) == {"error", "status"}
                errors.append(answer["status"])
            assert errors == [400, 400, 400, 400, 401, 401, 401]
            await ws.send_json({"type": "subscribe", "stream": ["user"]})
            await stage.until(lambda: stage.metrics.subscriptions == 1)

    perform(play)


@pytest.mark.parametrize(
    ("token", "channel", "expected"),
    [
        ("alice", "user", True),
        ("alice:read:statuses", "user", False),
        ("alice:read:notifications", "user:notification", True),
    ],
)
def test_notifications_need_their_scope(tmp_path: Path, token: str, channel: str, expected: bool) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer(token)) as http,
            http.ws_connect(f"{stage.url}?stream={channel}") as ws,
        ):
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stage.append("notification", ids=[[30, ALICE], [31, BOB], [32, ALICE]])
            await stage.append(
                "edit", id=6, account=9, visibility="direct", local=False, mentions=[ALICE], home=[ALICE]
            )
            got = [await next_message(ws) for _ in range(3 if expected else 1)]
            assert [message["event"] for message in got] == ["notification"] * 2 * expected + ["status.update"]
            if expected:
                assert [json.loads(message["payload"])["id"] for message in got] == ["30", "32", "6"]

    perform(play)


def test_filters_conversations_and_lists_go_to_whom_they_belong(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            alice = await http.ws_connect(stage.url + "?stream=user", headers=bearer("alice"))
            bob = await http.ws_connect(stage.url + "?stream=direct", headers=bearer("bob"))
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            await stage.append("filters", account=BOB)
            await stage.append("filters", account=ALICE)
            await stage.append("conversation", id=40, account=ALICE)
            await stage.append("conversation", id=41, account=BOB)
            assert await next_message(alice) == {"stream": ["user"], "event": "filters_changed"}
            assert await next_message(bob) == {"stream": ["direct"], "event": "conversation", "payload": '{"id":"41"}'}
            await alice.close()
            await bob.close()

    perform(play)


def test_announcements_go_to_everybody_who_is_at_home(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            alice = await http.ws_connect(stage.url + "?stream=user", headers=bearer("alice"))
            bob = await http.ws_connect(stage.url + "?stream=direct", headers=bearer("bob"))
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            await stage.append("announcement", id=7)
            await stage.append("announcement_reaction", id=7, name="x", count=2)
            await stage.append("announcement_delete", id=7)
            await stage.append("conversation", id=41, account=BOB)
            reaction = '{"name":"x","count":2,"announcement_id":"7"}'
            told = [(event["event"], event["payload"]) for event in [await next_message(alice) for _ in range(3)]]
            assert told == [
                ("announcement", '{"id":"7"}'),
                ("announcement.reaction", reaction),
                ("announcement.delete", "7"),
            ]
            assert (await next_message(bob))["event"] == "conversation"
            await alice.close()
            await bob.close()

    perform(play)


def test_public_streams_have_no_boosts_no_answers_and_nothing_for_those_who_block(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            names = ["public", "public:media", "public:local", "public:remote", "public:remote:media"]
            sockets = {name: await http.ws_connect(f"{stage.url}?stream={name}") for name in names}
            sockets["hashtag"] = await http.ws_connect(stage.url + "?stream=hashtag:local&tag=A")
            await stage.until(lambda: stage.metrics.subscriptions == 6)
            stage.painter.filters[5, ALICE] = b'[{"filter":{"id":"8"}}]'
            stage.painter.not_for.add((6, ALICE))
            await stage.post(1, boost=True, tags=["a"])
            await stage.post(2, visibility="unlisted", tags=["a"])
            await stage.post(3, reply=True, tags=["a"])
            await stage.post(4, local=False, media=True, tags=["a"])
            await stage.post(5, tags=["a"])
            await stage.post(6, tags=["a"])
            for end in (7, 8):
                await stage.post(end, local=end == 7, media=True, tags=["a"])
            seen = {}
            for name, ws in sockets.items():
                last = "7" if "local" in name or name == "hashtag" else "8"
                seen[name] = []
                while not seen[name] or seen[name][-1] != last:
                    status = json.loads((await next_message(ws))["payload"])
                    assert status["filtered"] == ([{"filter": {"id": "8"}}] if status["id"] == "5" else [])
                    seen[name].append(status["id"])
                await ws.close()
            assert seen == {
                "public": ["4", "5", "7", "8"],
                "public:media": ["4", "7", "8"],
                "public:local": ["5", "7"],
                "public:remote": ["4", "8"],
                "public:remote:media": ["4", "8"],
                "hashtag": ["3", "5", "7"],
            }

    perform(play)


def test_an_upgrade_is_refused_with_a_status_and_a_header(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            for token, status in (("", 401), ("nobody", 401), ("alice:write", 401), ("broken", 500)):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await http.ws_connect(stage.url + "?stream=user", headers=bearer(token) if token else {})
                assert refused.value.status == status
                assert refused.value.headers is not None
                assert refused.value.headers["x-error-message"]
                assert refused.value.headers["content-length"] == "0"
            async with http.get(stage.url, headers=bearer() | {"connection": "upgrade", "upgrade": "websocket"}) as bad:
                assert bad.status == 426

    perform(play)


def test_the_token_comes_from_the_header_then_the_query_then_the_subprotocol(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            query = "?access_token=alice%3Aread"
            async with http.ws_connect(stage.url + query, headers=bearer("bob"), protocols=["x"]) as ws:
                assert ws.protocol == "x"
            async with http.ws_connect(stage.url + query, headers={"authorization": "Basic Zm9v"}, protocols=["x"]):
                pass
            async with http.ws_connect(stage.url, protocols=["bob"]) as ws:
                assert ws.protocol == "bob"
            assert stage.tokens.asked == ["bob", "alice:read", "bob"]

    perform(play)


def test_a_revoked_token_ends_its_streams_alone(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            alice = [await http.ws_connect(stage.url + "?stream=user", headers=bearer("alice")) for _ in range(2)]
            bob = await http.ws_connect(stage.url + "?stream=user", headers=bearer("bob"))
            stage.tokens.refused.add("alice")
            await stage.append("token", ids=[ALICE * 100])
            for ws in alice:
                assert (await ws.receive(timeout=5)).data == 1008
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(stage.url, headers=bearer("alice"))
            stage.tokens.refused.clear()
            await http.ws_connect(stage.url + "?stream=user", headers=bearer("alice"))  # the login was only frozen
            stage.bus.publish("tokens", b"7,%d" % (BOB * 100))
            assert (await bob.receive(timeout=5)).data == 1008
            assert stage.metrics.revoked == 3

    perform(play)


class Peer:
    """A WebSocket client that shows its frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.events: list[Event] = []

    async def shake_hands(self, target: str) -> None:
        self.writer.write(
            self.protocol.send(Request("host", target, extra_headers=[(b"authorization", b"Bearer alice")]))
        )
        await self.next()

    async def next(self) -> Event:
        async with asyncio.timeout(5):
            while not self.events:
                data = await self.reader.read(65536)
                self.protocol.receive_data(data or None)
                self.events.extend(self.protocol.events())
        return self.events.pop(0)


def test_frames_may_come_in_pieces_and_messages_in_fragments(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage:
            peer = Peer(*await stage.connect())
            await peer.shake_hands("/api/v1/streaming")
            text = json.dumps({"type": "subscribe", "stream": "hashtag", "tag": "x" * 200})
            sent = peer.protocol.send(TextMessage(text[:50], message_finished=False))
            sent += peer.protocol.send(Ping(b"between"))
            sent += peer.protocol.send(TextMessage(text[50:]))
            for byte in sent:
                peer.writer.write(bytes([byte]))
                await peer.writer.drain()
                await asyncio.sleep(0)
            assert await peer.next() == Pong(b"between")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stage.post(1, tags=["x" * 200])
            assert isinstance(await peer.next(), TextMessage)

    perform(play)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x82\x81\x00\x00\x00\x00x", 1003),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + bytes(4), 1009),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
    ],
)
def test_frames_that_are_not_understood_end_the_connection(tmp_path: Path, frame: bytes, code: int) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage:
            peer = Peer(*await stage.connect())
            await peer.shake_hands("/api/v1/streaming")
            peer.writer.write(frame)
            closed = await peer.next()
            assert isinstance(closed, CloseConnection)
            assert closed.code == code
            await stage.until(lambda: stage.metrics.connected_websocket == 0)

    perform(play)


def test_who_answers_pings_stays_and_who_does_not_is_dropped(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, ping_s=0.15) as stage:
            alive, dead = Peer(*await stage.connect()), Peer(*await stage.connect())
            await alive.shake_hands("/api/v1/streaming")
            await dead.shake_hands("/api/v1/streaming")
            for _ in range(4):
                ping = await alive.next()
                assert isinstance(ping, Ping)
                alive.writer.write(alive.protocol.send(ping.response()))
            assert stage.metrics.connected_websocket == 1
            assert stage.metrics.dropped_dead == 1

    perform(play)


def test_a_client_says_goodbye(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage:
            peer = Peer(*await stage.connect())
            await peer.shake_hands("/api/v1/streaming?stream=user")
            peer.writer.write(peer.protocol.send(CloseConnection(1000)))
            assert (await peer.next()) == CloseConnection(1000, "")
            assert await peer.reader.read() == b""
            assert stage.metrics.subscriptions == 0

    perform(play)


def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, queued=200_000) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            stage.painter.padding = "x" * 100_000
            slow = Peer(*await stage.connect())
            await slow.shake_hands("/api/v1/streaming?stream=public")
            quick = await http.ws_connect(stage.url + "?stream=public")
            await stage.until(lambda: stage.metrics.subscriptions == 2)
            for number in range(150):
                await stage.post(number)
                await next_message(quick)
            assert stage.metrics.dropped_slow == 1
            assert stage.metrics.connected_websocket == 1
            event: Event = Ping()
            while not isinstance(event, CloseConnection):
                event = await slow.next()
            assert event.code == 1008
            await quick.close()

    perform(play)


def test_the_end_of_the_process_comes_as_1012_within_its_limit(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, leave_s=0.5) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            sockets = [await http.ws_connect(stage.url + "?stream=user") for _ in range(60)]
            deaf = Peer(*await stage.connect())
            await deaf.shake_hands("/api/v1/streaming?stream=user")
            begun = asyncio.get_running_loop().time()
            ending = asyncio.create_task(stage.end())
            for ws in sockets:
                assert (await ws.receive(timeout=5)).data == 1012
            await ending
            assert asyncio.get_running_loop().time() - begun < 1.0
            with pytest.raises(OSError):
                await stage.connect()

    perform(play)


def test_an_event_that_cannot_be_rendered_does_not_stop_the_others(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer()) as http,
            http.ws_connect(stage.url + "?stream=public") as ws,
        ):
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stage.post(UNPAINTABLE)
            await stage.append("status", id="not a number at all")
            await stage.append("a kind of the future", id=1)
            await stage.append("token", ids="none")
            await stage.post(7)
            assert json.loads((await next_message(ws))["payload"])["id"] == "7"
            assert stage.metrics.events_failed >= 3

    perform(play)


def test_two_hundred_streams_get_a_post_soon(tmp_path: Path) -> None:
    """Prints how long the last of 200 waits; the bound is wide, since machines differ."""

    async def play() -> None:
        unlimited = aiohttp.TCPConnector(limit=0)
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(connector=unlimited) as http:
            stage.painter.padding = "x" * 2_500
            numbers = range(1, 201)
            sockets = [
                await http.ws_connect(stage.url + "?stream=user", headers=bearer(f"number-{number}"))
                for number in numbers
            ]
            await stage.until(lambda: stage.metrics.subscriptions == 200)
            loop = asyncio.get_running_loop()
            waits = []
            for id_ in range(50):
                begun = loop.time()
                await stage.post(id_, home=list(numbers))
                await asyncio.gather(*[ws.receive() for ws in sockets])
                waits.append((loop.time() - begun) * 1000)
            waits.sort()
            print(
                f"\npost to last of 200: median {waits[25]:.1f} ms, p99 {waits[-1]:.1f} ms (clients in the same loop)"
            )
            assert waits[25] < 500
            await asyncio.gather(*[ws.close() for ws in sockets])

    perform(play)


def test_delivering_costs_little(tmp_path: Path) -> None:
    """Prints the time of one delivery, measured in the process of the role while nobody reads."""

    async def play() -> None:
        async with open_stage(tmp_path, queued=1 << 30) as stage:
            stage.painter.padding = "x" * 2_500
            pipes = []
            for _ in range(200):
                peer = Peer(*await stage.connect())
                await peer.shake_hands("/api/v1/streaming?stream=user")
                peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
                pipes.append(peer)
            await stage.until(lambda: stage.metrics.subscriptions == 200)
            before = os.times()
            for id_ in range(20):
                await stage.post(id_, home=[ALICE])
            await stage.until(lambda: stage.metrics.messages_sent == 4_000)
            after = os.times()
            spent = (after.user + after.system - before.user - before.system) / 4_000 * 1e6
            print(f"\none delivery: {spent:.1f} µs of CPU")
            assert spent < 500
            for peer in pipes:
                peer.writer.close()

    perform(play)
