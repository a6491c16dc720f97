"""What is taken back by nothing but its id, moves that come too often, and who may follow the server itself."""

import pytest

from phiomia.domain.accounts.move_away import move_away
from phiomia.domain.errors import Invalid
from phiomia.domain.peers.relays import add_relay
from phiomia.federation.inbox.context import Result
from phiomia.federation.outbox.relays import AnswerRelay
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.json import encode
from world import BASE, World, story

from .far import HOST, activity, ours
from .test_activities import PROCESSED, REJECTED, assert_result, begin, post


@story("statuses", "timelines", effects=True)
async def test_a_like_is_taken_back_by_its_id(world: World) -> None:
    far, alice, dora = await begin(world)
    eve = await far.actor("eve")
    own = await post(world, alice)
    like = activity("Like", dora, ours("alice", own), content="🌿")
    assert_result(await far.receive(like, dora), PROCESSED)
    assert_result(await far.receive(activity("Like", eve, ours("alice", own)), eve), PROCESSED)
    by_eve = activity("Undo", eve, like["id"])
    assert (await far.receive(by_eve, eve)).result == Result.IGNORED
    assert_result(await far.receive(activity("Undo", dora, like["id"], 2), dora), PROCESSED)
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=own)
    assert shown["favourites_count"] == 1
    assert await world.value("SELECT account_id FROM favourites") == eve.id


@story("statuses", "timelines", effects=True)
async def test_a_boost_is_taken_back_by_its_id(world: World) -> None:
    far, alice, dora = await begin(world)
    own = await post(world, alice)
    boost = activity("Announce", dora, ours("alice", own))
    assert_result(await far.receive(boost, dora), PROCESSED)
    assert_result(await far.receive(activity("Undo", dora, boost["id"]), dora), PROCESSED)
    assert (await world.client.check("GET /api/v1/statuses/:id", alice, id=own))["reblogs_count"] == 0


@story("statuses", "timelines", effects=True)
async def test_reactions_are_no_favourites(world: World) -> None:
    far, alice, dora = await begin(world)
    own = await post(world, alice)
    reaction = activity("EmojiReact", dora, ours("alice", own), content="🔥")
    assert (await far.receive(reaction, dora)).result == Result.IGNORED
    assert (await far.receive(activity("Undo", dora, reaction["id"]), dora)).result == Result.IGNORED
    assert (await world.client.check("GET /api/v1/statuses/:id", alice, id=own))["favourites_count"] == 0


@story("accounts", effects=True)
async def test_nobody_moves_twice_a_week(world: World) -> None:
    far, alice, dora = await begin(world)
    homes = [await far.actor("dora", host, alsoKnownAs=dora.uri) for host in ("one.example", "two.example")]
    moves = [activity("Move", dora, dora.uri, number, target=home.uri) for number, home in enumerate(homes)]
    assert_result(await far.receive(moves[0], dora), PROCESSED)
    assert_result(await far.receive(moves[1], dora), REJECTED, "some days ago")
    assert await world.value("SELECT moved_to_id FROM accounts WHERE id = :id", id=dora.id) == homes[0].id
    await world.execute("UPDATE accounts SET moved_at = :at WHERE id = :id", at=now_ms() - 8 * DAY, id=dora.id)
    assert_result(await far.receive(moves[1], dora), PROCESSED)
    for home in homes:
        names = encode([ours("alice")])
        await world.execute("UPDATE accounts SET also_known_as = :names WHERE id = :id", names=names, id=home.id)
    await world.write(lambda session: move_away(session, alice.id, ours("alice"), homes[0].id))
    with pytest.raises(Invalid, match="once a week"):
        await world.write(lambda session: move_away(session, alice.id, ours("alice"), homes[1].id))
    assert await world.value("SELECT moved_to_id FROM accounts WHERE id = :id", id=alice.id) == homes[0].id


@story("accounts", effects=True)
async def test_only_relays_follow_the_server(world: World) -> None:
    far, _, dora = await begin(world)
    relay = await far.actor("relay", "relay.example")
    await world.write(lambda session: add_relay(session, relay.inbox_url, f"{BASE}/actor#relays/1", relay.uri))
    follow = activity("Follow", relay, f"{BASE}/actor")
    assert_result(await far.receive(follow, relay), PROCESSED)
    assert_result(await far.receive(activity("Follow", dora, f"{BASE}/actor"), dora), REJECTED, "can't be followed")
    sent = await far.jobs(AnswerRelay)
    assert sent == [
        AnswerRelay(relay.inbox_url, follow["id"], relay.uri, accepted=True),
        AnswerRelay(f"https://{HOST}/users/dora/inbox", f"{dora.uri}/Follow/1", dora.uri, accepted=False),
    ]
