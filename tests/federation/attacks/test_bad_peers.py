"""One bad server slows nobody else: what hangs on it waits, what comes from others is carried out meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp import web

from phiomia.federation.inbox import crowd
from phiomia.federation.inbox import take as carrying_out
from phiomia.federation.inbox import web as refusing
from phiomia.federation.inbox.jobs import TakeActivity
from phiomia.federation.inbox.patience import in_time
from phiomia.federation.restraint import WAITING_S, Restraint
from phiomia.federation.unresolved import Unresolved
from phiomia.platform import json
from phiomia.platform.clock import now_ms
from phiomia.platform.jobs import defer
from world import BASE

from ..fake_peer import FakeActor, FakePeer
from ..receiving import INBOX, Here, receiving
from ..stage import Stage, staged
from .ground import hear

MANY = 60


async def arrive(stage: Stage, sender: FakeActor, activity: dict[str, Any]) -> None:
    """Lets the worker find what the inbox has accepted."""
    job = TakeActivity(json.encode(activity), sender.uri, received_at=now_ms())
    host = sender.uri.split("/")[2]
    await stage.world.write(lambda session: defer(session, job, host=host))


@staged
async def test_who_never_answers_holds_up_nobody_else(stage: Stage, peer: FakePeer) -> None:
    gate = threading.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(gate.wait, 60)
        return web.Response(status=503)

    await stage.world.account("bob")
    me = f"{BASE}/users/bob"
    with FakePeer() as bad:
        try:
            for number in range(MANY):
                one = bad.add_actor(f"bad{number}")
                bad.documents[f"/users/bad{number}"] = hang
                await arrive(stage, one, one.activity("Follow", me))
            good = peer.add_actor("good")
            notes = [
                good.note(to=[me], cc=[], tag=[{"type": "Mention", "href": me, "name": "@bob"}]) for _ in range(20)
            ]
            for note in notes:
                await arrive(stage, good, good.create(note))

            async def have_come() -> bool:
                return bool(await stage.world.value("SELECT count(*) FROM statuses") == len(notes))

            await stage.until(have_come, "what the good server sent is here")
            left = "SELECT count(*) FROM jobs WHERE host = :host"
            assert await stage.world.value(left, host=bad.domain) == MANY
            assert sum(one.path.startswith("/users/") for one in bad.requests) <= 4 + 3
        finally:
            gate.set()


def test_nobody_begins_to_wait_where_others_wait_already() -> None:
    now = 0.0
    restraint = Restraint(lambda: now)
    with restraint.waiting("slow.example"), restraint.waiting("slow.example"):
        now = WAITING_S + 1
        with pytest.raises(Unresolved) as refused, restraint.waiting("slow.example"):
            raise AssertionError("waits")
        assert refused.value.retry
        with restraint.waiting("quick.example"):
            pass
    with restraint.waiting("slow.example"):
        pass


@receiving
async def test_a_slow_server_gets_its_turn_later(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")
    await here.world.account("bob")
    document, slow = alice.document, threading.Event()

    async def answer_late(_request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(slow.wait, 60)
        return web.json_response(document, content_type="application/activity+json")

    follow = alice.activity("Follow", f"{BASE}/users/bob")
    assert (await here.deliver(alice.sign_post(INBOX, follow))).status_code == 202
    (job,) = await here.waiting()
    peer.documents["/users/alice"] = answer_late
    with pytest.raises(Unresolved) as late:
        await in_time(here.exchange.resolver.account(alice.uri), 0.05)
    assert late.value.retry
    slow.set()
    # The question has gone on: whoever asks again gets its answer.
    assert (await here.exchange.resolver.account(alice.uri)).uri == alice.uri
    await here.work()
    assert await here.world.value("SELECT count(*) FROM follows") == 1
    assert job.sender == alice.uri and peer.asked("/users/alice") == 2


@receiving
async def test_every_refusal_says_why_and_of_whom(here: Here) -> None:
    peer = here.peer()
    alice, mallory = peer.add_actor("alice"), peer.add_actor("mallory", key=1)
    await here.world.account("bob")
    gone = await here.world.account("gone", state=2)
    like = alice.activity("Like", f"{BASE}/users/bob/statuses/1")
    good = alice.sign_post(INBOX, like)
    cases: list[tuple[int, Any, dict[str, str | None], bool]] = [
        (400, alice.sign_post(INBOX, b"{"), {}, False),
        (400, alice.sign_post(INBOX, {**like, "type": None}), {}, True),
        (401, mallory.sign_post(INBOX, like), {}, True),
        (401, good, {"Signature": None}, True),
        (401, good, {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, True),
        (400, good, {"Signature": "nonsense"}, True),
        (403, alice.sign_post(f"{BASE}/users/gone/inbox", like), {}, True),
        (404, alice.sign_post(f"{BASE}/users/nobody/inbox", like), {}, True),
        (413, alice.sign_post(INBOX, b" " * (1024 * 1024 + 1)), {}, False),
        (415, good, {"Content_Type": "text/plain"}, False),
    ]
    for status, request, headers, is_read in cases:
        with hear(refusing) as lines:
            assert (await here.deliver(request, **headers)).status_code == status
        (line,) = [one for one in lines if one["event"] == "a delivery was refused"]
        assert (line["status"], line["host"]) == (status, peer.domain), line
        assert line["reason"]
        assert line["activity"] == (like["id"] if is_read else ""), line
    assert gone.id


@receiving
async def test_who_has_left_is_gone_and_not_unknown(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    left = await here.world.account("left")
    await here.world.execute(
        "UPDATE accounts SET rev = rev + 1, state = 2, state_origin = 3 WHERE id = :id", id=left.id
    )
    await here.world.execute("INSERT INTO tombstones (uri, created_at) VALUES (:uri, 1)", uri=f"{BASE}/users/erased")
    like = alice.activity("Like", f"{BASE}/users/bob/statuses/1")
    for name, status in (("left", 410), ("erased", 410), ("never", 404)):
        answer = await here.deliver(alice.sign_post(f"{BASE}/users/{name}/inbox", like))
        assert answer.status_code == status, name


@receiving
async def test_what_is_refused_after_the_answer_says_why_too(here: Here) -> None:
    alice = here.peer().add_actor("alice")
    foreign = alice.activity("Delete", "https://elsewhere.example/notes/1")
    assert (
        await here.deliver(alice.sign_post(INBOX, alice.activity("Follow", f"{BASE}/users/bob")))
    ).status_code == 202
    await here.work()
    assert (await here.deliver(alice.sign_post(INBOX, foreign))).status_code == 202
    with hear(carrying_out) as lines:
        await here.work()
    (line,) = [one for one in lines if one["event"] == "an activity was rejected"]
    assert (line["activity"], line["type"], line["host"]) == (foreign["id"], "Delete", alice.base.partition("://")[2])
    assert line["reason"] == "of another server"


@receiving
async def test_who_sends_more_than_can_be_carried_out_is_told_to_wait(here: Here) -> None:
    hasty, calm = here.peer().add_actor("hasty"), here.peer().add_actor("calm")
    await here.world.account("bob")
    bobs = f"{BASE}/users/bob/statuses/1"
    with patch.object(crowd, "WAITING_OF_SERVER", 5):
        answers = [await here.deliver(one.sign_post(INBOX, one.activity("Like", bobs))) for one in [hasty] * 7 + [calm]]
        assert [one.status_code for one in answers] == [202] * 5 + [503] * 2 + [202]
        assert int(answers[5].headers["Retry-After"]) > 0
        await here.work()
        end = time.monotonic() + 10.0
        while (await here.deliver(hasty.sign_post(INBOX, hasty.activity("Like", bobs)))).status_code != 202:
            assert time.monotonic() < end  # it is counted anew once a second
            await asyncio.sleep(0.05)
