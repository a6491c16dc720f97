"""Attacks on what belongs to whom: posts, follows, moves and consent that are somebody else's to give."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.unfollow import unfollow
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.federation.inbox.context import Result
from phiomia.federation.inbox.quote_jobs import CheckQuote
from phiomia.federation.inbox.quotes import run_check_quote
from phiomia.federation.parse.actor import parse_actor
from phiomia.federation.parse.note import parse_note
from phiomia.platform.html import sanitise
from world import World, story

from ..far import Far, Json, activity, actor_page, note, ours

PROCESSED, IGNORED, REJECTED = Result.PROCESSED, Result.IGNORED, Result.REJECTED
EVIL = "evil.example"


async def content_of(world: World, uri: str) -> Any:
    """The text of a stored status; None if there is none."""
    return await world.value("SELECT content FROM statuses WHERE uri = :uri", uri=uri)


@story(effects=True)
async def test_what_is_boosted_is_what_its_own_server_says(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora, frank = await far.actor(), await far.actor("frank", "third.example")
    await far.befriend(alice, dora)
    real = note(frank, 1, content="<p>real</p>")
    far.pages[real["id"]] = real
    forged = real | {"content": "<p>forged</p>"}
    assert (await far.receive(activity("Announce", dora, forged), dora)).result == PROCESSED
    assert await content_of(world, real["id"]) == "<p>real</p>"
    unreachable = note(frank, 2, content="<p>invented</p>")
    assert (await far.receive(activity("Announce", dora, unreachable, 2), dora)).result == REJECTED
    # In the name of the booster, but at a place of somebody else; and the other way round.
    for number, one in enumerate(
        (
            note(dora, 3, id=f"{frank.uri}/statuses/3"),
            note(frank, 4, id=f"{dora.uri}/statuses/4"),
            note(dora, 5, attributedTo=[frank.uri, dora.uri]),
        )
    ):
        assert (await far.receive(activity("Announce", dora, one, 10 + number), dora)).result == REJECTED
    assert await world.value("SELECT count(*) FROM statuses WHERE reblog_of_id IS NULL") == 1


@story(effects=True)
async def test_a_stored_thing_stands_under_the_id_of_where_it_was_found(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora, eve = await far.actor(), await far.actor("eve", EVIL)
    await far.befriend(alice, dora)
    hers = note(dora, 1, content="<p>hers</p>")
    far.pages[hers["id"]] = hers
    # Eve's server shows Dora's post with other words under an address of its own, and under Dora's.
    far.pages[f"https://{EVIL}/copy"] = hers | {"content": "<p>Eve's</p>"}
    far.pages[f"https://{EVIL}/twin"] = note(eve, 1, id=f"https://{EVIL}/twin", attributedTo=dora.uri)
    assert await far.resolver.status(f"https://{EVIL}/copy")
    assert await content_of(world, hers["id"]) == "<p>hers</p>"
    assert (await far.receive(activity("Create", eve, f"https://{EVIL}/twin"), eve)).result == REJECTED
    assert await world.value("SELECT count(*) FROM statuses") == 1


@story("statuses", effects=True)
async def test_answers_to_what_was_never_asked_open_nothing(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora, eve = await far.actor(locked=True), await far.actor("eve", EVIL)
    secret = note(dora, 1, to=[dora.followers_url], cc=[])

    async def follows() -> int:
        return int(await world.value("SELECT count(*) FROM follows"))

    def accept(by: Actor, number: int, **more: Any) -> Json:
        inner = {
            "id": f"{ours('alice')}#follows/{number}",
            "type": "Follow",
            "actor": ours("alice"),
            "object": dora.uri,
        }
        return activity("Accept", by, inner | more, number)

    assert (await far.receive(accept(dora, 1), dora)).result == IGNORED
    await world.write(lambda session: follow(session, alice.id, dora.id))
    sent = int(await world.value("SELECT id FROM follow_requests"))
    for number, forged in enumerate(
        (accept(eve, sent), accept(eve, sent, object=eve.uri), accept(eve, 7, id=dora.uri))
    ):
        assert (await far.receive(forged, eve)).result == IGNORED, number
    assert await follows() == 0
    # Whoever only waits sees nothing that is for followers.
    assert (await far.receive(activity("Create", dora, secret), dora)).result == IGNORED
    far.pages[secret["id"]] = secret
    status_id = await world.write(lambda session: _store(session, dora, secret))
    assert (await world.client.get(f"/api/v1/statuses/{status_id}", alice)).status == 404
    assert (await far.receive(accept(dora, sent), dora)).result == PROCESSED
    assert (await world.client.get(f"/api/v1/statuses/{status_id}", alice)).status == 200
    await world.write(lambda session: unfollow(session, alice.id, dora.id))
    assert (await far.receive(accept(dora, sent), dora)).result == IGNORED
    assert await follows() == 0
    assert (await world.client.get(f"/api/v1/statuses/{status_id}", alice)).status == 404


async def _store(session: Any, author: Actor, document: Json) -> int:
    from phiomia.domain.statuses.create import create_status
    from phiomia.domain.statuses.draft import StatusDraft
    from phiomia.domain.statuses.visibility import Visibility

    draft = StatusDraft(author.id, document["content"], visibility=Visibility.PRIVATE, local=False, uri=document["id"])
    return await create_status(session, draft)


@story(effects=True)
async def test_nobody_is_moved_where_they_did_not_go(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    number = 0
    for case in ("no alias", "alias of another", "suspended", "moved on", "not there", "itself", "somebody else's"):
        number += 1
        old = await far.actor(f"old{number}")
        await far.befriend(alice, old)
        alias = {"no alias": {}, "alias of another": {"alsoKnownAs": [f"{old.uri}2"]}}.get(
            case, {"alsoKnownAs": old.uri}
        )
        new = await far.actor(f"new{number}", "new.example", **alias)
        target, about = new.uri, old.uri
        match case:
            case "suspended":
                await world.execute("UPDATE accounts SET rev = rev + 1, state = 2 WHERE id = :id", id=new.id)
            case "moved on":
                await far.actor(f"next{number}", "new.example", alsoKnownAs=[new.uri])
                far.pages[new.uri] |= {"movedTo": f"https://new.example/users/next{number}"}
            case "not there":
                target = "https://new.example/users/nobody"
            case "itself":
                target = old.uri
            case "somebody else's":
                about = f"{old.uri}x"
        moving = activity("Move", old, about, number, target=target)
        assert (await far.receive(moving, old)).result != PROCESSED, case
        moved = "SELECT count(*) FROM accounts WHERE id = :id AND moved_to_id IS NOT NULL"
        assert await world.value(moved, id=old.id) == 0, case
    assert await world.value("SELECT count(*) FROM follows WHERE account_id = :id", id=alice.id) == number
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'federation.move_followers'") == 0


@story(effects=True)
async def test_who_moves_again_at_once_takes_nobody_along(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    old = await far.actor()
    await far.befriend(alice, old)
    homes = [await far.actor(f"home{number}", "new.example", alsoKnownAs=[old.uri]) for number in range(2)]
    results = [
        await far.receive(activity("Move", old, old.uri, n, target=home.uri), old) for n, home in enumerate(homes)
    ]
    assert [one.result for one in results] == [PROCESSED, REJECTED]
    assert await world.value("SELECT moved_to_id FROM accounts WHERE id = :id", id=old.id) == homes[0].id


@story(effects=True)
async def test_consent_to_a_quote_is_the_quoted_authors(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora, frank, eve = await far.actor(), await far.actor("frank", "third.example"), await far.actor("eve", EVIL)
    neighbour = await far.actor("nina", "third.example")
    for actor in (dora, frank, eve):
        await far.befriend(alice, actor)
    quoted, other = note(frank, 1), note(frank, 2)
    far.pages |= {one["id"]: one for one in (quoted, other)}
    for one in (quoted, other):
        await far.receive(activity("Create", frank, one, int(one["id"][-1])), frank)

    def proof(place: str, quoting: Json, **more: Any) -> Json:
        uri = f"https://{place}/stamps/1"
        stamp = {
            "id": uri,
            "type": "QuoteAuthorization",
            "attributedTo": frank.uri,
            "interactingObject": quoting["id"],
            "interactionTarget": quoted["id"],
        }
        return stamp | more

    def cases(quoting: Json) -> list[Json]:
        home = "third.example"
        return [
            proof(EVIL, quoting),
            proof(EVIL, quoting, attributedTo=eve.uri),
            proof(home, quoting, interactingObject=f"{quoting['id']}9"),
            proof(home, quoting, interactionTarget=other["id"]),
            proof(home, quoting, attributedTo=neighbour.uri),
            proof(home, quoting, type="Note"),
            proof(home, quoting, id=f"https://{home}/stamps/2"),
        ]

    async def state(number: int, stamp: Json, place: str) -> QuoteState:
        quoting = note(dora, number, quote=quoted["id"], quoteAuthorization=place)
        far.pages[place] = stamp
        await far.receive(activity("Create", dora, quoting, number), dora)
        status_id = int(await world.value("SELECT id FROM statuses WHERE uri = :uri", uri=quoting["id"]))
        await run_check_quote(SimpleNamespace(inbox=far.context), CheckQuote(status_id))
        found = await world.value("SELECT state FROM quotes WHERE status_id = :id", id=status_id)
        return QuoteState(int(found))

    for number in range(7):
        quoting = {"id": f"{dora.uri}/statuses/{10 + number}"}
        stamp = cases(quoting)[number]
        place = stamp["id"] if number < 6 else "https://third.example/stamps/1"
        assert await state(10 + number, stamp, place) == QuoteState.PENDING, number
    good = proof("third.example", {"id": f"{dora.uri}/statuses/30"}) | {"id": "https://third.example/stamps/30"}
    assert await state(30, good, good["id"]) == QuoteState.ACCEPTED
    for liar, result in ((neighbour, IGNORED), (eve, REJECTED), (frank, PROCESSED)):
        assert (await far.receive(activity("Delete", liar, good["id"]), liar)).result == result
        kept = await world.value("SELECT state FROM quotes WHERE approval_uri = :uri", uri=good["id"])
        assert (kept is not None and QuoteState(int(kept)) == QuoteState.ACCEPTED) == (liar is not frank)


SCHEMES = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "\u0001javascript:x",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://x/1",
    "https:\\\\far.example\\x",
    "https://good.example@evil.example/",
    "//evil.example/x",
    "https://evil.example\u202e/moc.doog//:sptth",
)


@pytest.mark.parametrize("url", SCHEMES)
def test_addresses_that_are_none_lead_nowhere(url: str) -> None:
    uri = "https://far.example/users/dora"
    link = {"type": "Link", "href": url, "mediaType": "text/html"}
    for value in (url, [url], link, [link], {"type": "Image", "url": url}):
        actor = parse_actor(actor_page(uri, "dora") | dict.fromkeys(
            ("url", "icon", "image", "outbox", "featured", "movedTo", "alsoKnownAs"), value))  # fmt: skip
        assert (actor.url, actor.avatar.url, actor.header.url, actor.also_known_as) == (uri, "", "", [])
        assert actor.outbox_url == actor.featured_url == actor.moved_to == ""
        draft = parse_note({"id": f"{uri}/1", "type": "Note", "attributedTo": uri, "content": f'<a href="{url}">x</a>',
                            **dict.fromkeys(("url", "attachment", "inReplyTo", "quote", "replies"), value),
                            "tag": [{"type": "Mention", "href": url, "name": "@x"},
                                    {"type": "Emoji", "name": ":xx:", "icon": value}]})  # fmt: skip
        assert (draft.url, draft.media, draft.mentions, draft.emojis) == (f"{uri}/1", [], [], [])
        assert draft.in_reply_to == draft.quote == draft.replies_url == ""
    assert "script" not in sanitise(f'<p><a href="{url}">x</a></p>').lower()
