"""Polls over the API."""

from typing import Any

from contract import assert_returns
from phiomia.domain.relationships.block import block
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import StatusDraft
from world import Account, World, story

POST = "POST /api/v1/statuses"
POLL = "GET /api/v1/polls/:id"
VOTE = "POST /api/v1/polls/:id/votes"


async def make_poll(world: World, who: Account, **more: Any) -> Any:
    """A status with a poll."""
    poll = {"options": ["tea", "coffee", "water"], "expires_in": 600} | more
    return await world.client.check(POST, who, json={"status": "Drink?", "poll": poll})


@story("statuses", "polls")
async def test_poll_of_a_form(world: World) -> None:
    alice = await world.account("alice")
    form = [
        ("status", "Drink?"),
        ("poll[options][]", " tea "),
        ("poll[options][]", "coffee"),
        ("poll[options][]", ""),
        ("poll[expires_in]", "600"),
        ("poll[multiple]", "true"),
    ]
    made = await world.client.check(POST, alice, form=form)
    assert [one["title"] for one in made["poll"]["options"]] == ["tea", "coffee"]
    assert (made["poll"]["multiple"], made["poll"]["expired"]) == (True, False)
    assert (made["poll"]["voted"], made["poll"]["own_votes"]) == (True, [])
    seen = await world.client.check(POLL, None, id=made["poll"]["id"])
    assert "voted" not in seen


