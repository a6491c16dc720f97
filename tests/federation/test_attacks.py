"""What nobody can do to others: whatever somebody sends, only what is their own changes."""

from __future__ import annotations

from typing import Any

import pytest

from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.federation.inbox.dispatch import HANDLERS
from phiomia.federation.negotiation import takes_gzip
from phiomia.platform.db import Query
from world import World, story

from .far import Far, Json, activity, note, ours

# Rows by who owns them, without counters: those may move with what the sender rightfully does.
_STATEMENTS = (
    "SELECT id, account_id, uri, content, visibility, in_reply_to_id, reblog_of_id, edited_at FROM statuses"
    " WHERE account_id NOT IN (:one, :other) ORDER BY id",
    "SELECT id, username, domain, uri, display_name, note, state, moved_to_id, public_key, key_id, inbox_url,"
    " also_known_as FROM accounts WHERE id NOT IN (:one, :other) ORDER BY id",
    "SELECT account_id, target_id FROM follows WHERE account_id NOT IN (:one, :other)"
    " AND target_id NOT IN (:one, :other) ORDER BY 1, 2",
    "SELECT account_id, target_id FROM follow_requests WHERE account_id NOT IN (:one, :other) ORDER BY 1, 2",
    "SELECT account_id, target_id FROM blocks WHERE account_id NOT IN (:one, :other) ORDER BY 1, 2",
    "SELECT account_id, status_id FROM favourites WHERE account_id NOT IN (:one, :other) ORDER BY 1, 2",
    "SELECT account_id, status_id FROM pins WHERE account_id NOT IN (:one, :other) ORDER BY 1, 2",
    "SELECT account_id, poll_id FROM poll_votes WHERE account_id NOT IN (:one, :other) ORDER BY 1, 2",
)
OWNED = [Query.raw(sqlite=statement) for statement in _STATEMENTS]
KINDS = sorted(HANDLERS)


@story(effects=True)
async def test_nobody_touches_what_is_not_theirs(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    dora = await far.actor()
    attackers = [await far.actor("eve", "evil.example"), await far.actor("dan")]
    await far.befriend(alice, dora)
    own = await world.write(lambda session: create_status(session, StatusDraft(alice.id, "<p>Hi</p>", source="Hi")))
    hers = note(dora)
    await far.receive(activity("Create", dora, hers), dora)
    follow = activity("Follow", dora, ours("alice"))
    like = activity("Like", dora, ours("alice", own))
    boost = activity("Announce", dora, ours("alice", own))
    for sent in (follow, like, boost):
        await far.receive(sent, dora)

    victims: list[tuple[str, Json]] = [
        (dora.uri, {"id": dora.uri, "type": "Person", "preferredUsername": "dora", "name": "Owned", "inbox": dora.uri}),
        (hers["id"], hers | {"content": "<p>Forged</p>"}),
        (f"{dora.uri}/statuses/99", note(dora, 99, content="<p>Invented</p>")),
        (follow["id"], follow),
        (like["id"], like),
        (boost["id"], boost),
        (ours("alice"), {"id": ours("alice"), "type": "Person", "name": "Owned"}),
        (ours("alice", own), note(dora, 1, id=ours("alice", own), attributedTo=ours("alice"), content="Forged")),
        (ours("alice", 1), {"type": "Follow", "actor": ours("alice"), "object": dora.uri, "id": ours("alice", 1)}),
    ]

    async def look() -> list[Any]:
        names = {"one": attackers[0].id, "other": attackers[1].id}
        async with world.db.read() as session:
            return [await session.all(query, **names) for query in OWNED]

    before, number = await look(), 1_000
    for attacker in attackers:
        for kind in KINDS:
            for uri, embedded in victims:
                for about in (uri, embedded, {"id": uri, "type": "Undo", "actor": dora.uri, "object": embedded}):
                    for target in (dora.featured_url, attacker.uri):
                        number += 1
                        forged = activity(kind, attacker, about, number, target=target)
                        await far.receive(forged, attacker)
                    assert await look() == before, f"{kind} by {attacker.uri} about {about}"


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        ("gzip", True),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, identity", False),
        ("br, gzip;q=0.1", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("notgzip", False),
    ],
)
def test_packed_bodies_are_for_who_takes_them(accept: str, taken: bool) -> None:
    assert takes_gzip(accept) is taken
