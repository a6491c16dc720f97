"""What members are told of collections that people elsewhere put them into."""

from typing import Any

from phiomia.domain.collections.of_others import ForeignCollection, drop_foreign, drop_item, name_item, store_foreign
from world import World, story

from .far import activity, ours
from .test_activities import PROCESSED, assert_result, begin

MODULES = ("collections", "accounts", "notifications")
ADDED, UPDATED = "added_to_collection", "collection_update"


@story(*MODULES, effects=True)
async def test_members_hear_of_collections_elsewhere(world: World) -> None:
    far, alice, nora = await begin(world)
    await world.execute("UPDATE accounts SET discoverable = true, rev = rev + 1 WHERE id = :id", id=alice.id)
    uri = f"{nora.uri}/collections/4"
    far.pages[uri] = {
        "id": uri, "type": "FeaturedCollection", "attributedTo": nora.uri, "name": "Moss people",
        "summary": "green", "orderedItems": [], "totalItems": 0,
    }  # fmt: skip
    request = activity("FeatureRequest", nora, ours("alice"), instrument=uri)

    async def told(type_: str) -> list[Any]:
        found: list[Any] = await world.client.check("GET /api/v1/notifications", alice, query={"types": [type_]})
        return found

    for _ in range(2):
        assert_result(await far.receive(request, nora), PROCESSED)
    (one,) = await told(ADDED)
    assert (one["account"]["id"], one["collection"]["uri"]) == (str(nora.id), uri)
    assert [item["account_id"] for item in one["collection"]["items"]] == [str(alice.id)]
    assert await told(UPDATED) == []

    draft = ForeignCollection(uri, name="Moss people", description="<p>green</p>", updated_at=7)
    number = await world.write(lambda session: store_foreign(session, nora.id, draft))
    (first,) = await told(UPDATED)
    assert first["collection"]["description"] == "<p>green</p>"
    # The same once more, or in another language, is no news.
    again = ForeignCollection(uri, name="Moss people", description="<p>green</p>", language="de", updated_at=8)
    await world.write(lambda session: store_foreign(session, nora.id, again))
    assert [one["id"] for one in await told(UPDATED)] == [first["id"]]

    item_id = int(one["collection"]["items"][0]["id"])
    await world.write(lambda session: name_item(session, item_id, f"{uri}/items/1"))
    assert await world.write(lambda session: drop_item(session, number, f"{uri}/items/1"))
    assert await told(ADDED) == [] == await told(UPDATED)
    assert_result(await far.receive({**request, "id": f"{nora.uri}/asks/2"}, nora), PROCESSED)
    assert len(await told(ADDED)) == 1
    assert await world.write(lambda session: drop_foreign(session, nora.id, uri))
    assert await world.value("SELECT count(*) FROM notifications") == 0