@story("statuses", "polls")
async def test_votes(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    made = await make_poll(world, alice)
    poll_id = made["poll"]["id"]
    voted = await world.client.check(VOTE, bob, id=poll_id, form={"choices": [1]})
    assert (voted["voted"], voted["own_votes"]) == (True, [1])
    assert (voted["votes_count"], voted["voters_count"]) == (1, 1)
    assert [one["votes_count"] for one in voted["options"]] == [0, 1, 0]
    shown = await world.client.check("GET /api/v1/statuses/:id", carol, id=made["id"])
    assert [one["votes_count"] for one in shown["poll"]["options"]] == [0, 1, 0]
    assert shown["poll"]["voted"] is False
    for who, choices in (
        (bob, [0]),
        (alice, [0]),
        (carol, [3]),
        (carol, [-1]),
        (carol, [0, 1]),
        (carol, []),
        (carol, ["x"]),
    ):
        answer = await world.client.post(f"/api/v1/polls/{poll_id}/votes", who, json={"choices": choices})
        assert answer.status == 422, (choices, answer.body)
    await world.client.check(VOTE, carol, id=poll_id, json={"choices": ["1", 1]})
    assert (await world.client.check(POLL, None, id=poll_id))["votes_count"] == 2


@story("statuses", "polls")
async def test_several_choices(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    poll_id = (await make_poll(world, alice, multiple=True))["poll"]["id"]
    voted = await world.client.check(VOTE, bob, id=poll_id, json={"choices": [0, 2]})
    assert (voted["own_votes"], voted["votes_count"], voted["voters_count"]) == ([0, 2], 2, 1)
    assert (await world.client.post(f"/api/v1/polls/{poll_id}/votes", bob, json={"choices": [2]})).status == 422
    voted = await world.client.check(VOTE, bob, id=poll_id, json={"choices": [1]})
    assert (voted["own_votes"], voted["votes_count"], voted["voters_count"]) == ([0, 1, 2], 3, 1)


@story("statuses", "polls")
async def test_hidden_totals_show_in_the_end(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    poll_id = (await make_poll(world, alice, hide_totals=True))["poll"]["id"]
    voted = await world.client.check(VOTE, bob, id=poll_id, json={"choices": [0]})
    assert [one["votes_count"] for one in voted["options"]] == [None, None, None]
    await world.execute("UPDATE polls SET expires_at = 1")
    ended = await world.client.check(POLL, bob, id=poll_id)
    assert ended["expired"] is True
    assert [one["votes_count"] for one in ended["options"]] == [1, 0, 0]
    carol = await world.account("carol")
    assert (await world.client.post(f"/api/v1/polls/{poll_id}/votes", carol, json={"choices": [0]})).status == 422


@story("statuses", "polls")
async def test_who_may_see_and_vote(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await world.client.check(
        POST, alice, json={"status": "?", "visibility": "private", "poll": {"options": ["a", "b"], "expires_in": 600}}
    )
    path = f"/api/v1/polls/{made['poll']['id']}"
    assert (await world.client.get(path, bob)).status == 404
    assert (await world.client.post(f"{path}/votes", bob, json={"choices": [0]})).status == 404
    assert (await world.client.get(path, alice)).status == 200
    assert (await world.client.get("/api/v1/polls/1", alice)).status == 404
    open_to_all = (await make_poll(world, alice))["poll"]["id"]
    await world.write(lambda session: block(session, bob.id, alice.id))
    answer = await world.client.post(f"/api/v1/polls/{open_to_all}/votes", bob, json={"choices": [0]})
    assert answer.status == 403


@story("statuses", "polls")
async def test_edited_answers_void_the_votes(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    made = await make_poll(world, alice)
    path, poll_id = f"/api/v1/statuses/{made['id']}", made["poll"]["id"]
    await world.client.check(VOTE, bob, id=poll_id, json={"choices": [0]})
    poll = {"options": ["tea", "coffee", "water"], "expires_in": 1200}
    kept = (await world.client.put(path, alice, json={"status": "Drink?", "poll": poll})).json
    assert (kept["edited_at"], kept["poll"]["votes_count"]) == (None, 1)
    assert kept["poll"]["expires_at"] > made["poll"]["expires_at"]
    poll["options"] = ["tea", "juice"]
    changed = (await world.client.put(path, alice, json={"status": "Drink?", "poll": poll})).json
    assert changed["edited_at"] is not None
    assert (changed["poll"]["id"], changed["poll"]["votes_count"], changed["poll"]["voters_count"]) == (poll_id, 0, 0)
    await world.client.check(VOTE, bob, id=poll_id, json={"choices": [1]})
    without = (await world.client.put(path, alice, json={"status": "No drink"})).json
    assert without["poll"] is None
    assert (await world.client.get(f"/api/v1/polls/{poll_id}", bob)).status == 404
    versions = (await world.client.get(f"{path}/history")).json
    assert_returns("GET /api/v1/statuses/:id/history", versions)
    assert [[option["title"] for option in one["poll"]["options"]] for one in versions[:2]] == [
        ["tea", "coffee", "water"],
        ["tea", "juice"],
    ]


@story("statuses", "polls")
async def test_emoji(world: World) -> None:
    """A status and its poll show the emoji they use, of the author's own server."""
    alice = await world.account("alice")
    for number, (domain, name) in enumerate((("", "tea"), ("", "cup"), ("elsewhere.example", "tea"))):
        await world.execute(
            "INSERT INTO custom_emojis (id, shortcode, domain, url, static_url, created_at)"
            " VALUES (:id, :name, :domain, :url, :url, 1)",
            id=number + 1,
            name=name,
            domain=domain,
            url=f"https://{domain or 'here.example'}/{name}.png",
        )
    poll = {"options": [":tea:", "none"], "expires_in": 600}
    made = await world.client.check(POST, alice, json={"status": "A :cup: of", "poll": poll})
    assert sorted(one["shortcode"] for one in made["emojis"]) == ["cup", "tea"]
    assert [one["url"] for one in made["poll"]["emojis"]] == ["https://here.example/tea.png"]
    assert (await world.client.check(POLL, None, id=made["poll"]["id"]))["emojis"] == made["poll"]["emojis"]
    dora = await world.account("dora", domain="elsewhere.example")
    draft = StatusDraft(
        dora.id, "<p>:tea: :cup:</p>", emojis=["tea", "cup"], local=False, uri="https://elsewhere.example/1"
    )
    status_id = await world.write(lambda session: create_status(session, draft))
    shown = await world.client.check("GET /api/v1/statuses/:id", None, id=status_id)
    assert [one["url"] for one in shown["emojis"]] == ["https://elsewhere.example/tea.png"]
