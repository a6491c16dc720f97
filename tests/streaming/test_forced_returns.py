"""Who has to leave is sent away little by little, and who comes back is let in at a rate."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from stage import ALICE, bearer, next_event, next_message, open_stage, perform
from test_handover import Pretender, number_of

from phiomia.streaming.admission import Admission
from phiomia.streaming.ports import StreamViewer


def test_moments_are_given_out_at_the_rate_and_not_beyond_the_longest_wait() -> None:
    now = 1000.0
    admission = Admission(50, 2.0, lambda: now)
    begins = []
    for _ in range(2000):
        delay = admission.reserve()
        if delay is not None:
            begins.append(now + delay)
        now += 0.005
    assert begins == sorted(begins)
    # Some at once after a rest; later none sooner than a fiftieth of a second after the one before.
    assert all(begins[place + 55] - begins[place] >= 1.0 for place in range(len(begins) - 55))
    assert all(later - one >= 0.0199 for one, later in pairwise(begins[10:]))
    assert len(begins) >= 50 * 10
    assert max(begins) <= now + 2.0
    now += 60
    assert [admission.reserve() for _ in range(5)] == [0.0] * 5
    assert admission.reserve() == pytest.approx(0.02)
    assert Admission(1, 0.0, lambda: now).reserve() == 0.0
    assert Admission(0, 0.0, lambda: now).reserve() == 0.0


def test_too_many_at_once_wait_or_are_told_when_to_return(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path, handshakes_per_s=40.0, handshake_s=0.5) as stage,
            aiohttp.ClientSession(headers=bearer(), connector=aiohttp.TCPConnector(limit=0)) as http,
        ):
            answers = await asyncio.gather(*(http.get(stage.url + "/user") for _ in range(100)))
            opened = [one for one in answers if one.status == 200]
            refused = [one for one in answers if one.status == 503]
            assert len(opened) + len(refused) == 100
            assert len(opened) == stage.metrics.connected_sse > 5
            assert len(refused) == stage.metrics.turned_away > 20
            assert stage.metrics.delayed > 0
            seconds = {int(one.headers["retry-after"]) for one in refused}
            assert len(seconds) > 3
            assert all(3 <= each <= 15 for each in seconds)
            # Whoever looks whether it is there is not one of them.
            assert [(await http.get(stage.url + "/health")).status for _ in range(5)] == [200] * 5
            await stage.post(1, home=[ALICE])
            for one in opened:
                assert (await next_event(one))["id"] == "1"

    perform(play)


def test_who_is_handed_over_is_not_counted_and_who_waits_is_welcomed_by_the_next(tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            open_stage(tmp_path) as stage,
            aiohttp.ClientSession(headers=bearer(), connector=aiohttp.TCPConnector(limit=0)) as http,
        ):
            opened = [await http.ws_connect(stage.url + "?stream=user") for _ in range(5)]
            usual = stage.context.limits
            stage.context = replace(stage.context, limits=replace(usual, handshakes_per_s=1.0, handshake_s=3600.0))
            await stage.replace()
            await stage.until(lambda: stage.metrics.taken == 5)
            first = await http.get(stage.url + "/user")
            waiting = [asyncio.create_task(http.get(stage.url + "/user")) for _ in range(30)]
            await stage.until(lambda: stage.metrics.delayed == 30)
            stage.context = replace(stage.context, limits=usual)
            await stage.replace()
            welcomed = await asyncio.gather(*waiting)
            await stage.post(1, home=[ALICE])
            for socket_ in opened:
                assert number_of(await next_message(socket_)) == 1
            for events in (first, *welcomed):
                assert (await next_event(events))["id"] == "1"

    perform(play)


def test_who_waits_is_begun_by_one_process_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not also by the one before, whose turn for it comes while that process gives everything away."""

    async def play() -> None:
        async with (
            open_stage(tmp_path, handshakes_per_s=1.0, handshake_s=3600.0) as stage,
            aiohttp.ClientSession() as http,
        ):
            quick, asked, given_up = stage.tokens.viewer, [], asyncio.Event()

            async def viewer(token: str) -> StreamViewer | None:
                asked.append(token)
                try:
                    # The first process gets no answer, so it waits for it before it gives what it has away.
                    await asyncio.wait_for(given_up.wait(), 60)
                except asyncio.CancelledError:
                    given_up.set()
                    raise
                return await quick(token)

            monkeypatch.setattr(stage.tokens, "viewer", viewer)
            first = asyncio.create_task(http.get(stage.url + "/user", headers=bearer("number-1")))
            await stage.until(lambda: asked == ["number-1"])
            second = asyncio.create_task(http.get(stage.url + "/user", headers=bearer("number-2")))
            await stage.until(lambda: stage.metrics.delayed == 1)
            stage.context = replace(stage.context, limits=replace(stage.context.limits, handshakes_per_s=0.0))
            await stage.replace()
            assert [(await one).status for one in (first, second)] == [200, 200]
            assert sorted(asked) == ["number-1", "number-1", "number-2"]

    perform(play)


def test_whom_the_next_process_cannot_take_leaves_little_by_little_and_hears_everything_until_then(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with open_stage(tmp_path, leave_share=0.5) as stage, aiohttp.ClientSession(headers=bearer()) as http:
            sockets = [await http.ws_connect(stage.url + "?stream=user") for _ in range(20)]
            await stage.until(lambda: stage.metrics.subscriptions == 20)
            pretender = Pretender(stage.handed_over, b"[99]", lambda sock: None)
            serving = asyncio.create_task(asyncio.to_thread(pretender.serve))
            ending = asyncio.create_task(stage.end())
            assert (await sockets[0].receive(timeout=5)).data == 1012
            await stage.post(1, home=[ALICE])
            assert number_of(await next_message(sockets[-1])) == 1
            assert (await sockets[-1].receive(timeout=5)).data == 1012
            await serving
            await ending
            pretender.listener.close()

    perform(play)
