"""Apps whose streams have ended ask again and again whether there is anything new; that must cost next to nothing."""

from __future__ import annotations

from world import World, story

from .test_statement_counts import Counter


@story("accounts", "statuses", "timelines", effects=True)
async def test_asking_for_what_is_new_looks_no_further_back_than_the_feed(world: World) -> None:
    alice = await world.account("alice")
    ids = []
    for number in range(3):
        posted = await world.client.post("/api/v1/statuses", alice, form={"status": f"number {number}"})
        ids.append(posted.json["id"])
    get = world.client.get
    assert (await get("/api/v1/timelines/home", alice, since_id=ids[0])).ids == [ids[2], ids[1]]
    counter = Counter(world)
    counted = []
    for query in ({"since_id": ids[-1]}, {"since_id": ids[-1], "limit": 40}, {}):
        counter.statements = 0
        answer = await get("/api/v1/timelines/home", alice, **query)
        counted.append((len(answer.ids), counter.statements))
    polled, longer, page = counted
    # The feed, and where it ends; a page that is not full looks for what lies beyond.
    assert polled == longer == (0, 2)
    assert page[0] == 3 and page[1] > polled[1]
