"""Statuses over the API: what clients send, what they get back, and what they may not do."""

import asyncio
from typing import Any

from contract import assert_entity, assert_returns
from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.relationships.block import block
from phiomia.domain.relationships.follow import follow
from phiomia.platform.settings import RateLimits
from world import Account, World, make_token, story

POST = "POST /api/v1/statuses"
GET = "GET /api/v1/statuses/:id"
PUT = "PUT /api/v1/statuses/:id"


async def post(world: World, who: Account, text: str = "Hello", **more: Any) -> Any:
    """A status made through the API."""
    return await world.client.check(POST, who, json={"status": text, **more})


async def refused(world: World, status: int, method: str, path: str, who: Any, **more: Any) -> str:
    """The words of a refusal."""
    answer = await world.client.request(method, path, who, **more)
    assert answer.status == status, answer.body
    return str(answer.json["error"])


@story("statuses")
async def test_posts_and_reads(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await world.client.check(
        POST, alice, form={"status": "Hi @bob #Tea", "visibility": "unlisted", "language": "de", "spoiler_text": "cw"}
    )
    assert made["visibility"] == "unlisted"
    assert made["language"] == "de"
    assert made["sensitive"] is True
    assert made["spoiler_text"] == "cw"
    assert [one["acct"] for one in made["mentions"]] == ["bob"]
    assert [one["name"] for one in made["tags"]] == ["tea"]
    assert made["url"] == f"https://phiomia.example/@alice/{made['id']}"
    assert (made["pinned"], made["favourited"]) == (False, False)
    shown = await world.client.check(GET, None, id=made["id"])
    assert "favourited" not in shown
    assert shown["account"]["statuses_count"] == 1
    assert (await world.client.check(GET, bob, id=made["id"]))["content"] == made["content"]


@story("statuses")
async def test_defaults_of_the_member(world: World) -> None:
    alice = await world.account("alice")
    await world.execute(
        "UPDATE users SET default_visibility = 2, default_sensitive = true, default_language = 'fr' WHERE id = :id",
        id=alice.user_id,
    )
    made = await post(world, alice)
    assert (made["visibility"], made["sensitive"], made["language"]) == ("private", True, "fr")
    made = await post(world, alice, visibility="public", sensitive=False, language="en")
    assert (made["visibility"], made["sensitive"], made["language"]) == ("public", False, "en")


@story("statuses", "preferences", "scheduled_statuses")
async def test_a_post_always_has_a_language(world: World) -> None:
    alice = await world.account("alice")
    assert (await post(world, alice))["language"] == "en"
    await world.execute("UPDATE users SET locale = 'pt-BR' WHERE id = :id", id=alice.user_id)
    assert (await world.client.check("GET /api/v1/preferences", alice))["posting:default:language"] == "pt"
    assert (await post(world, alice))["language"] == "pt"
    # What nobody speaks counts as not said.
    made = await post(world, alice, language="xx")
    assert made["language"] == "pt"
    said = await post(world, alice, language="de")
    edited = await world.client.check(PUT, alice, id=said["id"], json={"status": "anew", "language": "xx"})
    assert edited["language"] == "de"
    later = await post(world, alice, scheduled_at="2099-01-01T00:00:00Z")
    assert later["params"]["language"] == "pt"


@story("statuses")
async def test_a_limited_member_is_not_public(world: World) -> None:
    alice = await world.account("alice", state=1)
    assert (await post(world, alice))["visibility"] == "unlisted"


@story("statuses")
async def test_what_is_refused(world: World) -> None:
    alice = await world.account("alice")
    path = "/api/v1/statuses"
    for sent in (
        {"status": ""},
        {"status": " \n "},
        {"status": "a\x00b"},
        {"status": "x" * 501},
        {"status": "x", "visibility": "secret"},
        {"status": "x", "media_ids": ["1"]},
        {"status": "x", "poll": {"options": ["one"], "expires_in": 600}},
        {"status": "x", "poll": {"options": ["one", "one"], "expires_in": 600}},
        {"status": "x", "poll": {"options": ["one", "\x00"], "expires_in": 600}},
        {"status": "x", "poll": {"options": ["one", "two"]}},
        {"status": "x", "poll": {"options": ["one", "two"], "expires_in": "soon"}},
        {"status": "x", "scheduled_at": "soon"},
    ):
        await refused(world, 422, "POST", path, alice, json=sent)
    await refused(world, 404, "POST", path, alice, json={"status": "x", "in_reply_to_id": "12345"})
    await refused(world, 404, "POST", path, alice, json={"status": "x", "quoted_status_id": "1"})
    await refused(world, 401, "POST", path, None, json={"status": "x"})
    await refused(world, 403, "POST", path, await make_token(world.db, alice, "read"), json={"status": "x"})
    await refused(world, 422, "POST", path, await make_token(world.db, None, "write"), json={"status": "x"})
    assert await world.value("SELECT count(*) FROM statuses") == 0


@story("statuses")
async def test_replies(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    first = await post(world, alice)
    reply = await post(world, bob, "@alice yes", in_reply_to_id=first["id"])
    assert (reply["in_reply_to_id"], reply["in_reply_to_account_id"]) == (first["id"], str(alice.id))
    await post(world, bob, "@alice in secret", in_reply_to_id=first["id"], visibility="direct")
    assert (await world.client.check(GET, alice, id=first["id"]))["replies_count"] == 1
    assert (await world.client.check(GET, alice, id=reply["id"]))["account"]["statuses_count"] == 1
    hidden = await post(world, alice, visibility="direct")
    words = {"status": "x", "in_reply_to_id": hidden["id"]}
    await refused(world, 404, "POST", "/api/v1/statuses", bob, json=words)


@story("statuses")
async def test_a_warning_alone_is_the_text(world: World) -> None:
    alice = await world.account("alice")
    made = await post(world, alice, "", spoiler_text="Only this")
    assert (made["content"], made["spoiler_text"]) == ("<p>Only this</p>", "")


@story("statuses")
async def test_media(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    first, second = await world.picture(alice, description="one"), await world.picture(alice)
    made = await world.client.check(POST, alice, form={"media_ids": [second, first]})
    assert [one["id"] for one in made["media_attachments"]] == [str(second), str(first)]
    path = "/api/v1/statuses"
    for ids in (
        [first],  # used already
        [await world.picture(bob)],
        [await world.picture(alice, state=MediaState.PROCESSING)],
        [await world.picture(alice, kind=MediaKind.VIDEO), await world.picture(alice)],
        [await world.picture(alice) for _ in range(5)],
    ):
        await refused(world, 422, "POST", path, alice, json={"status": "x", "media_ids": ids})


@story("statuses")
async def test_the_same_key_makes_one_status(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    headers = {"Idempotency-Key": "k" * 300}

    async def ask(who: Account) -> str:
        made = await world.client.check(POST, who, form={"status": "once"}, headers=headers)
        return str(made["id"])

    ids = await asyncio.gather(*(ask(alice) for _ in range(5)))
    assert len(set(ids)) == 1
    assert await ask(alice) == ids[0]
    assert await ask(bob) != ids[0]
    assert await world.value("SELECT count(*) FROM statuses") == 2
    await world.execute("UPDATE idempotency_keys SET created_at = created_at - 3600000")
    assert await ask(alice) not in ids


@story("statuses")
async def test_a_deleted_status_frees_its_key(world: World) -> None:
    alice = await world.account("alice")
    headers = {"Idempotency-Key": "again"}
    made = await world.client.check(POST, alice, form={"status": "once"}, headers=headers)
    await world.client.delete(f"/api/v1/statuses/{made['id']}", alice)
    assert (await world.client.check(POST, alice, form={"status": "once"}, headers=headers))["id"] != made["id"]


@story("statuses")
async def test_allowed_mentions(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    sent = {"status": "@bob @carol hi", "allowed_mentions": [str(bob.id)]}
    answer = await world.client.post("/api/v1/statuses", alice, json=sent)
    assert answer.status == 422
    assert [one["id"] for one in answer.json["unexpected_accounts"]] == [str(carol.id)]
    assert_entity("Account", answer.json["unexpected_accounts"][0])
    sent["allowed_mentions"] = [str(bob.id), str(carol.id)]
    await world.client.check(POST, alice, json=sent)


@story("statuses", rate_limits=RateLimits(statuses=(2, 3600)))
async def test_too_many(world: World) -> None:
    alice = await world.account("alice")
    for _ in range(2):
        await post(world, alice)
    answer = await world.client.post("/api/v1/statuses", alice, json={"status": "x"})
    assert answer.status == 429
    assert answer.headers["X-RateLimit-Limit"] == "2"
    assert int(answer.headers["Retry-After"]) > 0


@story("statuses")
async def test_who_may_see(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await world.write(lambda session: follow(session, bob.id, alice.id))
    private = await post(world, alice, visibility="private")
    direct = await post(world, alice, "@carol psst", visibility="direct")
    for id_, readers in ((private["id"], {alice, bob}), (direct["id"], {alice, carol})):
        for who in (alice, bob, carol, None):
            answer = await world.client.get(f"/api/v1/statuses/{id_}", who)
            assert answer.status == (200 if who in readers else 404)
    for path in ("1", "x", "99999999999999999999", "-1"):
        assert (await world.client.get(f"/api/v1/statuses/{path}", alice)).status == 404


@story("statuses")
async def test_a_boost_is_seen_where_the_boosted_is(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    made = await post(world, alice)
    shared = await world.client.check("POST /api/v1/statuses/:id/reblog", bob, id=made["id"])
    await world.client.check(GET, carol, id=shared["id"])
    await world.write(lambda session: block(session, alice.id, carol.id))
    assert (await world.client.get(f"/api/v1/statuses/{shared['id']}", carol)).status == 404


@story("statuses")
async def test_several_at_once(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    one, two = await post(world, alice, "one"), await post(world, alice, "two")
    secret = await post(world, alice, "three", visibility="direct")
    asked = [two["id"], secret["id"], one["id"], two["id"], "1"]
    answer = await world.client.get("/api/v1/statuses", bob, id=asked)
    assert answer.ids == [two["id"], one["id"]]
    assert_returns("GET /api/v1/statuses", answer.json)
    assert (await world.client.get("/api/v1/statuses", bob)).json == []
    assert (await world.client.get("/api/v1/statuses", bob, id=list(range(21)))).status == 422


@story("statuses")
async def test_favourites(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await post(world, alice)
    for _ in range(2):
        shown = await world.client.check("POST /api/v1/statuses/:id/favourite", bob, id=made["id"])
        assert (shown["favourited"], shown["favourites_count"]) == (True, 1)
    by = await world.client.check("GET /api/v1/statuses/:id/favourited_by", None, id=made["id"])
    assert [one["id"] for one in by] == [str(bob.id)]
    for _ in range(2):
        shown = await world.client.check("POST /api/v1/statuses/:id/unfavourite", bob, id=made["id"])
        assert (shown["favourited"], shown["favourites_count"]) == (False, 0)


@story("statuses")
async def test_marks_through_a_boost(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await post(world, alice)
    shared = await world.client.check("POST /api/v1/statuses/:id/reblog", bob, id=made["id"])
    for verb, flag in (("favourite", "favourited"), ("bookmark", "bookmarked")):
        shown = await world.client.check(f"POST /api/v1/statuses/:id/{verb}", bob, id=shared["id"])
        assert shown["id"] == shared["id"]
        assert shown["reblog"][flag] is True
        assert (await world.client.check(GET, bob, id=made["id"]))[flag] is True
        await world.client.check(f"POST /api/v1/statuses/:id/un{verb}", bob, id=shared["id"])
        assert (await world.client.check(GET, bob, id=made["id"]))[flag] is False


@story("statuses")
async def test_boosts(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    made = await post(world, alice)
    shared = await world.client.check("POST /api/v1/statuses/:id/reblog", bob, id=made["id"])
    assert shared["account"]["id"] == str(bob.id)
    assert shared["reblog"]["id"] == made["id"]
    assert (shared["reblog"]["reblogged"], shared["reblog"]["reblogs_count"]) == (True, 1)
    again = await world.client.check("POST /api/v1/statuses/:id/reblog", bob, id=made["id"])
    assert again["id"] == shared["id"]
    through = await world.client.check(
        "POST /api/v1/statuses/:id/reblog", carol, id=shared["id"], form={"visibility": "unlisted"}
    )
    assert (through["reblog"]["id"], through["visibility"]) == (made["id"], "unlisted")
    by = await world.client.check("GET /api/v1/statuses/:id/reblogged_by", None, id=made["id"])
    assert [one["id"] for one in by] == [str(carol.id), str(bob.id)]
    back = await world.client.check("POST /api/v1/statuses/:id/unreblog", bob, id=made["id"])
    assert (back["id"], back["reblogged"], back["reblogs_count"]) == (made["id"], False, 1)
    assert (await world.client.get(f"/api/v1/statuses/{shared['id']}", bob)).status == 404
    await world.client.check("POST /api/v1/statuses/:id/unreblog", bob, id=made["id"])


@story("statuses")
async def test_what_may_be_boosted(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await world.write(lambda session: follow(session, bob.id, alice.id))
    private = await post(world, alice, visibility="private")
    own = await world.client.check("POST /api/v1/statuses/:id/reblog", alice, id=private["id"])
    assert own["visibility"] == "private"
    await refused(world, 403, "POST", f"/api/v1/statuses/{private['id']}/reblog", bob)
    direct = await post(world, alice, "@bob", visibility="direct")
    for who in (alice, bob):
        await refused(world, 403, "POST", f"/api/v1/statuses/{direct['id']}/reblog", who)
    public = await post(world, alice)
    await refused(world, 422, "POST", f"/api/v1/statuses/{public['id']}/reblog", bob, form={"visibility": "direct"})
    await world.write(lambda session: block(session, bob.id, alice.id))
    for verb in ("reblog", "favourite"):
        await refused(world, 403, "POST", f"/api/v1/statuses/{public['id']}/{verb}", bob)


@story("statuses")
async def test_undoing_without_seeing(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await post(world, alice)
    for verb in ("favourite", "bookmark", "reblog"):
        await world.client.check(f"POST /api/v1/statuses/:id/{verb}", bob, id=made["id"])
    await world.write(lambda session: block(session, alice.id, bob.id))
    for verb in ("unfavourite", "unbookmark", "unreblog"):
        path = f"/api/v1/statuses/{made['id']}/{verb}"
        assert (await world.client.post(path, bob)).status == 200
        await refused(world, 404, "POST", path, bob)
    for verb in ("favourite", "bookmark", "reblog", "mute", "pin", "unpin", "unmute"):
        await refused(world, 404, "POST", f"/api/v1/statuses/{made['id']}/{verb}", bob)


@story("statuses")
async def test_pins(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = [await post(world, alice, str(number)) for number in range(6)]
    for one in made[:5]:
        for _ in range(2):
            shown = await world.client.check("POST /api/v1/statuses/:id/pin", alice, id=one["id"])
            assert shown["pinned"] is True
    path = f"/api/v1/statuses/{made[5]['id']}/pin"
    await refused(world, 422, "POST", path, alice)
    assert (await world.client.check("POST /api/v1/statuses/:id/unpin", alice, id=made[0]["id"]))["pinned"] is False
    assert (await world.client.post(path, alice)).status == 200
    await world.client.check("POST /api/v1/statuses/:id/unpin", alice, id=made[1]["id"])
    await refused(world, 422, "POST", path, bob)
    shared = await world.client.check("POST /api/v1/statuses/:id/reblog", alice, id=made[0]["id"])
    await refused(world, 422, "POST", f"/api/v1/statuses/{shared['id']}/pin", alice)
    direct = await post(world, alice, visibility="direct")
    await refused(world, 422, "POST", f"/api/v1/statuses/{direct['id']}/pin", alice)


@story("statuses")
async def test_muting_a_thread(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    first = await post(world, alice)
    reply = await post(world, bob, "@alice", in_reply_to_id=first["id"])
    assert (await world.client.check("POST /api/v1/statuses/:id/mute", alice, id=reply["id"]))["muted"] is True
    assert (await world.client.check(GET, alice, id=first["id"]))["muted"] is True
    assert (await world.client.check(GET, bob, id=first["id"]))["muted"] is False
    assert (await world.client.check("POST /api/v1/statuses/:id/unmute", alice, id=first["id"]))["muted"] is False


@story("statuses")
async def test_context(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    root = await post(world, alice, "root")
    other = await post(world, bob, "other", in_reply_to_id=root["id"])
    below = await post(world, carol, "below", in_reply_to_id=other["id"])
    story_ = await post(world, alice, "story", in_reply_to_id=root["id"])
    secret = await post(world, bob, "secret", in_reply_to_id=root["id"], visibility="direct")
    under = await post(world, bob, "under", in_reply_to_id=secret["id"])
    thread = await world.client.check("GET /api/v1/statuses/:id/context", carol, id=root["id"])
    wanted = [story_["id"], other["id"], below["id"], under["id"]]
    assert [one["id"] for one in thread["descendants"]] == wanted
    assert thread["ancestors"] == []
    thread = await world.client.check("GET /api/v1/statuses/:id/context", None, id=root["id"])
    assert [one["id"] for one in thread["descendants"]] == wanted
    thread = await world.client.check("GET /api/v1/statuses/:id/context", None, id=under["id"])
    assert [one["id"] for one in thread["ancestors"]] == [root["id"]]
    thread = await world.client.check("GET /api/v1/statuses/:id/context", bob, id=under["id"])
    assert [one["id"] for one in thread["ancestors"]] == [root["id"], secret["id"]]
    await refused(world, 404, "GET", f"/api/v1/statuses/{secret['id']}/context", carol)


@story("statuses")
async def test_edits(world: World) -> None:
    alice, bob, _carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    media = await world.picture(alice, description="old")
    made = await post(world, alice, "Hi @bob #tea", media_ids=[media], language="de")
    same = {"status": "Hi @bob #tea", "media_ids": [media]}
    assert (await world.client.check(PUT, alice, id=made["id"], json=same))["edited_at"] is None
    changed = await world.client.check(
        PUT,
        alice,
        id=made["id"],
        form=[
            ("status", "Bye @carol #coffee"),
            ("spoiler_text", "cw"),
            ("media_ids[]", media),
            ("media_attributes[][id]", media),
            ("media_attributes[][description]", "new"),
            ("media_attributes[][focus]", "0.5,-0.5"),
        ],
    )
    assert changed["edited_at"] is not None
    assert (changed["spoiler_text"], changed["sensitive"], changed["language"]) == ("cw", True, "de")
    assert [one["acct"] for one in changed["mentions"]] == ["carol"]
    assert [one["name"] for one in changed["tags"]] == ["coffee"]
    assert changed["media_attachments"][0]["description"] == "new"
    assert changed["media_attachments"][0]["meta"]["focus"] == {"x": 0.5, "y": -0.5}
    await world.client.check(PUT, alice, id=made["id"], json={"status": "At last"})
    versions = await world.client.check("GET /api/v1/statuses/:id/history", bob, id=made["id"])
    assert [one["spoiler_text"] for one in versions] == ["", "cw", ""]
    assert [[m["description"] for m in one["media_attachments"]] for one in versions] == [["old"], ["new"], []]
    assert versions[0]["created_at"] == made["created_at"]
    assert versions[1]["created_at"] == changed["edited_at"]
    assert "poll" not in versions[0]
    for who in (bob, None):
        await refused(world, 404 if who else 401, "PUT", f"/api/v1/statuses/{made['id']}", who, json={"status": "x"})
    await refused(world, 422, "PUT", f"/api/v1/statuses/{made['id']}", alice, json={"status": ""})
    assert (await world.client.request("PATCH", f"/api/v1/statuses/{made['id']}", alice, json=same)).status == 200


@story("statuses")
async def test_those_no_longer_named_go_on_reading(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await post(world, alice, "@bob psst", visibility="direct")
    changed = await world.client.check(PUT, alice, id=made["id"], json={"status": "psst"})
    assert changed["mentions"] == []
    await world.client.check(GET, bob, id=made["id"])
    changed = await world.client.check(PUT, alice, id=made["id"], json={"status": "@bob again"})
    assert [one["acct"] for one in changed["mentions"]] == ["bob"]


@story("statuses")
async def test_source(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await post(world, alice, "a & b", spoiler_text="c")
    source = await world.client.check("GET /api/v1/statuses/:id/source", alice, id=made["id"])
    assert source == {"id": made["id"], "text": "a & b", "spoiler_text": "c"}
    direct = await post(world, alice, "secret", visibility="direct")
    await refused(world, 404, "GET", f"/api/v1/statuses/{direct['id']}/source", bob)


@story("statuses")
async def test_deletes_and_redrafts(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    media = await world.picture(alice)
    poll = {"options": ["a", "b"], "expires_in": 600}
    made = await post(world, alice, "a & b", media_ids=[media], poll=poll)
    await refused(world, 404, "DELETE", f"/api/v1/statuses/{made['id']}", bob)
    gone = await world.client.check("DELETE /api/v1/statuses/:id", alice, id=made["id"])
    assert gone["text"] == "a & b"
    assert "content" not in gone
    assert [one["id"] for one in gone["media_attachments"]] == [str(media)]
    assert [one["title"] for one in gone["poll"]["options"]] == ["a", "b"]
    await refused(world, 404, "GET", f"/api/v1/statuses/{made['id']}", alice)
    await refused(world, 404, "DELETE", f"/api/v1/statuses/{made['id']}", alice)
    again = await post(world, alice, "anew", media_ids=[media])
    assert again["account"]["statuses_count"] == 1
    await world.client.check("DELETE /api/v1/statuses/:id", alice, id=again["id"], query={"delete_media": "true"})
    await refused(world, 422, "POST", "/api/v1/statuses", alice, json={"status": "x", "media_ids": [media]})


@story("statuses")
async def test_deletes_a_boost(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await post(world, alice)
    shared = await world.client.check("POST /api/v1/statuses/:id/reblog", bob, id=made["id"])
    gone = await world.client.check("DELETE /api/v1/statuses/:id", bob, id=shared["id"])
    assert gone["reblog"]["id"] == made["id"]
    assert (await world.client.check(GET, bob, id=made["id"]))["reblogs_count"] == 0


@story("statuses", "favourites", "bookmarks")
async def test_lists_of_marks(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = [(await post(world, alice, str(number)))["id"] for number in range(5)]
    order = [made[index] for index in (3, 0, 4, 1, 2)]
    for name, verb in (("favourites", "favourite"), ("bookmarks", "bookmark")):
        for id_ in order:
            await world.client.check(f"POST /api/v1/statuses/:id/{verb}", bob, id=id_)
        newest = list(reversed(order))
        path = f"/api/v1/{name}"
        first = await world.client.get(path, bob, limit=2)
        assert_returns(f"GET {path}", first.json)
        assert first.ids == newest[:2]
        second = await world.client.get(path, bob, **first.links["next"])
        assert second.ids == newest[2:4]
        back = await world.client.get(path, bob, **second.links["prev"])
        assert back.ids == newest[:2]
        assert (await world.client.get(path, alice)).json == []
        assert (await world.client.get(path)).status == 401
        await world.client.delete(f"/api/v1/statuses/{order[0]}", alice)
        order = order[1:]
    await world.write(lambda session: block(session, alice.id, bob.id))
    assert (await world.client.get("/api/v1/favourites", bob)).json == []


@story("statuses")
async def test_pages_of_those_who_marked(world: World) -> None:
    alice = await world.account("alice")
    made = await post(world, alice)
    fans = [await world.account(f"fan{number}") for number in range(3)]
    for fan in fans:
        for verb in ("favourite", "reblog"):
            await world.client.check(f"POST /api/v1/statuses/:id/{verb}", fan, id=made["id"])
    for name in ("favourited_by", "reblogged_by"):
        path = f"/api/v1/statuses/{made['id']}/{name}"
        first = await world.client.get(path, alice, limit=2)
        assert first.ids == [str(fans[2].id), str(fans[1].id)]
        assert (await world.client.get(path, alice, **first.links["next"])).ids == [str(fans[0].id)]
    await world.write(lambda session: block(session, alice.id, fans[0].id))
    path = f"/api/v1/statuses/{made['id']}/favourited_by"
    assert (await world.client.get(path, alice)).ids == [str(fans[2].id), str(fans[1].id)]
    assert (await world.client.get(path, fans[0])).status == 404
