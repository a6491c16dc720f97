"""Whatever is refused is refused with an honest status, changes nothing, and stands in the log with id, host, reason.

The attacks come over HTTP, one after another, at a server that knows attacker and victim.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from phiomia.federation import keys as looking_up
from phiomia.federation.inbox import take as carrying_out
from phiomia.federation.inbox import web as refusing
from phiomia.federation.inbox.dispatch import HANDLERS
from phiomia.federation.inbox.receive import Inbox
from phiomia.platform.db import Query
from world import BASE

from ..fake_peer import ACTIVITY, FakeActor, FakePeer, Signed
from ..receiving import INBOX, Here, receiving
from .ground import INSIDE, Inside, hear, look, open_inbox, open_inside, say, with_walls

ME = f"{BASE}/users/bob"
DEEP = 70
# Nothing is asked for longer than that.
SECONDS = 1.0


# Without when it was read last: whoever names somebody may have us look at them.
_ACCOUNTS = Query.raw(
    sqlite="SELECT id, uri, username, display_name, note, state, moved_to_id, public_key, key_id, inbox_url"
    " FROM accounts ORDER BY id"
)


class Attack(NamedTuple):
    """What arrives, what it is answered, and what is written down: of which activity, of whom, and why."""

    request: Signed
    status: int
    activity: str
    host: str
    reason: str


class Scene(NamedTuple):
    """A victim with a post and a follow here, a neighbour of theirs, and an attacker elsewhere."""

    alice: FakeActor
    nina: FakeActor
    eve: FakeActor
    evil: FakePeer
    inside: Inside
    note: dict[str, Any]
    follow: dict[str, Any]
    once: Signed


async def see(here: Here) -> dict[str, Any]:
    """Everything that an activity could change."""
    found: dict[str, Any] = await look(here)
    async with here.world.db.read() as session:
        return found | {"accounts": [tuple(row) for row in await session.all(_ACCOUNTS)]}


def host_of(actor: FakeActor) -> str:
    """What the log calls an actor's server."""
    return urlsplit(actor.uri).netloc


def sent(actor: FakeActor, document: dict[str, Any], status: int, reason: str, **more: Any) -> Attack:
    """An attack that an actor signs."""
    request = actor.sign_post(more.get("url", INBOX), document, now=more.get("now"))
    claimed = document.get("actor")
    host = urlsplit(claimed).netloc if status != 202 and isinstance(claimed, str) else host_of(actor)
    return Attack(request, status, str(document.get("id") or ""), host, reason)


def changed(attack: Attack, body: bytes | None = None, **headers: str | None) -> Attack:
    """The same with another body, or with other headers; one that is None is left out."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in {**attack.request.headers, **named}.items() if value is not None}
    request = Signed(attack.request.url, kept, attack.request.body if body is None else body)
    return attack._replace(request=request)


def of_signatures(scene: Scene) -> Iterator[Attack]:
    """Somebody else's name, no signature, an old one, one for something else."""
    alice, nina, eve = scene.alice, scene.nina, scene.eve
    for signer in (nina, eve):
        yield sent(signer, alice.activity("Like", ME), 401, "has not signed this")
        yield sent(signer, alice.create(alice.note(to=[ME])), 202, "is not there")
    like = sent(eve, eve.activity("Like", ME), 401, "")
    yield changed(like, Signature=None)._replace(reason="not signed")
    yield changed(like, Signature="nonsense")._replace(status=400, reason="")
    yield changed(like, body=like.request.body.replace(b"Like", b"Flag"))._replace(reason="digest")
    yield changed(like, Digest=None)._replace(status=400, reason="Digest")
    for hours in (-13, 13):
        moment = time.time() + hours * 3_600
        yield sent(eve, eve.activity("Like", ME), 401, "", now=moment)
    other = sent(eve, eve.activity("Like", ME), 401, "", url=f"{BASE}/users/bob/inbox")
    yield other._replace(request=other.request.__class__(INBOX, other.request.headers, other.request.body))
    once = sent(alice, scene.follow, 202, "before")
    yield once._replace(request=scene.once)


