"""What has just been written is shown and found as if it had been read again."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

from phiomia.domain.search import index
from phiomia.domain.search.index import index_status
from phiomia.domain.search.words import write_body
from world import Account, World, story


async def _kinds(world: World, alice: Account) -> dict[str, dict[str, Any]]:
    """One post of each kind."""
    bob = await world.account("bob")
    await world.account("far", domain="far.example")
    answer = await world.client.post(
        "/api/v1/statuses", bob, json={"status": "Quote me", "quote_approval_policy": "public"}
    )
    asked = answer.json["id"]
    await world.execute(
        "INSERT INTO cards (id, url, state, kind, title, created_at)"
        " VALUES (1, 'https://news.example/', 1, 0, 'News', 0)"
    )
    return {
        "plain": {"status": "Plain words", "language": "de"},
        "warned": {"status": "Behind a warning", "spoiler_text": "Careful", "sensitive": True},
        "private": {"status": "For followers", "visibility": "private"},
        "direct": {"status": "@bob @far@far.example for you", "visibility": "direct"},
        "named": {"status": "@bob and #Two #hashtags"},
        "answer": {"status": "I answer", "in_reply_to_id": asked},
        "poll": {"status": "Which?", "poll": {"options": ["this", "that"], "expires_in": 3600}},
        "picture": {"status": "Look", "media_ids": [str(await world.picture(alice, description="A picture"))]},
        "link": {"status": "News: https://news.example/"},
        "new link": {"status": "More news: https://other.example/"},
        "quote": {"status": "Said well", "quoted_status_id": asked},
    }


@story("statuses", effects=True)
async def test_it_is_shown_as_it_is_read(world: World) -> None:
    alice = await world.account("alice")
    for kind, sent in (await _kinds(world, alice)).items():
        answer = await world.client.post("/api/v1/statuses", alice, json=sent)
        assert answer.status == 200, (kind, answer.body)
        for forgotten in (False, True):
            if forgotten:
                world.api.fragments.clear()
            read = await world.client.get(f"/api/v1/statuses/{answer.json['id']}", alice)
            assert read.json == answer.json, kind


@story("statuses", effects=True)
async def test_it_is_found_as_if_it_were_indexed_anew(world: World) -> None:
    alice = await world.account("alice")
    kinds = await _kinds(world, alice)
    bodies: list[str] = []

    def write(dialect: str, words: list[str], marks: list[str]) -> str:
        bodies.append(write_body(dialect, words, marks))
        return bodies[-1]

    with patch.object(index, "write_body", write):
        for indexable in (True, False):
            await world.execute(
                "UPDATE accounts SET indexable = :is, rev = rev + 1 WHERE id = :id", **{"is": indexable}, id=alice.id
            )
            for kind, sent in kinds.items():
                if kind == "picture":
                    sent["media_ids"] = [str(await world.picture(alice, description="A picture"))]
                answer = await world.client.post("/api/v1/statuses", alice, json=sent)
                assert answer.status == 200, (kind, answer.body)
                id_ = int(answer.json["id"])
                await world.write(lambda session, id_=id_: index_status(session, id_))  # type: ignore[misc]
                new, read = bodies[-2:]
                assert new == read, kind
    assert len(bodies) == 4 * len(kinds)


@story("statuses", effects=True)
async def test_streams_hear_of_it_as_it_is(world: World) -> None:
    alice = await world.account("alice")
    for kind, sent in (await _kinds(world, alice)).items():
        answer = await world.client.post("/api/v1/statuses", alice, json=sent)
        told = json.loads(
            await world.value("SELECT body FROM stream_events WHERE kind = 'status' ORDER BY seq DESC LIMIT 1")
        )
        status = answer.json
        assert told["home"] == [alice.id], kind
        assert (told["id"], told["account"], told["local"], told["boost"]) == (int(status["id"]), alice.id, True, False)
        assert told["visibility"] == status["visibility"]
        assert sorted(told.get("tags", [])) == sorted(tag["name"] for tag in status["tags"])
        assert (told["reply"], told["media"]) == (kind == "answer", kind == "picture")
        assert (told["language"], told["lists"]) == (status["language"], [])
