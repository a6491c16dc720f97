"""Event streams over HTTP: heads, errors, the format, and returning without a gap."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from stage import ALICE, ALICES_LIST, BOB, Stage, bearer, next_event, open_stage, perform

UNKNOWN_PATHS = ["", "/", "/nowhere", "/user/other", "/public/local/media", "/metrics"]


def test_the_format_of_an_event_stream(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, heartbeat_s=0.2) as stage:
            reader, writer = await stage.connect()
            writer.write(b"GET /api/v1/streaming/user/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert head.startswith("http/1.1 200 ")
            for header in (
                "content-type: text/event-stream",
                "cache-control: private, no-store",
                "x-accel-buffering: no",
                "access-control-allow-origin: *",
                "transfer-encoding: chunked",
            ):
                assert f"\r\n{header}\r\n" in head
            assert await reader.readexactly(8) == b"3\r\n:)\n\r\n"
            await stage.post(5, home=[ALICE])
            payload = '{"id": "5", "content": "<p>\\u00e9</p>", "favourited": false}'
            event = f"event: update\nid: 1\ndata: {payload}\n\n".encode()
            expected = b"%x\r\n%b\r\n" % (len(event), event)
            assert await reader.readexactly(len(expected)) == expected
            assert await reader.readexactly(13) == b"8\r\n:thump\n\n\r\n"
            await stage.append("filters", account=ALICE)
            event = b"event: filters_changed\nid: 2\ndata: undefined\n\n"
            assert await reader.readexactly(len(event) + 6) == b"%x\r\n%b\r\n" % (len(event), event)
            writer.close()
            await stage.until(lambda: stage.metrics.connected_sse == 0)
            assert stage.metrics.subscriptions == 0

    perform(play)


def test_http_1_0_gets_its_stream_without_chunks(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage:
            reader, writer = await stage.connect()
            writer.write(b"GET /api/v1/streaming/public?access_token=alice HTTP/1.0\r\n\r\n")
            assert b"chunked" not in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(3) == b":)\n"
            await stage.append("delete", id=5, account=9, local=True, visibility="public")
            assert await reader.readuntil(b"\n\n") == b"event: delete\nid: 1\ndata: 5\n\n"
            writer.close()

    perform(play)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/user", {"home": [ALICE]}),
        ("/public", {}),
        ("/public?only_media=off", {}),
        ("/public?only_media=1", {"media": True}),
        ("/public/local", {}),
        ("/public/local/?only_media=true", {"media": True}),
        ("/public/remote", {"local": False}),
        ("/public/remote?only_media=yes", {"local": False, "media": True}),
        ("/hashtag?tag=Cats", {"tags": ["cats"], "local": False}),
        ("/hashtag/local?tag=cats&tag=dogs", {"tags": ["cats"]}),
        (f"/list?list={ALICES_LIST}", {"lists": [ALICES_LIST]}),
    ],
)
def test_every_path_gets_its_events_and_no_others(tmp_path: Path, path: str, sent: dict[str, object]) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer()) as http,
            http.get(stage.url + path) as response,
        ):
            assert response.status == 200
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stage.post(1, visibility="direct", home=[BOB], lists=[1], tags=["cats"])
            await stage.post(2, **sent)
            await stage.append("edit", id=2, account=9, visibility="public", **({"local": True} | sent))
            assert [json.loads((await next_event(response))["data"])["id"] for _ in range(2)] == ["2", "2"]

    perform(play)


def test_errors_are_json_with_a_status(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            for path, token, status in (
                *[(path, "alice", 400) for path in UNKNOWN_PATHS],
                ("/nowhere", "", 400),
                ("/hashtag", "alice", 400),
                ("/hashtag/local?tag=", "alice", 400),
                ("/list", "alice", 400),
                ("/user", "", 401),
                ("/user", "nobody", 401),
                ("/user", "alice:write", 401),
                ("/user", "alice:read:notifications", 401),
                ("/user/notification", "alice:read:statuses", 401),
                (f"/list?list={ALICES_LIST}", "bob", 401),
                ("/list?list=9999999999999999999999", "alice", 401),
                ("/user", "broken", 500),
            ):
                async with http.get(stage.url + path, headers=bearer(token) if token else {}) as response:
                    assert (path, token, response.status) == (path, token, status)
                    assert response.content_type == "application/json"
                    assert response.headers["access-control-allow-origin"] == "*"
                    assert list(await response.json()) == ["error"]
            async with http.post(stage.url + "/user", headers=bearer()) as response:
                assert (response.status, response.headers["allow"]) == (405, "GET, OPTIONS")
            async with http.options(stage.url + "/user") as response:
                assert response.status == 204
                assert "authorization" in response.headers["access-control-allow-headers"].lower()
            for slash in ("", "/"):
                async with http.get(stage.url + "/health" + slash) as response:
                    assert (response.status, response.content_type) == (200, "text/plain")
                    assert await response.text() == "OK"

    perform(play)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"x" * 20_000, b"431"),
        (b"\x16\x03\x01 this is not HTTP\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n", b"408"),
        (b"", b"408"),
    ],
)
def test_heads_have_limits(tmp_path: Path, sent: bytes, status: bytes) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, head_s=0.3) as stage:
            reader, writer = await stage.connect()
            writer.write(sent)
            assert (await reader.readline()).split()[1] == status
            await reader.read()
            writer.close()

    perform(play)


@pytest.mark.parametrize("way", ["header", "query"])
def test_who_returns_gets_what_was_missed_and_nothing_twice(tmp_path: Path, way: str) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            for number in range(1, 21):
                await stage.post(number, home=[ALICE] if number % 2 else [BOB])
            await stage.until(lambda: stage.metrics.events == 20)
            headers = {"last-event-id": "5"} if way == "header" else {}
            query = "?last_event_id=5" if way == "query" else ""
            stage.painter.hidden.add((9, ALICE))
            async with http.get(f"{stage.url}/user{query}", headers=headers) as response:
                await stage.post(21, home=[ALICE])
                got = [await next_event(response) for _ in range(7)]
            assert [event["id"] for event in got] == ["7", "11", "13", "15", "17", "19", "21"]
            assert [json.loads(event["data"])["id"] for event in got] == [event["id"] for event in got]

    perform(play)


def test_both_databases_feed_a_stream(tmp_path: Path, database_url: str) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, database_url) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            await asyncio.gather(*[stage.post(number, home=[ALICE]) for number in range(30)])
            await stage.until(lambda: stage.metrics.events == 30)
            posting = asyncio.gather(*[stage.post(number, home=[ALICE]) for number in range(30, 60)])
            starts = (3, 10, 29)
            got = await asyncio.gather(*[_read_numbers(stage, http, start, 60) for start in starts])
            assert got == [list(range(start + 1, 61)) for start in starts]
            await posting

    perform(play)


def test_events_during_the_return_wait_for_their_turn(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            for number in range(1, 1201):
                await stage.post(number, home=[ALICE])
            await stage.until(lambda: stage.metrics.events == 1200)

            async def go_on() -> None:
                for number in range(1201, 1301):
                    await stage.post(number, home=[ALICE])

            writing = asyncio.create_task(go_on())
            clients = [asyncio.create_task(_read_numbers(stage, http, start, 1300)) for start in (1, 600, 1100, 1199)]
            for start, client in zip((1, 600, 1100, 1199), clients, strict=True):
                assert await client == list(range(start + 1, 1301))
            await writing

    perform(play)


async def _read_numbers(stage: Stage, http: aiohttp.ClientSession, start: int, end: int) -> list[int]:
    async with http.get(stage.url + "/user", headers={"last-event-id": str(start)}) as response:
        numbers: list[int] = []
        while not numbers or numbers[-1] < end:
            numbers.append(int((await next_event(response))["id"]))
        return numbers


def test_who_joins_while_an_event_is_being_rendered_gets_it_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer()) as http,
            http.get(stage.url + "/user") as first,
        ):
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            stage.painter.gate = asyncio.Event()
            await stage.post(1, home=[ALICE])
            await stage.post(2, home=[ALICE])
            await stage.until(lambda: stage.painter.calls == 1)
            async with http.get(stage.url + "/user?last_event_id=0") as second:
                await stage.until(lambda: stage.painter.calls == 2)
                stage.painter.gate.set()
                for response in (first, second):
                    assert [(await next_event(response))["id"] for _ in range(2)] == ["1", "2"]
                await stage.post(3, home=[ALICE])
                for response in (first, second):
                    assert (await next_event(response))["id"] == "3"

    perform(play)


@pytest.mark.parametrize("number", ["99999", "nonsense", "-1", "18446744073709551617"])
def test_numbers_that_were_never_given_begin_with_the_present(tmp_path: Path, number: str) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            await stage.post(1, home=[ALICE])
            await stage.until(lambda: stage.metrics.events == 1)
            async with http.get(f"{stage.url}/user?last_event_id={number}") as response:
                await stage.until(lambda: stage.metrics.subscriptions == 1)
                await stage.post(2, home=[ALICE])
                assert (await next_event(response))["id"] == "2"

    perform(play)


def test_an_event_of_several_messages_is_complete_with_the_last(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer()) as http,
            http.get(stage.url + "/user/notification") as response,
        ):
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stage.append("notification", ids=[[1, ALICE], [2, BOB], [3, ALICE]])
            first, second = await next_event(response), await next_event(response)
            assert (first.get("id"), second["id"]) == (None, "1")
            assert [json.loads(event["data"])["id"] for event in (first, second)] == ["1", "3"]

    perform(play)


def test_apps_are_told_to_load_notifications_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer()) as http,
            http.get(stage.url + "/user/notification") as response,
        ):
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            await stage.append("notifications_merged", account=BOB)
            await stage.append("notifications_merged", account=ALICE)
            told = await next_event(response)
            assert (told["event"], told["data"]) == ("notifications_merged", "1")

    perform(play)


def test_a_revoked_token_and_the_end_of_the_process_end_a_stream_properly(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path) as stage, aiohttp.ClientSession() as http:
            async with (
                http.get(stage.url + "/user", headers=bearer("alice")) as alice,
                http.get(stage.url + "/user", headers=bearer("bob")) as bob,
            ):
                await stage.until(lambda: stage.metrics.subscriptions == 2)
                await stage.append("token", ids=[ALICE * 100])
                assert await alice.content.read() == b":)\n"
                ending = asyncio.create_task(stage.end())
                assert (await bob.content.read()).startswith(b":)\nretry: ")
            await ending

    perform(play)


def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, queued=200_000) as stage:
            reader, writer = await stage.connect()
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"GET /api/v1/streaming/public?access_token=alice HTTP/1.1\r\nHost: x\r\n\r\n")
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            stage.painter.padding = "x" * 100_000
            for number in range(150):
                await stage.post(number)
            await stage.until(lambda: stage.metrics.dropped_slow == 1)
            assert stage.metrics.connected_sse == stage.metrics.subscriptions == 0
            writer.close()

    perform(play)


def test_events_are_found_without_the_bus(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path, poll_s=0.1) as stage,
            aiohttp.ClientSession(headers=bearer()) as http,
            http.get(stage.url + "/direct") as response,
        ):
            await stage.until(lambda: stage.metrics.subscriptions == 1)
            stage.db.services = None
            await stage.append("conversation", id=3, account=ALICE)
            assert (await next_event(response))["data"] == '{"id":"3"}'

    perform(play)
