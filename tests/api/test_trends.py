"""What is talked about, whom to follow, and who wants to be found."""

from types import SimpleNamespace
from typing import Any

import msgspec

from contract import assert_returns
from phiomia.domain.relationships.block import block
from phiomia.domain.trends.kinds import TrendKind, Verdict
from phiomia.domain.trends.rank import RankTrends, run_rank_trends
from phiomia.domain.trends.review import review_trend
from world import Account, World, story

MODULES = ("trends", "suggestions", "statuses", "accounts")


async def _post(world: World, who: Account, text: str, **more: Any) -> str:
    answer = await world.client.post("/api/v1/statuses", who, form={"status": text, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


async def _people(world: World, *names: str) -> list[Account]:
    people = [await world.account(name) for name in names]
    await world.execute("UPDATE accounts SET discoverable = true")
    return people


async def _rank(world: World) -> None:
    await run_rank_trends(SimpleNamespace(db=world.db), RankTrends())


@story(*MODULES, effects=True)
async def test_hashtags(world: World) -> None:
    alice, bob, carol = await _people(world, "alice", "bob", "carol")
    for who in (alice, bob, carol):
        await _post(world, who, "#everybody")
    for who in (alice, bob):
        await _post(world, who, "#both")
    for _ in range(3):
        await _post(world, alice, "#alone")
    assert await world.client.check("GET /api/v1/trends/tags") == []
    await _rank(world)
    shown = await world.client.check("GET /api/v1/trends/tags")
    assert [tag["name"] for tag in shown] == ["everybody", "both"]
    assert shown[0]["history"][0]["accounts"] == "3" and "following" not in shown[0]
    assert (await world.client.get("/api/v1/trends", alice)).json[0]["following"] is False
    first = await world.client.get("/api/v1/trends/tags", limit=1)
    second = await world.client.get("/api/v1/trends/tags", **first.links["next"])
    assert [tag["name"] for tag in second.json] == ["both"]
    number = int(shown[0]["id"])
    await world.write(lambda session: review_trend(session, TrendKind.TAG, number, Verdict.REJECTED))
    assert [tag["name"] for tag in (await world.client.get("/api/v1/trends/tags")).json] == ["both"]
    await world.write(lambda session: review_trend(session, TrendKind.TAG, number, Verdict.ALLOWED))
    instance = msgspec.structs.replace(world.api.config.instance, review_trends=True)
    world.api.config = msgspec.structs.replace(world.api.config, instance=instance)
    assert [tag["name"] for tag in (await world.client.get("/api/v1/trends/tags")).json] == ["everybody"]


@story(*MODULES, effects=True)
async def test_posts(world: World) -> None:
    alice, bob, carol = await _people(world, "alice", "bob", "carol")
    liked, other, hidden = [await _post(world, alice, text) for text in ("liked", "other", "hidden")]
    answer = await _post(world, alice, "@bob answer", in_reply_to_id=await _post(world, bob, "x"))
    await _post(world, bob, "y")
    for who in (bob, carol):
        for status in (liked, answer):
            assert (await world.client.post(f"/api/v1/statuses/{status}/favourite", who)).status == 200
    await world.client.post(f"/api/v1/statuses/{other}/favourite", bob)
    await world.execute("UPDATE statuses SET favourites_count = 9, sensitive = true WHERE id = :id", id=int(hidden))
    await _rank(world)
    shown = await world.client.check("GET /api/v1/trends/statuses")
    assert [status["id"] for status in shown] == [liked]
    assert (await world.client.get("/api/v1/trends/statuses", bob)).json[0]["favourited"] is True
    await world.write(lambda session: block(session, carol.id, alice.id))
    assert (await world.client.get("/api/v1/trends/statuses", carol)).json == []


@story(*MODULES, effects=True)
async def test_links(world: World) -> None:
    alice, bob = await _people(world, "alice", "bob")
    await world.execute(
        "INSERT INTO cards (id, url, state, title, created_at) VALUES (7, 'https://news.example/a', 1, 'News', 1)"
    )
    for who in (alice, bob):
        number = int(await _post(world, who, "https://news.example/a"))
        await world.execute("UPDATE statuses SET card_id = 7 WHERE id = :id", id=number)
    await _rank(world)
    shown = await world.client.check("GET /api/v1/trends/links")
    assert (shown[0]["title"], shown[0]["history"][0]["accounts"]) == ("News", "2")
    assert (shown[0]["authors"], "missing_attribution" in shown[0]) == ([], False)
    # The page names alice, whose profile does not name it: only she is told. Then it does.
    await world.execute("UPDATE cards SET claimed_author_id = :id WHERE id = 7", id=alice.id)
    for viewer, told in ((alice, True), (bob, False), (None, None)):
        (one,) = await world.client.check("GET /api/v1/trends/links", viewer)
        assert (one.get("missing_attribution"), one["authors"]) == (told, [])
    await world.execute("UPDATE cards SET claimed_author_id = NULL, author_id = :id WHERE id = 7", id=alice.id)
    for viewer, told in ((alice, False), (None, None)):
        (one,) = await world.client.check("GET /api/v1/trends/links", viewer)
        assert (one.get("missing_attribution"), one["authors"][0]["account"]["id"]) == (told, str(alice.id))


@story(*MODULES, effects=True)
async def test_suggestions(world: World) -> None:
    alice, bob, carol, dora = await _people(world, "alice", "bob", "carol", "dora")
    eve = await world.account("eve")
    for who, whom in ((alice, bob), (bob, carol), (bob, eve), (carol, dora), (bob, dora), (carol, alice)):
        assert (await world.client.post(f"/api/v1/accounts/{whom.id}/follow", who, form={})).status == 200
    found = await world.client.check("GET /api/v2/suggestions", alice)
    assert [one["account"]["id"] for one in found] == [str(dora.id), str(carol.id)]
    assert (found[0]["source"], found[0]["sources"]) == ("past_interactions", ["friends_of_friends", "most_followed"])
    assert (await world.client.check("GET /api/v1/suggestions", alice))[0]["id"] == str(dora.id)
    first = await world.client.get("/api/v2/suggestions", alice, limit=1)
    rest = await world.client.get("/api/v2/suggestions", alice, **first.links["next"])
    assert [one["account"]["id"] for one in rest.json] == [str(carol.id)]
    assert (await world.client.delete(f"/api/v1/suggestions/{dora.id}", alice)).json == {}
    assert (await world.client.get("/api/v1/suggestions", alice)).ids == [str(carol.id)]
    await world.execute("UPDATE accounts SET hide_collections = true WHERE id = :id", id=bob.id)
    (one,) = await world.client.check("GET /api/v2/suggestions", alice)
    assert (one["account"]["id"], one["sources"]) == (str(carol.id), ["most_followed"])
    await world.write(lambda session: block(session, carol.id, alice.id))
    assert (await world.client.check("GET /api/v2/suggestions", alice)) == []
    assert (await world.client.delete("/api/v1/suggestions/1", alice)).status == 404
    assert (await world.client.get("/api/v2/suggestions")).status == 401


@story(*MODULES, effects=True)
async def test_the_directory(world: World) -> None:
    alice, bob = await _people(world, "alice", "bob")
    remote = await world.account("remote", domain="there.example")
    await world.execute("UPDATE accounts SET discoverable = true")
    hidden = await world.account("hidden")
    await _post(world, alice, "active")
    everybody = await world.client.check("GET /api/v1/directory")
    assert [one["id"] for one in everybody] == [str(alice.id), str(remote.id), str(bob.id)]
    newest = await world.client.get("/api/v1/directory", order="new", local=True)
    assert newest.ids == [str(bob.id), str(alice.id)]
    assert_returns("GET /api/v1/directory", newest.json)
    assert str(hidden.id) not in newest.ids
    await world.write(lambda session: block(session, hidden.id, alice.id))
    assert (await world.client.get("/api/v1/directory", hidden, local=True)).ids == [str(bob.id)]
    assert (await world.client.get("/api/v1/directory", offset=1, limit=1)).ids == [str(remote.id)]
    assert (await world.client.get("/api/v1/directory", order="odd")).status == 422
