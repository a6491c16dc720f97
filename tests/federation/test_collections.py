"""Collections of accounts across servers: whom a member recommends elsewhere, and who elsewhere recommends members."""

from typing import Any

from phiomia.domain.collections.edit import CollectionDraft, create_collection
from phiomia.domain.collections.fill import revoke_item
from phiomia.domain.collections.item_state import ItemState
from phiomia.federation.outbox.collections import AskToFeature, SendFeatureAnswer, SendItem, TakeFeatureBack
from world import BASE, Account, World, make_account, story

from .far import activity, ours
from .published import Site, publishing
from .receiving import Here, receiving
from .test_activities import IGNORED, PROCESSED, REJECTED, assert_result, begin

MODULES = ("collections", "accounts")


async def _discoverable(world: World, *who: Account) -> None:
    for one in who:
        await world.execute("UPDATE accounts SET discoverable = true, rev = rev + 1 WHERE id = :id", id=one.id)


def _willing(groups: list[str]) -> dict[str, Any]:
    return {"interactionPolicy": {"canFeature": {"automaticApproval": groups}}}


async def _make(world: World, owner: Account, *account_ids: int) -> int:
    draft = CollectionDraft("Moss people", "They know", "en", discoverable=True, tag_name="Moss")
    made = await world.write(lambda session: create_collection(session, owner.id, draft, account_ids))
    return int(made)


async def _item(world: World, collection_id: int) -> tuple[int, int]:
    sql = "SELECT {} FROM collection_items WHERE collection_id = :id"
    found = [await world.value(sql.format(name), id=collection_id) for name in ("id", "state")]
    return found[0], found[1]


@story(*MODULES, effects=True)
async def test_who_lives_elsewhere_is_asked(world: World) -> None:
    far, alice, _ = await begin(world)
    public = "https://www.w3.org/ns/activitystreams#Public"
    eve = await far.actor("eve", **_willing([public]))
    shy = await far.actor("shy", **_willing(["https://far.example/users/shy"]))
    told = {one.uri: await world.client.check("GET /api/v1/accounts/:id", None, id=one.id) for one in (eve, shy)}
    assert told[eve.uri]["feature_approval"] == {"automatic": ["public"], "manual": [], "current_user": "automatic"}
    assert told[shy.uri]["feature_approval"]["current_user"] == "missing"
    collection_id = await _make(world, alice, eve.id)
    refused = await world.client.post(f"/api/v1/collections/{collection_id}/items", alice, form={"account_id": shy.id})
    assert refused.status == 403
    item_id, state = await _item(world, collection_id)
    assert state == ItemState.PENDING
    assert await far.jobs(AskToFeature) == [AskToFeature(item_id)]
    request = ours("alice") + f"/feature_requests/{item_id}"
    proof = f"{eve.uri}/stamps/1"
    answer = activity("Accept", eve, request, result=proof)
    assert_result(await far.receive({**answer, "actor": shy.uri, "id": f"{shy.uri}/1"}, shy), REJECTED, "somebody else")
    assert_result(await far.receive({**answer, "result": "https://evil.example/1"}, eve), REJECTED, "without a proof")
    assert_result(await far.receive({**answer, "object": f"{BASE}/users/bob/feature_requests/{item_id}"}, eve), IGNORED)
    assert_result(await far.receive(answer, eve), PROCESSED)
    assert (await _item(world, collection_id))[1] == ItemState.ACCEPTED
    assert await far.jobs(SendItem) == [SendItem(item_id, collection_id, alice.id, eve.id)]
    shown = await world.client.check("GET /api/v1/collections/:id", None, id=collection_id)
    assert [one["account_id"] for one in shown["collection"]["items"]] == [str(eve.id)]
    # Consent is taken back with its proof, for good.
    assert_result(await far.receive(activity("Delete", shy, proof, 2), shy), IGNORED)
    gone = activity("Delete", eve, {"id": proof, "type": "FeatureAuthorization"})
    assert_result(await far.receive(gone, eve), PROCESSED)
    assert (await _item(world, collection_id))[1] == ItemState.REVOKED
    assert (await far.jobs(SendItem))[-1] == SendItem(item_id, collection_id, alice.id, eve.id, gone=True)
    assert_result(await far.receive(answer, eve), IGNORED, "taken back")


