"""What is sent: every activity is declared, addressed, and named so that sending it twice says it once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phiomia.domain.statuses.boost import boost
from phiomia.domain.statuses.documents import BoostView, NoteView, load_documents
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.contexts import TERMS, declare
from phiomia.federation.documents.note import render_note
from world import make_account

from .published import BASE, Site, publishing
from .strict import PUBLIC, check

SHAPES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data" / "shapes.json").read_text())
ALICE = f"{BASE}/users/alice"
BOB = "https://far.example/users/bob"
NOTE = f"{BASE}/users/alice/statuses/1"
FOLLOW = activities.followed_by("https://far.example/follows/42", BOB, ALICE)
HASHTAG = {"type": "Hashtag", "href": f"{BASE}/tags/cats", "name": "#cats"}

BUILT = {
    "like": activities.like(ALICE, 5, "https://far.example/notes/1"),
    "undo-like": activities.undo(activities.like(ALICE, 5, "https://far.example/notes/1")),
    "follow": activities.follow(ALICE, 9, BOB),
    "undo-follow": activities.undo(activities.follow(ALICE, 9, BOB)),
    "accept": activities.accept(ALICE, FOLLOW, 9),
    "reject": activities.reject(ALICE, FOLLOW, 9),
    "block": activities.block(ALICE, 3, BOB),
    "undo-block": activities.undo(activities.block(ALICE, 3, BOB)),
    "delete-note": activities.delete(ALICE, NOTE),
    "delete-actor": activities.delete(ALICE, ALICE),
    "add-pin": activities.add(ALICE, NOTE, ids.featured(ALICE), 1),
    "add-hashtag": activities.add(ALICE, HASHTAG, ids.featured(ALICE), 2),
    "remove-pin": activities.remove(ALICE, NOTE, ids.featured(ALICE), 1),
    "move": activities.move(ALICE, BOB, 1),
    "flag": activities.flag(f"{BASE}/actor", BOB, ["https://far.example/notes/1"], "spam", 1),
    "vote": activities.vote(ALICE, 77, "https://far.example/notes/2", BOB, "yes"),
    "undo-announce": activities.unannounced(ALICE, NOTE, "https://far.example/notes/1"),
}
# What Mastodon has and we leave out, and why: these serve ids from before ActivityPub.
OLD = {"atomUri", "inReplyToAtomUri"}


@pytest.mark.parametrize("name", sorted(BUILT))
def test_an_activity_has_all_that_its_readers_look_for(name: str) -> None:
    activity = BUILT[name]
    check(activity)
    compare(name, activity)


def compare(name: str, activity: dict[str, Any]) -> None:
    """Fails if something is missing that Mastodon sends, or is of another kind."""
    shape = SHAPES[name]
    missing = set(shape["keys"]) - activity.keys() - OLD
    if "Undo" in activity["type"]:
        missing -= {"published", "cc"}
    assert not missing, missing
    assert activity["type"] == shape["type"]
    inner = activity["object"]
    assert type(inner).__name__ == shape["object"]
    if isinstance(inner, dict):
        lost = set(shape["object_keys"]) - inner.keys() - OLD
        # A boost that was taken back is known by its id alone.
        assert not lost or (name == "undo-announce" and lost == {"published", "to", "cc"}), lost
        assert inner["type"] == shape["object_type"]


def test_ids_follow_from_what_happened() -> None:
    assert BUILT["like"]["id"] == f"{ALICE}#likes/5"
    assert BUILT["undo-like"]["id"] == f"{ALICE}#likes/5/undo"
    assert BUILT["undo-like"]["object"] == {key: value for key, value in BUILT["like"].items() if key != "@context"}
    assert BUILT["follow"]["id"] == f"{ALICE}#follows/9"
    assert activities.follow(ALICE, 9, BOB, "https://x.example/7")["id"] == "https://x.example/7"
    assert BUILT["accept"]["object"] == FOLLOW
    assert BUILT["delete-note"]["object"] == {"id": NOTE, "type": "Tombstone"}
    assert BUILT["undo-announce"]["id"] == f"{NOTE}/activity#undo"
    assert len({activity["id"] for activity in BUILT.values()}) == len(BUILT)


def test_each_term_is_declared_only_where_it_is_used() -> None:
    assert declare({"id": NOTE, "type": "Note"})["@context"] == "https://www.w3.org/ns/activitystreams"
    for term in TERMS:
        check(declare({"id": NOTE, "type": "Note", term: "https://phiomia.example/x"}))
    assert "toot" not in str(declare({"contentMap": {"value": "x", "blurhash": "y"}})["@context"])


@publishing()
async def test_statuses_boosts_and_changes(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob", domain="far.example")
    status = await site.post(alice, language="en", mentions=[bob.id])
    private = await site.post(alice, visibility=Visibility.PRIVATE, language="en")
    remote = await site.post(bob, local=False, uri="https://far.example/notes/1")
    boosts = [await site.db.write(lambda session, one=one: boost(session, alice.id, one)) for one in (remote, private)]
    await site.execute("UPDATE statuses SET rev = rev + 1, edited_at = created_at + 1000 WHERE id = :id", id=status)
    async with site.db.read() as session:
        views = await load_documents(session, [status, private, remote, *boosts])
    assert remote not in views, "it is not ours"
    view = views[status]
    assert isinstance(view, NoteView)
    note = render_note(view, site.links)
    created, updated = activities.create(note), activities.update(note, 7)
    for name, activity in (("create", created), ("update-note", updated)):
        check(activity)
        compare(name, activity)
    assert created["cc"] == updated["cc"] == [f"{ALICE}/followers", BOB]
    assert updated["id"] == f"{note['id']}#updates/7"
    shared, own = (views[one] for one in boosts)
    assert isinstance(shared, BoostView)
    assert isinstance(own, BoostView)
    announce = activities.announce(shared, site.links)
    check(announce)
    compare("announce", announce)
    assert (announce["to"], announce["cc"]) == ([PUBLIC], [f"{ALICE}/followers", BOB])
    inlined = activities.announce(own, site.links)
    check(inlined)
    compare("announce-self-private", inlined)
    assert (inlined["to"], inlined["cc"]) == ([f"{ALICE}/followers"], [ALICE])
    assert inlined["object"]["id"] == site.uri("alice", private)


@publishing()
async def test_a_changed_profile_is_sent_whole(site: Site) -> None:
    await make_account(site.db, "alice")
    actor = (await site.get(ALICE)).document
    updated = activities.update(actor, 3)
    check(updated)
    compare("update-actor", updated)
    assert updated["object"] == {key: value for key, value in actor.items() if key != "@context"}
    assert (updated["to"], updated["cc"]) == ([PUBLIC], [f"{ALICE}/followers"])
