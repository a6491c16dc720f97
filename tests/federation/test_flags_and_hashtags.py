"""What other servers hear of reports and of the hashtags on profiles, and what they tell us of theirs."""

import json
from types import SimpleNamespace
from typing import Any

from phiomia.domain.statuses.featured_tags import feature_tag, list_featured_tags
from phiomia.federation.inbox.context import Activity, Result
from phiomia.federation.inbox.featured import handle_add, handle_remove
from phiomia.federation.outbox.featured import SendFeaturedTag, send_featured_tag
from phiomia.federation.outbox.flags import SendFlag, send_flag
from world import BASE, Account, World, story

THERE = "https://there.example"


class _Rules:
    async def refresh(self) -> None:
        """Nothing changes."""

    def blocks(self, _host: str) -> bool:
        return False


def _context(world: World) -> Any:
    outbox = SimpleNamespace(db=world.db, links=world.api.fragments.links, rules=_Rules())
    return SimpleNamespace(outbox=outbox)


async def _remote(world: World) -> Account:
    remote = await world.account("bob", domain="there.example")
    await world.execute("UPDATE accounts SET inbox_url = :url WHERE id = :id", url=f"{THERE}/inbox", id=remote.id)
    return remote


async def _sent(world: World) -> Any:
    return json.loads(bytes(await world.value("SELECT body FROM parcels")))


@story("reports", "statuses", effects=True)
async def test_a_forwarded_report_comes_from_the_server(world: World) -> None:
    alice, bob = await world.account("alice"), await _remote(world)
    form = {"account_id": bob.id, "comment": "rude", "forward": True}
    report = (await world.client.post("/api/v1/reports", alice, form=form)).json
    await send_flag(_context(world), SendFlag(int(report["id"]), ["there.example"]))
    document = await _sent(world)
    assert (document["type"], document["actor"], document["content"]) == ("Flag", f"{BASE}/actor", "rude")
    assert document["object"] == [f"{THERE}/users/bob"] and "alice" not in json.dumps(document)
    await send_flag(_context(world), SendFlag(1, ["there.example"]))


@story("statuses", effects=True)
async def test_followers_elsewhere_learn_of_hashtags(world: World) -> None:
    alice, bob = await world.account("alice"), await _remote(world)
    await world.execute(
        "INSERT INTO follows (id, account_id, target_id, created_at) VALUES (1, :bob, :alice, 1)",
        bob=bob.id, alice=alice.id,
    )  # fmt: skip
    await world.write(lambda session: feature_tag(session, alice.id, "Cats"))
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'outbox.send_featured_tag'") == 1
    await send_featured_tag(_context(world), SendFeaturedTag(alice.id, "cats", "Cats"))
    document = await _sent(world)
    assert (document["type"], document["target"]) == ("Add", f"{BASE}/users/alice/collections/featured")
    assert (document["object"]["type"], document["object"]["name"]) == ("Hashtag", "#Cats")


@story("statuses", effects=True)
async def test_hashtags_on_profiles_of_others(world: World) -> None:
    bob = await _remote(world)
    tags = f"{THERE}/users/bob/collections/tags"
    lists = {"featured_url": f"{THERE}/featured", "featured_tags_url": tags, "collections_url": ""}
    actor: Any = SimpleNamespace(id=bob.id, uri=f"{THERE}/users/bob", **lists)
    context: Any = SimpleNamespace(db=world.db)

    async def tell(kind: str, target: str) -> str:
        hashtag = {"type": "Hashtag", "name": "#Dogs", "href": f"{THERE}/tags/dogs"}
        activity = Activity(f"{THERE}/1", kind, actor, hashtag, {"target": target})
        return (await (handle_add if kind == "Add" else handle_remove)(context, activity)).result

    async def names() -> list[str]:
        async with world.db.read() as session:
            return [view.name for view in await list_featured_tags(session, bob.id)]

    assert await tell("Add", tags) == Result.PROCESSED and await names() == ["Dogs"]
    assert await world.value("SELECT count(*) FROM jobs WHERE type = 'outbox.send_featured_tag'") == 0
    assert await tell("Remove", f"{THERE}/elsewhere") == Result.IGNORED and await names() == ["Dogs"]
    assert await tell("Remove", tags) == Result.PROCESSED and await names() == []