@story(*MODULES, effects=True)
async def test_who_says_no_is_not_in_it(world: World) -> None:
    far, alice, _ = await begin(world)
    eve = await far.actor("eve", **_willing(["as:Public"]))
    collection_id = await _make(world, alice, eve.id)
    item_id, _ = await _item(world, collection_id)
    request = {"type": "FeatureRequest", "id": ours("alice") + f"/feature_requests/{item_id}", "object": eve.uri}
    assert_result(await far.receive(activity("Reject", eve, request), eve), PROCESSED)
    assert (await _item(world, collection_id))[1] == ItemState.REJECTED
    assert await far.jobs(SendItem) == []


def _foreign(owner: Any, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": f"{owner.uri}/collections/4",
        "type": "FeaturedCollection",
        "attributedTo": owner.uri,
        "name": "Moss people",
        "summaryMap": {"de": "<b>gut</b><script>x</script>"},
        "discoverable": True,
        "topic": {"type": "Hashtag", "name": "#Moss"},
        "totalItems": len(items),
        "orderedItems": list(items),
        **more,
    }


def _place(owner: Any, number: int, featured: str, proof: str = "") -> dict[str, Any]:
    item = {"id": f"{owner.uri}/collections/4/items/{number}", "type": "FeaturedItem", "featuredObject": featured}
    return item | ({"featureAuthorization": proof} if proof else {})


@receiving
async def test_a_collection_comes_with_those_who_agree(here: Here) -> None:
    peer, other = here.peer(), here.peer()
    lists: dict[str, Any] = {"featuredCollections": f"{peer.url}/collections"}
    nora = peer.add_actor("nora", **lists)
    eve, bob = other.add_actor("eve"), other.add_actor("bob")
    about = {"interactingObject": f"{nora.uri}/collections/4", "interactionTarget": eve.uri}
    stamp = {"id": f"{other.url}/stamps/1", "type": "FeatureAuthorization", **about}
    other.put(stamp)
    peer.put(stamp | {"id": f"{peer.url}/stamps/forged", "interactionTarget": bob.uri})
    places = [
        _place(nora, 1, eve.uri, stamp["id"]),
        _place(nora, 2, bob.uri, stamp["id"]),  # somebody else's consent
        _place(nora, 3, bob.uri, f"{peer.url}/stamps/forged"),  # of another server than bob's
        _place(nora, 4, f"{BASE}/users/me", f"{BASE}/users/me/feature_authorizations/1"),  # nobody was asked
    ]
    me = await here.world.account("me")
    collection = _foreign(nora, *places)
    peer.put({"id": f"{peer.url}/collections", "type": "Collection", "first": f"{peer.url}/collections?page=1"})
    peer.put({"id": f"{peer.url}/collections?page=1", "type": "CollectionPage", "items": [collection["id"]]})
    peer.put(collection)
    account = await here.exchange.resolver.account(nora.uri)
    await here.work()

    async def look() -> list[dict[str, Any]]:
        answer = await here.world.client.get(f"/api/v1/accounts/{account.id}/collections", me)
        shown: list[dict[str, Any]] = answer.json["collections"]
        return shown

    (shown,) = await look()
    assert (shown["name"], shown["description"], shown["language"]) == ("Moss people", "<b>gut</b>", "de")
    assert (shown["uri"], shown["tag"]["name"], shown["local"]) == (collection["id"], "Moss", False)
    assert shown["url"] == collection["id"], "apps need an address, and this one names no page"
    eve_id = await here.world.value("SELECT id FROM accounts WHERE username = 'eve'")
    assert [one["account_id"] for one in shown["items"]] == [str(eve_id)]
    await here.deliver(nora.sign_post(f"{BASE}/inbox", nora.activity("Update", _foreign(nora, name="Ferns"))))
    await here.work()
    (shown,) = await look()
    assert (shown["name"], shown["items"]) == ("Ferns", [])
    add = nora.activity("Add", places[0], target=collection["id"])
    await here.deliver(nora.sign_post(f"{BASE}/inbox", add))
    await here.work()
    assert len((await look())[0]["items"]) == 1
    drop = nora.activity("Remove", places[0]["id"], target=collection["id"])
    await here.deliver(nora.sign_post(f"{BASE}/inbox", drop))
    await here.work()
    assert (await look())[0]["items"] == []
    gone = nora.activity("Remove", collection["id"], target=f"{peer.url}/collections")
    mallory = peer.add_actor("mallory", **lists)
    stolen = mallory.activity("Remove", collection["id"], target=f"{peer.url}/collections")
    await here.deliver(mallory.sign_post(f"{BASE}/inbox", stolen))
    await here.work()
    assert len(await look()) == 1
    await here.deliver(nora.sign_post(f"{BASE}/inbox", gone))
    await here.work()
    assert await look() == []


