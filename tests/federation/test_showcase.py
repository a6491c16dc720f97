"""What people elsewhere show, and how their polls stand: asked for when somebody here looks."""

from typing import Any

from phiomia.federation.jobs import RefreshAccount
from phiomia.federation.lookup import ExchangeLookup
from phiomia.platform.clock import MINUTE, iso, now_ms
from phiomia.platform.jobs import defer

from .receiving import Here, receiving


async def _pinned(here: Here, account_id: int) -> list[str]:
    path = "GET /api/v1/accounts/:id/statuses"
    shown = await here.world.client.check(path, None, id=account_id, query={"pinned": "true"})
    return [one["content"] for one in shown]


async def _tags(here: Here, account_id: int) -> list[str]:
    shown = await here.world.client.check("GET /api/v1/accounts/:id/featured_tags", None, id=account_id)
    return sorted(one["name"] for one in shown)


@receiving
async def test_pins_and_hashtags_come_with_the_profile(here: Here) -> None:
    peer = here.peer()
    lists: dict[str, Any] = {"featured": f"{peer.url}/pins", "featuredTags": f"{peer.url}/tags"}
    alice, eve = peer.add_actor("alice", **lists), peer.add_actor("eve")
    whole, named, of_eve = alice.note("<p>One</p>"), alice.note("<p>Two</p>"), eve.note("<p>Not hers</p>")
    for note in (named, of_eve):
        peer.put(note)
    pins: dict[str, Any] = {"id": f"{peer.url}/pins", "type": "OrderedCollection"}
    peer.put(pins | {"orderedItems": [whole, named["id"], of_eve["id"], f"{peer.url}/gone"]})
    tags = [{"type": "Hashtag", "name": "#Moss"}, {"type": "Hashtag", "name": "fern"}, {"type": "Note"}]
    peer.put({"id": f"{peer.url}/tags", "type": "Collection", "items": tags})
    account = await here.exchange.resolver.account(alice.uri)
    await here.work()
    assert await _pinned(here, account.id) == ["<p>One</p>", "<p>Two</p>"]
    assert await _tags(here, account.id) == ["Moss", "fern"]
    # An empty list is an answer, none at all is not.
    del peer.documents["/tags"]
    peer.put({"id": f"{peer.url}/pins?page=1", "type": "OrderedCollectionPage", "orderedItems": [named["id"]]})
    peer.put(pins | {"first": f"{peer.url}/pins?page=1"})
    await here.world.write(lambda session: defer(session, RefreshAccount(account.id)))
    await here.work()
    assert await _pinned(here, account.id) == ["<p>Two</p>"]
    assert await _tags(here, account.id) == ["Moss", "fern"]


@receiving
async def test_a_poll_is_asked_for_again_when_somebody_looks(here: Here) -> None:
    peer = here.peer()
    alice = peer.add_actor("alice")

    def poll(votes: int) -> dict[str, Any]:
        options = [{"type": "Note", "name": name, "replies": {"totalItems": votes}} for name in ("this", "that")]
        return {"type": "Question", "oneOf": options, "votersCount": votes * 2, "endTime": iso(now_ms() + 60 * MINUTE)}

    question = alice.note("<p>Which?</p>") | poll(1)
    peer.put(question)
    me = await here.world.account("me")
    here.world.api.lookup = ExchangeLookup(here.exchange)
    status_id = await here.exchange.resolver.status(question["id"])
    poll_id = await here.world.value("SELECT id FROM polls WHERE status_id = :id", id=status_id)

    async def look(who: Any) -> list[int]:
        shown = await here.world.client.check("GET /api/v1/polls/:id", who, id=poll_id)
        return [option["votes_count"] for option in shown["options"]]

    peer.put(question | poll(5))
    assert await look(me) == [1, 1]  # asked for a moment ago
    await here.world.execute("UPDATE polls SET fetched_at = fetched_at - 61000 WHERE id = :id", id=poll_id)
    assert await look(None) == [1, 1]
    assert await look(me) == [5, 5]
    # The last word was asked for after the end.
    await here.world.execute("UPDATE polls SET expires_at = 5, fetched_at = 6 WHERE id = :id", id=poll_id)
    peer.put(question | poll(7))
    assert await look(me) == [5, 5]
    # A server that is away costs nothing but time.
    del peer.documents[question["id"].removeprefix(peer.url)]
    await here.world.execute("UPDATE polls SET expires_at = NULL, fetched_at = 6 WHERE id = :id", id=poll_id)
    assert await look(me) == [5, 5]