def of_keys(scene: Scene) -> Iterator[Attack]:
    """Keys that lie inside, never come, never end, or are somebody else's."""
    evil, eve, inside = scene.evil, scene.eve, scene.inside

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": ACTIVITY})
        await answer.prepare(request)
        for _ in range(100):
            await answer.write(b" " * (1 << 20))
        return answer

    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": ACTIVITY})
        await answer.prepare(request)
        for _ in range(int(SECONDS * 40)):
            await answer.write(b" ")
            await asyncio.sleep(0.1)
        return answer

    places = {
        "inside": (say(status=302, Location=f"https://127.0.0.2:{inside.port}/key"), 401),
        "named": (say(status=302, Location=f"https://{INSIDE}/key"), 401),
        "loop": (say(status=302, Location="/key/loop"), 401),
        "endless": (endless, 401),
        "slow": (slow, 503),
        "deep": (say(b'{"a":' * DEEP + b"1" + b"}" * DEEP), 401),
        "page": (say(b"<html>", Content_Type="text/html"), 401),
        "borrowed": (say(json.dumps(scene.alice.document).encode()), 401),
        "gone": (say(status=410), 401),
    }
    for name, (respond, status) in places.items():
        evil.documents[f"/key/{name}"] = respond
        eve = dataclasses.replace(scene.eve, key_id=f"{evil.url}/key/{name}")
        yield sent(eve, eve.activity("Like", ME), status, "key")
    for key_id in (f"https://{INSIDE}/key", f"https://127.0.0.2:{inside.port}/key", f"{BASE}/users/bob#main-key"):
        stranger = dataclasses.replace(scene.eve, key_id=key_id)
        yield sent(stranger, stranger.activity("Like", ME), 401, "key")


def of_forms(scene: Scene) -> Iterator[Attack]:
    """What is no activity, or of the wrong form."""
    eve = scene.eve
    like = eve.activity("Like", ME)
    host = host_of(eve)
    for body in (b"{", b"[]", b"NaN", b"\xff", b'"x"', b"[" * 10_000):
        yield Attack(eve.sign_post(INBOX, body), 400, "", host, "body")
    nested: Any = "x"
    for _ in range(DEEP):
        nested = {"a": nested}
    yield sent(eve, like | {"x": nested}, 400, "deep")
    junk: list[Any] = [None, 5, [], {}, [[]]]
    for wrong in junk:
        yield sent(eve, like | {"type": wrong}, 400, "type")
        yield sent(eve, like | {"actor": wrong}, 400, "actor")._replace(host=host)
    yield sent(eve, like | {"id": scene.alice.uri + "/likes/1"}, 400, "of its actor's server")
    yield sent(eve, like, 404, "nobody", url=f"{BASE}/users/nobody/inbox")
    yield Attack(eve.sign_post(INBOX, b" " * (1024 * 1024 + 1)), 413, "", host, "bytes")
    yield changed(sent(eve, like, 415, "takes"), Content_Type="text/plain")._replace(activity="")
    for kind in sorted(HANDLERS):
        for wrong in [*junk, "x", [[{}]], {"id": 5}, {"type": "Note", "id": f"{eve.uri}/1", "content": {}}]:
            yield sent(eve, eve.activity(kind, wrong), 202, "")