@story(*MODULES, effects=True)
async def test_members_are_asked_by_the_rules_of_their_profile(world: World) -> None:
    far, alice, nora = await begin(world)
    collection = _foreign(nora)
    far.pages[collection["id"]] = collection
    request = activity("FeatureRequest", nora, ours("alice"), instrument=collection["id"])
    assert_result(await far.receive(request, nora), REJECTED, "does not want that")
    await _discoverable(world, alice)
    assert_result(await far.receive(request, nora), PROCESSED)
    (item_id, state), collection_id = await _item_of(world), await world.value("SELECT id FROM collections")
    assert state == ItemState.ACCEPTED
    answers = await far.jobs(SendFeatureAnswer)
    about = (request["id"], collection["id"], alice.id, nora.id)
    assert answers == [SendFeatureAnswer(*about), SendFeatureAnswer(*about, item_id)]
    eve = await far.actor("eve")
    stolen = activity("FeatureRequest", eve, ours("alice"), instrument=collection["id"])
    assert_result(await far.receive(stolen, eve), REJECTED, "somebody else")
    await world.write(lambda session: revoke_item(session, alice.id, collection_id, item_id))
    assert await far.jobs(TakeFeatureBack) == [TakeFeatureBack(item_id)]
    assert_result(await far.receive(request, nora), REJECTED, "does not want that")


async def _item_of(world: World) -> tuple[int, int]:
    return await _item(world, await world.value("SELECT collection_id FROM collection_items"))


@publishing()
async def test_what_is_published(site: Site) -> None:
    alice, bob = [await make_account(site.db, name) for name in ("alice", "bob")]
    await site.execute("UPDATE accounts SET discoverable = true, rev = rev + 1")
    await site.execute("UPDATE accounts SET locked = true, rev = rev + 1 WHERE id = :id", id=bob.id)
    uri = f"{BASE}/users/alice"
    actor = (await site.get("/users/alice")).document
    assert actor["featuredCollections"] == f"{uri}/featured_collections"
    public = "https://www.w3.org/ns/activitystreams#Public"
    assert actor["interactionPolicy"] == {"canFeature": {"automaticApproval": [public]}}
    locked = (await site.get("/users/bob")).document["interactionPolicy"]
    assert locked == {"canFeature": {"automaticApproval": [f"{BASE}/users/bob/followers"]}}
    draft = CollectionDraft("Moss people", "They know", "en", discoverable=True, tag_name="Moss")
    made = await site.db.write(lambda session: create_collection(session, alice.id, draft, [bob.id]))
    listed = (await site.get("/users/alice/featured_collections")).document
    (shown,) = listed["items"]
    assert (shown["id"], shown["type"]) == (f"{uri}/collections/{made}", "FeaturedCollection")
    assert (shown["summaryMap"], shown["topic"]["name"], shown["totalItems"]) == ({"en": "They know"}, "#Moss", 1)
    assert shown["url"] == f"{BASE}/collections/{made}"
    led = await site.get(shown["id"], accept="text/html")
    assert (led.status, led.headers["location"]) == (302, f"/collections/{made}")
    (item,) = (await site.get(shown["id"])).document["orderedItems"]
    assert (item["featuredObject"], item["type"]) == (f"{BASE}/users/bob", "FeaturedItem")
    assert (await site.get(item["id"])).document["id"] == item["id"]
    proof = (await site.get(item["featureAuthorization"])).document
    assert (proof["interactingObject"], proof["interactionTarget"]) == (shown["id"], f"{BASE}/users/bob")
    number = int(item["id"].rpartition("/")[2])
    assert (await site.get(f"/users/bob/collections/{made}")).status == 404
    assert (await site.get(f"/users/alice/feature_authorizations/{number}")).status == 404
    await site.db.write(lambda session: revoke_item(session, bob.id, made, number))
    for address in (item["id"], item["featureAuthorization"]):
        assert (await site.get(address)).status == 404
    assert (await site.get(shown["id"])).document["orderedItems"] == []
