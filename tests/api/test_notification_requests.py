"""Whose notifications are taken, and those who wait to be let through."""

from types import SimpleNamespace
from typing import Any

from phiomia.domain.notifications.unfilter import Unfilter, run_unfilter
from phiomia.domain.users.roles import Role
from phiomia.domain.users.sign_up import SignUpForm, draft_by_operator, sign_up
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.events import read_stream
from world import Account, World, story

MODULES = (
    "accounts",
    "statuses",
    "notifications",
    "notification_groups",
    "notification_policy",
    "notification_requests",
)
POLICY = "/api/v2/notifications/policy"
REQUESTS = "/api/v1/notifications/requests"
USUAL = {
    "for_not_following": "accept",
    "for_not_followers": "accept",
    "for_new_accounts": "accept",
    "for_bots": "accept",
    "for_private_mentions": "filter",
    "for_limited_accounts": "filter",
}


async def _say(world: World, who: Account, text: str, **more: Any) -> str:
    answer = await world.client.post("/api/v1/statuses", who, form={"status": text, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def _told(world: World, who: Account, **query: Any) -> list[str]:
    return [one["type"] for one in (await world.client.get("/api/v1/notifications", who, **query)).json]


async def _choose(world: World, who: Account, **answers: str) -> dict[str, Any]:
    changed: dict[str, Any] = await world.client.check(f"PATCH {POLICY}", who, form=answers)
    return changed


@story(*MODULES)
async def test_the_policy_is_kept(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    nothing = {"summary": {"pending_requests_count": 0, "pending_notifications_count": 0}}
    assert await world.client.check(f"GET {POLICY}", alice) == USUAL | nothing
    assert await _choose(world, alice, for_bots="drop") == USUAL | {"for_bots": "drop"} | nothing
    changed = await world.client.put(POLICY, alice, json={"for_not_following": "filter"})
    assert changed.json == USUAL | {"for_bots": "drop", "for_not_following": "filter"} | nothing
    assert await world.client.check(f"GET {POLICY}", bob) == USUAL | nothing
    old = await world.client.check("GET /api/v1/notifications/policy", alice)
    assert [name for name, waits in old.items() if waits is True] == [
        "filter_not_following", "filter_private_mentions", "filter_bots"
    ]  # fmt: skip
    form = {"filter_bots": "false", "filter_new_accounts": "true"}
    old = await world.client.check("PUT /api/v1/notifications/policy", alice, form=form)
    assert old["filter_new_accounts"] and not old["filter_bots"]
    assert (await world.client.request("PATCH", POLICY, alice, form={"for_bots": "sometimes"})).status == 422
    assert (await world.client.get(POLICY)).status == 401


@story(*MODULES, effects=True)
async def test_strangers_wait_until_they_are_let_through(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]
    await _choose(world, alice, for_not_following="filter")
    await world.client.post(f"/api/v1/accounts/{carol.id}/follow", alice)
    await _say(world, bob, "one @alice")
    last = await _say(world, bob, "two @alice")
    await _say(world, carol, "three @alice")
    mine = await _say(world, alice, "hello")
    await world.client.post(f"/api/v1/statuses/{mine}/favourite", bob)
    assert await _told(world, alice) == ["mention"]
    assert await _told(world, alice, include_filtered="true") == ["favourite", "mention", "mention", "mention"]
    all_of_it = (await world.client.get("/api/v1/notifications", alice, include_filtered="true")).json
    assert [one.get("filtered", False) for one in all_of_it] == [True, False, True, True]
    (waiting,) = await world.client.check(f"GET {REQUESTS}", alice)
    assert (waiting["account"]["acct"], waiting["notifications_count"], waiting["last_status"]["id"]) == (
        "bob", "2", last
    )  # fmt: skip
    assert await world.client.check(f"GET {REQUESTS}/:id", alice, id=waiting["id"]) == waiting
    assert (await world.client.get(f"{REQUESTS}/{waiting['id']}", carol)).status == 404
    assert (await world.client.get(f"{REQUESTS}/17", alice)).status == 404
    assert (await world.client.check(f"GET {POLICY}", alice))["summary"] == {
        "pending_requests_count": 1,
        "pending_notifications_count": 2,
    }
    for path in (f"{REQUESTS}/{waiting['id']}/accept", f"{REQUESTS}/{waiting['id']}/dismiss"):
        assert (await world.client.post(path, carol)).status == 404
    assert (await world.client.post(f"{REQUESTS}/{waiting['id']}/accept", alice)).json == {}
    assert await world.client.check(f"GET {REQUESTS}", alice) == []
    assert await world.client.check(f"GET {REQUESTS}/merged", alice) == {"merged": False}
    context: Any = SimpleNamespace(db=world.db)
    await run_unfilter(context, Unfilter(alice.id, bob.id))
    assert await world.client.check(f"GET {REQUESTS}/merged", alice) == {"merged": True}
    assert await _told(world, alice) == ["favourite", "mention", "mention", "mention"]
    async with world.db.read() as session:
        assert (await read_stream(session, 0))[-1].kind == "notifications_merged"
    await _say(world, bob, "four @alice")
    assert await _told(world, alice, limit=1) == ["mention"]
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'notifications.unfilter'") == 1


@story(*MODULES, effects=True)
async def test_requests_are_dismissed_and_paged(world: World) -> None:
    alice = await world.account("alice")
    people = [await world.account(name) for name in ("bob", "carol", "dave", "eve")]
    await _choose(world, alice, for_not_followers="filter")
    for who in people:
        await _say(world, who, "hello @alice")
    listed = await world.client.get(REQUESTS, alice, limit=2)
    assert [one["account"]["acct"] for one in listed.json] == ["eve", "dave"]
    rest = await world.client.get(REQUESTS, alice, **listed.links["next"])
    assert [one["account"]["acct"] for one in rest.json] == ["carol", "bob"]
    ids = listed.ids + rest.ids
    assert (await world.client.post(f"{REQUESTS}/{ids[0]}/dismiss", alice)).json == {}
    assert (await world.client.post(f"{REQUESTS}/dismiss", alice, form={"id": [ids[1], "99"]})).json == {}
    assert (await world.client.post(f"{REQUESTS}/accept", alice, json={"id": [ids[2]]})).json == {}
    assert (await world.client.get(REQUESTS, alice)).ids == [ids[3]]
    for verb in ("accept", "dismiss"):  # nobody named: nobody let through, nobody sent away
        assert (await world.client.post(f"{REQUESTS}/{verb}", alice)).json == {}
    assert (await world.client.get(REQUESTS, alice)).ids == [ids[3]]
    assert (await world.client.post(f"{REQUESTS}/dismiss", alice, form={"id": ["x"]})).status == 422
    assert len(await _told(world, alice, include_filtered="true")) == 2
    # A block takes what waits along.
    await world.client.post(f"/api/v1/accounts/{people[0].id}/block", alice)
    assert (await world.client.get(REQUESTS, alice)).ids == []
    # Who was sent away may knock again.
    await _say(world, people[3], "hello again @alice")
    assert [one["account"]["acct"] for one in (await world.client.get(REQUESTS, alice)).json] == ["eve"]


@story(*MODULES, effects=True)
async def test_each_group_of_senders(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    long_ago = now_ms() - 40 * DAY

    async def hears(**answers: str) -> tuple[int, int]:
        await _choose(world, alice, **dict.fromkeys(USUAL, "accept") | answers)
        await _say(world, bob, "hello @alice")
        found = (await world.client.get("/api/v1/notifications", alice, include_filtered="true")).json
        await world.execute("DELETE FROM notifications")
        return len([one for one in found if "filtered" not in one]), len(found)

    for name in ("for_not_following", "for_not_followers", "for_new_accounts"):
        assert await hears(**{name: "accept"}) == (1, 1), name
        assert await hears(**{name: "filter"}) == (0, 1), name
        assert await hears(**{name: "drop"}) == (0, 0), name
    assert await hears(for_bots="drop", for_limited_accounts="drop", for_private_mentions="drop") == (1, 1)
    await world.execute("UPDATE accounts SET bot = true, created_at = :at WHERE id = :id", id=bob.id, at=long_ago)
    assert await hears(for_new_accounts="drop") == (1, 1)
    assert await hears(for_bots="drop") == (0, 0)
    await world.execute("UPDATE accounts SET bot = false, state = 1 WHERE id = :id", id=bob.id)
    assert await hears(for_limited_accounts="filter") == (0, 1)
    await world.execute("UPDATE accounts SET state = 0 WHERE id = :id", id=bob.id)
    await world.client.post(f"/api/v1/accounts/{alice.id}/follow", bob)
    await world.execute("DELETE FROM notifications")
    assert await hears(for_not_followers="drop") == (0, 0), "a follower of today is none yet"
    await world.execute("UPDATE follows SET created_at = :at", at=long_ago)
    assert await hears(for_not_followers="drop") == (1, 1)
    await world.execute("UPDATE users SET role = 1 WHERE account_id = :id", id=bob.id)
    assert await hears(for_not_following="drop") == (1, 1), "those who run the server are heard"
    await world.execute("UPDATE users SET role = 0 WHERE account_id = :id", id=bob.id)
    await world.client.post(f"/api/v1/accounts/{bob.id}/follow", alice)
    assert await hears(for_not_following="drop", for_new_accounts="drop", for_bots="drop") == (1, 1)


@story(*MODULES, effects=True)
async def test_direct_mentions_that_nobody_asked_for(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    asked = await _say(world, alice, "@bob a question", visibility="direct")
    await _say(world, bob, "@alice an answer", visibility="direct", in_reply_to_id=asked)
    await _say(world, bob, "@alice an advertisement", visibility="direct")
    assert await _told(world, alice) == ["mention"]
    assert await _told(world, alice, include_filtered="true") == ["mention", "mention"]
    assert len((await world.client.get(REQUESTS, alice)).ids) == 1


@story(*MODULES, effects=True)
async def test_types_that_an_app_does_not_know_come_with_words(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    await world.execute("UPDATE accounts SET display_name = '<b>Bob' WHERE id = :id", id=bob.id)
    await _say(world, bob, "hello @alice")
    plain = await world.client.check("GET /api/v1/notifications", alice, query={"supported_types": ["mention"]})
    assert "fallback" not in plain[0]
    (told,) = await world.client.check("GET /api/v1/notifications", alice, query={"supported_types": ["follow"]})
    assert told["fallback"] == {"title": "&lt;b&gt;Bob mentioned you", "summary": "@bob"}
    path = f"/api/v1/notifications/{told['id']}"
    assert (await world.client.get(path, alice, supported_types=["poll"])).json == told
    grouped = await world.client.check("GET /api/v2/notifications", alice, query={"supported_types": ["follow"]})
    assert grouped["notification_groups"][0]["fallback"] == told["fallback"]


@story(*MODULES, effects=True)
async def test_those_who_run_the_server_hear_who_joins(world: World) -> None:
    alice, bob = await world.account("alice", role=1), await world.account("bob")
    form = SignUpForm("carol", "carol@mail.example", "correct horse battery")
    draft = await draft_by_operator(form, confirmed=True, role=Role.NONE)
    await world.write(lambda session: sign_up(session, draft))
    (told,) = await world.client.check("GET /api/v1/notifications", alice)
    assert (told["type"], told["account"]["acct"]) == ("admin.sign_up", "carol")
    assert await _told(world, bob) == []