def of_others(scene: Scene) -> Iterator[Attack]:
    """What is somebody else's: each activity, about each thing."""
    alice, eve, evil, note = scene.alice, scene.eve, scene.evil, scene.note
    about = [note["id"], note | {"content": "<p>forged</p>"}, alice.uri, alice.document | {"name": "Forged"},
             scene.follow, scene.follow["id"]]  # fmt: skip
    for kind in sorted(HANDLERS.keys() - {"Announce", "Block", "Follow", "Flag", "Like", "Move"}):
        for thing in about:
            yield sent(eve, eve.activity(kind, thing, target=alice.document["outbox"]), 202, "")
    yield sent(eve, eve.create(alice.note(to=[ME])), 202, "is not there")
    yield sent(eve, eve.create(eve.note(to=[ME], attributedTo=alice.uri)), 202, "attributed to")
    yield sent(eve, eve.activity("Move", eve.uri, target=alice.uri), 202, "does not name")
    yield sent(eve, eve.activity("Move", alice.uri, target=eve.uri), 202, "")
    for name, respond in {
        "inside": say(status=302, Location=f"https://127.0.0.2:{scene.inside.port}/note"),
        "deep": say(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        "twin": say(json.dumps(note | {"content": "<p>forged</p>"}).encode()),
        "page": say(b"<html>", Content_Type="text/html"),
        "away": say(status=500),
    }.items():
        evil.documents[f"/note/{name}"] = respond
        boost = sent(eve, eve.activity("Announce", f"{evil.url}/note/{name}"), 202, "")
        yield boost if name != "twin" else sent(eve, eve.create({"id": f"{evil.url}/note/twin"}), 202, "")
    for url in (f"https://{INSIDE}/note", f"https://127.0.0.2:{scene.inside.port}/note", "file:///etc/passwd"):
        yield sent(eve, eve.activity("Announce", url), 202, "")


def of_floods(scene: Scene) -> Iterator[Attack]:
    """What is too much, never ends, or is full of tricks: what there is to it is taken, and that is written down."""
    eve, evil = scene.eve, scene.evil
    tag: list[dict[str, Any]] = [{"type": "Mention", "href": ME, "name": "@bob"}]
    kinds = ("Hashtag", "Mention", "Emoji")
    many = [{"type": kinds[n % 3], "name": f"#x{n}", "href": f"{evil.url}/users/{n}"} for n in range(5_000)]
    one, other = eve.note(to=[ME], tag=tag), eve.note(to=[ME], tag=tag)
    one["inReplyTo"], other["inReplyTo"] = other["id"], one["id"]
    replies = f"{evil.url}/replies"
    for number in range(50):
        page = {"type": "CollectionPage", "items": [], "next": f"{replies}/{number + 1}"}
        evil.documents[f"/replies/{number}"] = {"id": f"{replies}/{number}", **page}
    notes = [
        eve.note(to=[ME], tag=tag + many),
        eve.note("<script>x</script><p onclick=x><svg><style><img src=x onerror=x>" * 300, to=[ME], tag=tag),
        eve.note(to=[ME], tag=[*tag, {"type": "Emoji", "name": ":../..:", "icon": {"url": "javascript:x"}}]),
        one,
        other,
        eve.note(to=[ME], tag=tag, replies={"type": "Collection", "first": f"{replies}/0"}),
    ]
    for note in notes:
        evil.put(note)
        yield sent(eve, eve.create(note), 202, "")


@receiving
async def test_every_attack_gets_a_status_a_reason_and_nothing_else(here: Here) -> None:
    peer, evil = here.peer(), here.peer()
    alice, nina, eve = peer.add_actor("alice"), peer.add_actor("nina", key=1), evil.add_actor("eve", key=2)
    await here.world.account("bob")
    tag = [{"type": "Mention", "href": ME, "name": "@bob"}]
    note, follow = alice.note(to=[ME], tag=tag), alice.activity("Follow", ME)
    async with open_inside() as inside:
        walled = with_walls(here, inside, seconds=SECONDS)
        inbox = Inbox(here.world.db, walled.keys, walled.rules, walled.own, here.inbox.crowd)
        here = dataclasses.replace(here, exchange=walled, inbox=inbox)
        try:
            async with open_inbox(here) as post:
                once = alice.sign_post(INBOX, follow)
                welcome = [once, alice.sign_post(INBOX, alice.create(note))]
                welcome += [one.sign_post(INBOX, one.activity("Follow", ME)) for one in (nina, eve)]
                for request in welcome:
                    assert await post(request) == 202
                await here.work()
                before = await see(here)
                assert len(before["follows"]) == 3 and len(before["statuses"]) == 1
                scene = Scene(alice, nina, eve, evil, inside, note, follow, once)
                number, faults = 0, []
                for make in (of_signatures, of_keys, of_forms, of_others):
                    for attack in make(scene):
                        number += 1
                        with hear(refusing, carrying_out, looking_up) as lines:
                            status = await post(attack.request)
                            later = await here.work()
                        if status != attack.status or not is_told(attack, lines, later):
                            faults.append((attack, status, lines, later))
                    assert await see(here) == before, make.__name__
                for flood in of_floods(scene):
                    number += 1
                    with hear(refusing, carrying_out, looking_up) as lines:
                        status, later = await post(flood.request), await here.work()
                    if status != 202 or not is_told(flood, lines, later[:0]):
                        faults.append((flood, status, lines, later))
                assert len(evil.requests) < 300
                assert faults == []
                assert number > 200
        finally:
            await walled.close()
        assert inside.connections == 0


def is_told(attack: Attack, lines: list[dict[str, Any]], later: list[str]) -> bool:
    """Whether what became of an attack is written down, once, with all that an operator asks for."""
    told = [line for line in lines if line["event"].startswith(("a delivery was", "an activity was"))]
    if not told:
        # What may come yet is tried again; the queue says so, and says it of the dead.
        (reason,) = later
        return attack.activity in reason and f"from {attack.host}: " in reason
    (line,) = told
    found = (line["activity"], line["host"]) == (attack.activity, attack.host)
    why = line["reason"] != "" or line["event"] == "an activity was processed"
    return found and why and attack.reason in line["reason"]
