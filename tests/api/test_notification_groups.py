"""Grouped notifications over the API."""

from typing import Any

from contract import assert_returns
from world import Account, World, story

MODULES = ("accounts", "statuses", "notifications", "notification_groups", "markers")
PATH = "/api/v2/notifications"


async def _status(world: World, who: Account, text: str) -> str:
    answer = await world.client.post("/api/v1/statuses", who, form={"status": text})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def _favourite(world: World, status_id: str, *people: Account) -> None:
    for who in people:
        assert (await world.client.post(f"/api/v1/statuses/{status_id}/favourite", who)).status == 200


async def _groups(world: World, who: Account, **query: Any) -> list[tuple[str, int]]:
    answer = await world.client.check(f"GET {PATH}", who, query=query)
    return [(group["type"], group["notifications_count"]) for group in answer["notification_groups"]]


async def _scene(world: World) -> tuple[Account, list[Account], list[str]]:
    """Alice has two statuses; three people favour the first, one the second, two follow her, one mentions her."""
    # All of it falls into one half day: else a group could be cut in two by the clock.
    alice = await world.account("alice")
    people = [await world.account(name) for name in ("bob", "carol", "dave")]
    ids = [await _status(world, alice, "one"), await _status(world, alice, "two")]
    await _favourite(world, ids[0], *people[:2])
    for who in people[:2]:
        await world.client.post(f"/api/v1/accounts/{alice.id}/follow", who)
    await _status(world, people[0], "hello @alice")
    await _favourite(world, ids[1], people[0])
    await _favourite(world, ids[0], people[2])
    await world.execute("UPDATE notifications SET group_key = 'follow-1' WHERE type = 'follow'")
    for status_id in ids:
        key = f"favourite-{status_id}-1"
        await world.execute(
            "UPDATE notifications SET group_key = :key WHERE status_id = :id", key=key, id=int(status_id)
        )
    return alice, people, ids


@story(*MODULES, effects=True)
async def test_groups_are_listed(world: World) -> None:
    alice, people, ids = await _scene(world)
    expected = [("favourite", 3), ("favourite", 1), ("mention", 1), ("follow", 2)]
    assert await _groups(world, alice) == expected
    answer = await world.client.check(f"GET {PATH}", alice)
    first = answer["notification_groups"][0]
    assert first["status_id"] == ids[0] and first["page_max_id"] == str(first["most_recent_notification_id"])
    for group in answer["notification_groups"]:
        newest = group["most_recent_notification_id"]
        assert isinstance(newest, int) and int(float(newest)) == newest, "apps get a number, which none must round"
    assert first["sample_account_ids"] == [str(who.id) for who in reversed(people)]
    assert {account["id"] for account in answer["accounts"]} == {str(who.id) for who in people}
    assert {*ids} < {status["id"] for status in answer["statuses"]}
    assert "partial_accounts" not in answer
    partial = await world.client.check(f"GET {PATH}", alice, query={"expand_accounts": "partial_avatars"})
    # Dave stands for the first group, Bob for the next two, Carol for the follows.
    assert len(partial["accounts"]) == 3 and partial["partial_accounts"] == []
    only = await world.client.check(
        f"GET {PATH}", alice, query={"expand_accounts": "partial_avatars", "types": ["favourite"]}
    )
    assert [account["acct"] for account in only["partial_accounts"]] == ["carol"]
    assert await _groups(world, alice, types=["follow", "mention"]) == [("mention", 1), ("follow", 2)]
    assert await _groups(world, alice, grouped_types=["follow"], exclude_types=["mention"]) == [
        ("favourite", 1), ("favourite", 1), ("follow", 2), ("favourite", 1), ("favourite", 1)
    ]  # fmt: skip
    assert await _groups(world, alice, account_id=people[2].id) == [("favourite", 1)]


@story(*MODULES, effects=True)
async def test_groups_come_in_pages(world: World) -> None:
    alice, _, _ = await _scene(world)
    first = await world.client.get(PATH, alice, limit=2)
    groups = first.json["notification_groups"]
    assert [group["notifications_count"] for group in groups] == [3, 1]
    second = await world.client.get(PATH, alice, **first.links["next"])
    assert [group["type"] for group in second.json["notification_groups"]] == ["mention", "follow"]
    oldest = second.json["notification_groups"][-1]["most_recent_notification_id"]
    # Upwards, the nearest come first; and a group that has grown is counted whole.
    up = await world.client.get(PATH, alice, min_id=oldest, limit=2)
    assert [group["type"] for group in up.json["notification_groups"]] == ["favourite", "mention"]
    since = await world.client.get(PATH, alice, since_id=groups[1]["most_recent_notification_id"])
    assert [(one["notifications_count"], one["page_min_id"]) for one in since.json["notification_groups"]] == [
        (3, groups[0]["page_max_id"])
    ]
    newest = groups[0]["most_recent_notification_id"]
    assert await _groups(world, alice, since_id=newest) == []


@story(*MODULES, effects=True)
async def test_one_group(world: World) -> None:
    alice, people, ids = await _scene(world)
    key = f"favourite-{ids[0]}-1"
    shown = await world.client.get(f"{PATH}/{key}", alice)
    assert_returns(f"GET {PATH}/:group_key", shown.json)
    (group,) = shown.json["notification_groups"]
    assert (group["group_key"], group["notifications_count"]) == (key, 3)
    accounts = await world.client.get(f"{PATH}/{key}/accounts", alice, limit=2)
    assert_returns(f"GET {PATH}/:group_key/accounts", accounts.json)
    assert accounts.ids == [str(people[2].id), str(people[1].id)]
    rest = await world.client.get(f"{PATH}/{key}/accounts", alice, **accounts.links["next"])
    assert rest.ids == [str(people[0].id)]
    assert (await world.client.get(f"{PATH}/{key}", people[0])).status == 404
    listed = (await world.client.get(PATH, alice, grouped_types=["follow"])).json["notification_groups"]
    single = listed[0]["group_key"]
    alone = (await world.client.get(f"{PATH}/{single}", alice)).json["notification_groups"]
    assert [one["notifications_count"] for one in alone] == [1]
    assert (await world.client.get(f"{PATH}/{single}/accounts", alice)).ids == [str(people[2].id)]
    for gone in (single, "follow-1"):
        assert (await world.client.post(f"{PATH}/{gone}/dismiss", alice)).json == {}
    assert await _groups(world, alice) == [("favourite", 1), ("mention", 1), ("favourite", 2)]
    assert (await world.client.post(f"{PATH}/clear", people[0])).json == {}
    assert len(await _groups(world, alice)) == 3
    assert (await world.client.post(f"{PATH}/clear", alice)).json == {}
    assert await _groups(world, alice) == []
    assert (await world.client.get(f"{PATH}/{key}", alice)).status == 404


@story(*MODULES, effects=True)
async def test_unread_groups_are_counted(world: World) -> None:
    alice, _, _ = await _scene(world)
    count = f"GET {PATH}/unread_count"
    assert await world.client.check(count, alice) == {"count": 4}
    assert await world.client.check(count, alice, query={"limit": 3}) == {"count": 3}
    assert await world.client.check(count, alice, query={"grouped_types": ["follow"]}) == {"count": 6}
    listed = (await world.client.get(PATH, alice)).json["notification_groups"]
    read = str(listed[2]["most_recent_notification_id"])
    marked = await world.client.post("/api/v1/markers", alice, json={"notifications": {"last_read_id": read}})
    assert marked.status == 200
    assert await world.client.check(count, alice) == {"count": 2}
