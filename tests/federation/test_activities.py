"""What activities of other servers do here: the same as if members had done it, or nothing."""

import random
from typing import Any

import msgspec

from phiomia.domain.moderation.domain_blocks import DomainBlock, block_domain
from phiomia.domain.peers.severity import Severity
from phiomia.domain.relationships.block import block
from phiomia.domain.statuses.boost import boost
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.replies import FindReplies
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.inbox.accounts import EraseAccount, MoveFollowers, run_erase_account, run_move_followers
from phiomia.federation.inbox.context import Outcome, Result
from phiomia.federation.inbox.dispatch import HANDLERS
from phiomia.federation.inbox.threads import FindMentions, FindParent, find_mentions, find_parent, find_replies
from phiomia.platform.clock import DAY, HOUR, iso, now_ms
from world import Account, World, story

from .far import Far, activity, actor_page, mention, note, ours

PROCESSED, IGNORED, REJECTED = Result.PROCESSED, Result.IGNORED, Result.REJECTED


async def post(world: World, who: Account, **more: Any) -> int:
    """A new status of a member."""
    draft = StatusDraft(who.id, "<p>Hi</p>", source="Hi", **more)
    return int(await world.write(lambda session: create_status(session, draft)))


async def begin(world: World) -> tuple[Far, Account, Any]:
    """Alice, a member, and Dora of another server."""
    far = Far(world)
    return far, await world.account("alice"), await far.actor()


def assert_result(outcome: Outcome, result: Result, words: str = "") -> None:
    """Fails unless it came to that, for a reason with these words."""
    assert outcome.result == result, outcome
    assert words in outcome.reason


@story("timelines", "notifications", "statuses", "search", effects=True)
async def test_a_mention_arrives(world: World) -> None:
    far, alice, dora = await begin(world)
    sent = note(dora, cc=[dora.followers_url, ours("alice")], tag=[mention("alice")], url="https://far.example/@dora/1")
    assert_result(await far.receive(activity("Create", dora, sent), dora), PROCESSED)
    (told,) = await world.client.check("GET /api/v1/notifications", alice)
    assert (told["type"], told["account"]["acct"]) == ("mention", "dora@far.example")
    status = told["status"]
    assert (status["uri"], status["url"]) == (sent["id"], "https://far.example/@dora/1")
    assert [one["acct"] for one in status["mentions"]] == ["alice"]
    (shown,) = await world.client.check("GET /api/v1/timelines/public", alice, query={"remote": "true"})
    assert shown["id"] == status["id"]
    assert await world.client.check("GET /api/v1/timelines/public", alice, query={"local": "true"}) == []
    assert_result(await far.receive(activity("Create", dora, sent), dora), IGNORED, "known already")


@story("timelines", effects=True)
async def test_only_what_concerns_somebody_here_is_kept(world: World) -> None:
    far, alice, dora = await begin(world)
    assert_result(await far.receive(activity("Create", dora, note(dora)), dora), IGNORED, "nobody here")
    own = await post(world, alice)
    answer = note(dora, 2, inReplyTo=ours("alice", own))
    assert_result(await far.receive(activity("Create", dora, answer), dora), PROCESSED)
    assert_result(await far.receive(activity("Create", dora, note(dora, 3)), dora, recipient=alice), PROCESSED)
    await far.befriend(alice, dora)
    assert_result(await far.receive(activity("Create", dora, note(dora, 4)), dora), PROCESSED)
    home = await world.client.check("GET /api/v1/timelines/home", alice)
    assert [one["uri"].rpartition("/")[2] for one in home] == ["4", "3", "2", str(own)]


@story("timelines", effects=True)
async def test_hashtags_and_relays_bring_posts(world: World) -> None:
    from phiomia.domain.tags.follow import follow_tag

    far, alice, dora = await begin(world)
    relay = await far.actor("relay", "relay.example")
    await world.execute(
        "INSERT INTO relays (id, inbox_url, state, actor_uri, created_at) VALUES (1, :inbox, 1, :uri, 1)",
        inbox=relay.inbox_url,
        uri=relay.uri,
    )
    sent = note(dora)
    assert_result(await far.receive(activity("Create", dora, sent), dora, sender="https://other.example/x"), IGNORED)
    assert_result(await far.receive(activity("Create", dora, sent), dora, sender=relay.uri), PROCESSED)
    far.pages[note(dora, 2)["id"]] = note(dora, 2)
    assert_result(await far.receive(activity("Announce", relay, note(dora, 2)["id"]), relay), PROCESSED)
    assert await world.value("SELECT count(*) FROM statuses WHERE reblog_of_id IS NOT NULL") == 0
    tagged = note(dora, 3, tag=[{"type": "Hashtag", "name": "#Moss"}])
    assert_result(await far.receive(activity("Create", dora, tagged), dora), IGNORED)
    await world.write(lambda session: follow_tag(session, alice.id, "moss"))
    assert_result(await far.receive(activity("Create", dora, tagged), dora), PROCESSED)


@story("notifications", "statuses", effects=True)
async def test_who_may_see_it(world: World) -> None:
    far, alice, dora = await begin(world)
    bob = await world.account("bob")
    direct = note(dora, 1, to=[ours("alice")], cc=[], tag=[mention("alice")])
    private = note(dora, 2, to=[dora.followers_url], cc=[ours("alice")], tag=[mention("bob")])
    unlisted = note(dora, 3, to=[dora.followers_url], cc=["as:Public"], tag=[mention("alice"), mention("bob")])
    silent = note(dora, 4, to=[ours("alice")], cc=[])
    for sent in (direct, private, unlisted, silent):
        outcome = await far.receive(activity("Create", dora, sent), dora, recipient=alice if sent is unlisted else None)
        assert_result(outcome, PROCESSED)
    stored = [await far.status(sent["id"]) for sent in (direct, private, unlisted, silent)]
    assert [one.visibility for one in stored if one] == [3, 2, 1, 3]
    seen = [
        (await world.client.get(f"/api/v1/statuses/{one.id}", who)).status
        for one in stored
        if one
        for who in (alice, bob)
    ]
    # Named, but not addressed: Bob may neither see the private one nor is he told of the unlisted one.
    assert seen == [200, 404, 200, 404, 200, 200, 200, 404]
    # Who writes to somebody for the first time, and to them alone, has to wait.
    told = await world.client.check("GET /api/v1/notifications", alice, query={"include_filtered": True})
    assert [one["type"] for one in told] == ["mention"]
    assert await world.client.check("GET /api/v1/notifications", bob) == []


@story("statuses", effects=True)
async def test_what_was_written_long_ago_is_no_news(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    then = now_ms() - 30 * DAY
    old = note(dora, 1, published=iso(then), cc=[ours("alice")], tag=[mention("alice")])
    ahead = note(dora, 2, published=iso(now_ms() + 30 * DAY))
    for sent in (old, ahead):
        assert_result(await far.receive(activity("Create", dora, sent), dora), PROCESSED)
    stored, future = await far.status(old["id"]), await far.status(ahead["id"])
    assert stored is not None and future is not None
    assert stored.id >> 16 // 1 and then <= stored.id >> 16 < then + 1_000
    assert future.created_at <= now_ms()
    assert await world.value("SELECT count(*) FROM notifications") == 0
    assert await world.value("SELECT count(*) FROM home_feed WHERE account_id = :id", id=alice.id) == 1


@story("statuses", effects=True)
async def test_media_emoji_and_polls_come_along(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    sent = note(
        dora,
        content="<p>:moss: <script>alert(1)</script></p>",
        attachment=[
            {"type": "Document", "mediaType": "image/png", "url": "https://far.example/1.png", "name": "Moss",
             "width": 40, "height": 20, "focalPoint": [0.5, -0.5], "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj"},
            {"type": "Video", "url": [{"type": "Link", "href": "https://far.example/2.mp4", "mediaType": "video/mp4"}],
             "icon": {"type": "Image", "url": "https://far.example/2.jpg"}},
        ],
        tag=[{"type": "Emoji", "name": ":moss:", "icon": {"type": "Image", "url": "https://far.example/moss.png"}}],
    )  # fmt: skip
    assert_result(await far.receive(activity("Create", dora, sent), dora), PROCESSED)
    stored = await far.status(sent["id"])
    assert stored is not None
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=stored.id)
    assert shown["content"] == "<p>:moss: </p>"
    assert [one["shortcode"] for one in shown["emojis"]] == ["moss"]
    picture, film = shown["media_attachments"]
    assert (picture["type"], picture["url"], picture["preview_url"]) == (
        "image", "https://far.example/1.png", "https://far.example/1.png",
    )  # fmt: skip
    assert picture["meta"]["focus"] == {"x": 0.5, "y": -0.5}
    assert (film["type"], film["url"], film["preview_url"]) == (
        "video", "https://far.example/2.mp4", "https://far.example/2.jpg",
    )  # fmt: skip
    options: list[Any] = [
        {"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": votes}}
        for name, votes in (("tea", 2), ("coffee", 1))
    ]
    question = note(dora, 2, type="Question", oneOf=options, endTime=iso(now_ms() + DAY), votersCount=3)
    assert_result(await far.receive(activity("Create", dora, question), dora), PROCESSED)
    options[0]["replies"]["totalItems"] = 5
    question["votersCount"] = 6
    assert_result(await far.receive(activity("Update", dora, question), dora), PROCESSED)
    polled = await far.status(question["id"])
    assert polled is not None
    poll = (await world.client.check("GET /api/v1/statuses/:id", alice, id=polled.id))["poll"]
    assert ([one["votes_count"] for one in poll["options"]], poll["voters_count"]) == ([5, 1], 6)


@story("statuses", "notifications", effects=True)
async def test_edits_have_a_history(world: World) -> None:
    far, alice, dora = await begin(world)
    eve = await far.actor("eve")
    sent = note(
        dora, cc=[ours("alice")], tag=[mention("alice")],
        attachment=[{"type": "Image", "url": "https://far.example/1.png"}, {"type": "Image", "url": "https://far.example/2.png"}],
    )  # fmt: skip
    await far.receive(activity("Create", dora, sent), dora)
    stored = await far.status(sent["id"])
    assert stored is not None
    first = sent | {
        "content": "<p>Better</p>",
        "updated": iso(now_ms() + 1_000 - 900),
        "attachment": [{"type": "Image", "url": "https://far.example/2.png", "name": "Two"}],
    }
    assert_result(await far.receive(activity("Update", eve, first), eve), REJECTED, "somebody else's")
    assert_result(await far.receive(activity("Update", dora, first), dora), PROCESSED)
    older = sent | {"content": "<p>Old</p>", "updated": iso(now_ms() - DAY)}
    assert_result(await far.receive(activity("Update", dora, older), dora), IGNORED, "newer")
    counted = first | {"content": "<p>Without a word</p>", "likes": {"totalItems": 7}}
    del counted["updated"]
    assert_result(await far.receive(activity("Update", dora, counted), dora), PROCESSED)
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=stored.id)
    assert (shown["content"], shown["favourites_count"]) == ("<p>Better</p>", 7)
    assert [(one["url"], one["description"]) for one in shown["media_attachments"]] == [
        ("https://far.example/2.png", "Two")
    ]
    history = await world.client.check("GET /api/v1/statuses/:id/history", alice, id=stored.id)
    assert [one["content"] for one in history] == ["<p>Note 1</p>", "<p>Better</p>"]


@story("statuses", effects=True)
async def test_what_is_deleted_stays_away(world: World) -> None:
    far, alice, dora = await begin(world)
    eve = await far.actor("eve")
    await far.befriend(alice, dora)
    sent, late = note(dora), note(dora, 2)
    await far.receive(activity("Create", dora, sent), dora)
    assert_result(await far.receive(activity("Delete", eve, sent["id"]), eve), REJECTED, "somebody else's")
    tombstone = {"type": "Tombstone", "id": sent["id"]}
    assert_result(await far.receive(activity("Delete", dora, tombstone), dora), PROCESSED)
    assert_result(await far.receive(activity("Delete", dora, late["id"]), dora), IGNORED)
    for one in (sent, late):
        assert_result(await far.receive(activity("Create", dora, one), dora), IGNORED, "deleted before")
        assert await far.status(one["id"]) is None
    foreign = await far.actor("mallory", "mallory.example")
    assert_result(await far.receive(activity("Delete", foreign, note(dora, 3)["id"]), foreign), REJECTED)
    assert_result(await far.receive(activity("Create", dora, note(dora, 3)), dora), PROCESSED)


@story("accounts", effects=True)
async def test_an_account_that_goes_takes_everything_along(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    own = await post(world, alice)
    await far.receive(activity("Create", dora, note(dora)), dora)
    await far.receive(activity("Like", dora, ours("alice", own)), dora)
    await far.receive(activity("Announce", dora, ours("alice", own)), dora)
    assert_result(await far.receive(activity("Delete", dora, dora.uri), dora), PROCESSED)
    await run_erase_account(world, EraseAccount(dora.id))
    assert await world.value("SELECT count(*) FROM accounts WHERE id = :id", id=dora.id) == 0
    assert await world.value("SELECT favourites_count + reblogs_count FROM statuses WHERE id = :id", id=own) == 0
    assert (await world.client.check("GET /api/v1/accounts/:id", alice, id=alice.id))["following_count"] == 0


@story("notifications", "statuses", effects=True)
async def test_boosts_and_favourites(world: World) -> None:
    far, alice, dora = await begin(world)
    own = ours("alice", await post(world, alice))
    like, share = activity("Like", dora, own), activity("Announce", dora, own, to=["Public"])
    for sent in (like, like, share, share):
        assert_result(await far.receive(sent, dora), PROCESSED)
    told = await world.client.check("GET /api/v1/notifications", alice)
    assert sorted(one["type"] for one in told) == ["favourite", "reblog"]
    status = told[0]["status"]
    assert (status["favourites_count"], status["reblogs_count"]) == (1, 1)
    assert_result(await far.receive(activity("Undo", dora, like), dora), PROCESSED)
    assert_result(await far.receive(activity("Undo", dora, share["id"]), dora), PROCESSED)
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=status["id"])
    assert (shown["favourites_count"], shown["reblogs_count"]) == (0, 0)
    assert_result(await far.receive(activity("Undo", dora, like), dora), IGNORED)
    # An Undo overtook what it undoes.
    early = activity("Like", dora, own, 2)
    assert_result(await far.receive(activity("Undo", dora, early["id"]), dora), IGNORED)
    assert_result(await far.receive(early, dora), IGNORED, "taken back")
    reaction = activity("EmojiReact", dora, own, content="🦔")
    assert_result(await far.receive(reaction, dora), IGNORED)


@story("timelines", effects=True)
async def test_boosts_of_what_others_wrote(world: World) -> None:
    far, alice, dora = await begin(world)
    eve = await far.actor("eve", "eve.example")
    far.pages[note(eve)["id"]] = note(eve)
    share = activity("Announce", dora, note(eve)["id"], to=["Public"])
    assert_result(await far.receive(share, dora), IGNORED, "nobody here follows")
    assert far.documents.asked.count(note(eve)["id"]) == 0
    await far.befriend(alice, dora)
    assert_result(await far.receive(share, dora), PROCESSED)
    (shown,) = await world.client.check("GET /api/v1/timelines/home", alice)
    assert shown["reblog"]["uri"] == note(eve)["id"]
    # What a group passes on of others' doings is told again as plain boosts.
    wrapped = activity("Announce", dora, activity("Like", eve, note(eve)["id"]), 2)
    assert_result(await far.receive(wrapped, dora), IGNORED)
    hidden = note(eve, 2, to=[eve.followers_url], cc=[])
    far.pages[hidden["id"]] = hidden
    assert_result(await far.receive(activity("Announce", dora, hidden["id"], 3), dora), REJECTED)


@story("follow_requests", "accounts", effects=True)
async def test_follows_and_their_answers(world: World) -> None:
    far, alice, dora = await begin(world)
    locked = await world.account("lucy", locked=True)
    wish = activity("Follow", dora, ours("alice"))
    for _ in range(2):
        assert_result(await far.receive(wish, dora), PROCESSED)
    assert await world.value("SELECT uri FROM follows WHERE account_id = :id", id=dora.id) == wish["id"]
    assert_result(await far.receive(activity("Undo", dora, wish), dora), PROCESSED)
    assert await world.value("SELECT count(*) FROM follows") == 0
    asked = activity("Follow", dora, {"id": ours("lucy"), "type": "Person"}, 2)
    assert_result(await far.receive(asked, dora), PROCESSED)
    assert [one["acct"] for one in await world.client.check("GET /api/v1/follow_requests", locked)] == [
        "dora@far.example"
    ]
    await world.write(lambda session: block(session, alice.id, dora.id))
    assert_result(await far.receive(activity("Follow", dora, ours("alice"), 3), dora), REJECTED, "blocked")
    assert_result(await far.receive(activity("Follow", dora, ours("nobody"), 4), dora), IGNORED)


@story("accounts", effects=True)
async def test_answers_to_our_follows(world: World) -> None:
    far, alice, dora = await begin(world)
    eve = await far.actor("eve")
    for answer, followed in (("Accept", 1), ("Reject", 0)):
        await world.client.check("POST /api/v1/accounts/:id/follow", alice, id=dora.id)
        number = await world.value("SELECT id FROM follow_requests") or await world.value("SELECT id FROM follows")
        sent = {"id": f"{ours('alice')}#follows/{number}", "type": "Follow", "actor": ours("alice"), "object": dora.uri}
        assert_result(await far.receive(activity(answer, eve, sent["id"]), eve), IGNORED)
        about = sent if answer == "Accept" else sent["id"]
        assert_result(await far.receive(activity(answer, dora, about), dora), PROCESSED)
        assert await world.value("SELECT count(*) FROM follows") == followed
    assert_result(await far.receive(activity("Reject", dora, sent), dora), IGNORED)
    assert_result(await far.receive(activity("Accept", dora, ours("alice", 1)), dora), IGNORED)


@story("accounts", effects=True)
async def test_blocks_and_moves(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    shun = activity("Block", dora, ours("alice"))
    assert_result(await far.receive(shun, dora), PROCESSED)
    assert await world.value("SELECT count(*) FROM follows") == 0
    assert_result(await far.receive(activity("Undo", dora, shun["id"]), dora), PROCESSED)
    assert await world.value("SELECT count(*) FROM blocks") == 0
    await far.befriend(alice, dora)
    stranger = await far.actor("stranger", "new.example")
    moving = activity("Move", dora, dora.uri, target=stranger.uri)
    assert_result(await far.receive(moving, dora), REJECTED, "does not name")
    home = await far.actor("dora", "new.example", alsoKnownAs=dora.uri)
    assert_result(await far.receive(moving | {"target": home.uri}, dora), PROCESSED)
    await run_move_followers(world, MoveFollowers(dora.id, home.id))
    assert await world.value("SELECT target_id FROM follow_requests WHERE account_id = :id", id=alice.id) == home.id
    assert await world.value("SELECT count(*) FROM follows") == 0
    assert await world.value("SELECT moved_to_id FROM accounts WHERE id = :id", id=dora.id) == home.id


@story("accounts", "statuses", effects=True)
async def test_pins_and_profiles(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    sent = note(dora)
    await far.receive(activity("Create", dora, sent), dora)
    pin = activity("Add", dora, sent["id"], target=dora.featured_url)
    assert_result(await far.receive(pin | {"target": "https://far.example/other"}, dora), IGNORED)
    assert_result(await far.receive(pin, dora), PROCESSED)
    assert await world.value("SELECT count(*) FROM pins") == 1
    assert_result(await far.receive(pin | {"type": "Remove"}, dora), PROCESSED)
    assert await world.value("SELECT count(*) FROM pins") == 0
    eve = await far.actor("eve")
    page = far.pages[dora.uri] | {"name": "Dora the second"}
    far.pages[dora.uri] = page
    assert_result(await far.receive(activity("Update", eve, page), eve), REJECTED)
    assert_result(await far.receive(activity("Update", dora, page), dora), PROCESSED)
    shown = await world.client.check("GET /api/v1/accounts/:id", alice, id=dora.id)
    assert shown["display_name"] == "Dora the second"


@story("polls", effects=True)
async def test_votes(world: World) -> None:
    far, alice, dora = await begin(world)
    status_id = await post(world, alice, poll=PollDraft(["tea", "coffee"], expires_in=600))

    def vote(name: str) -> Any:
        about = {"id": f"{dora.uri}#votes/1", "type": "Note", "name": name, "inReplyTo": ours("alice", status_id)}
        return activity("Create", dora, about | {"attributedTo": dora.uri, "to": ours("alice")})

    assert_result(await far.receive(vote("milk"), dora), REJECTED, "no such answer")
    assert_result(await far.receive(vote("coffee"), dora), PROCESSED)
    assert_result(await far.receive(vote("tea"), dora), REJECTED, "already voted")
    poll_id = await world.value("SELECT id FROM polls")
    poll = await world.client.check("GET /api/v1/polls/:id", alice, id=poll_id)
    assert [one["votes_count"] for one in poll["options"]] == [0, 1]
    assert await world.value("SELECT count(*) FROM statuses") == 1


@story("timelines", "statuses", effects=True)
async def test_threads_are_completed(world: World) -> None:
    far, alice, dora = await begin(world)
    eve = await far.actor("eve", "eve.example")
    for one in (dora, eve):
        await far.befriend(alice, one)
    root = note(eve, 1, replies=f"{eve.uri}/statuses/1/replies")
    middle = note(eve, 2, inReplyTo=root["id"])
    aside = note(eve, 3, inReplyTo=root["id"])
    far.pages |= {one["id"]: one for one in (root, middle, aside)}
    far.pages[root["replies"]] = {
        "id": root["replies"],
        "type": "Collection",
        "first": {"type": "CollectionPage", "items": [middle["id"], aside], "next": "https://other.example/x"},
    }
    sent = note(dora, 9, inReplyTo=middle["id"])
    assert_result(await far.receive(activity("Create", dora, sent), dora), PROCESSED)
    leaf = await far.status(sent["id"])
    assert leaf is not None
    # An answer to somebody unknown comes into nobody's feed before it is known to whom.
    assert await world.client.check("GET /api/v1/timelines/home", alice) == []
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=leaf.id)
    assert (shown["in_reply_to_id"], shown["in_reply_to_account_id"]) == (None, None)
    await find_parent(far.context, FindParent(leaf.id, middle["id"], 1))
    between = await far.status(middle["id"])
    assert between is not None
    await find_parent(far.context, FindParent(between.id, root["id"], 2))
    context = await world.client.check("GET /api/v1/statuses/:id/context", alice, id=leaf.id)
    assert [one["uri"] for one in context["ancestors"]] == [root["id"], middle["id"]]
    assert str(leaf.id) in [one["id"] for one in await world.client.check("GET /api/v1/timelines/home", alice)]
    top = await far.status(root["id"])
    assert top is not None
    await find_replies(far.context, FindReplies(top.id))
    context = await world.client.check("GET /api/v1/statuses/:id/context", alice, id=top.id)
    assert {one["uri"] for one in context["descendants"]} == {middle["id"], aside["id"], sent["id"]}


@story("statuses", effects=True)
async def test_what_is_not_theirs_is_refused(world: World) -> None:
    far, alice, dora = await begin(world)
    eve = await far.actor("eve", "eve.example")
    await far.befriend(alice, dora)
    # Dora passes off a post as Eve's: it is asked for where it would live, and is not there.
    assert_result(await far.receive(activity("Create", dora, note(eve)), dora), REJECTED)
    forged = note(dora, 2, attributedTo=f"https://{'far.example'}/users/frank")
    assert_result(await far.receive(activity("Create", dora, forged), dora), REJECTED, "somebody else's")
    own = await post(world, alice, visibility=Visibility.PRIVATE)
    for kind in ("Like", "Announce"):
        assert_result(await far.receive(activity(kind, dora, ours("alice", own)), dora), REJECTED)
    mine = await post(world, alice)
    share = activity("Announce", dora, ours("alice", mine))
    await far.receive(share, dora)
    assert_result(await far.receive(activity("Undo", eve, share), eve), REJECTED, "somebody else's")
    assert_result(await far.receive(activity("Undo", eve, share["id"]), eve), IGNORED)
    assert await world.value("SELECT count(*) FROM statuses WHERE reblog_of_id IS NOT NULL") == 1
    await world.write(lambda session: boost(session, alice.id, mine))


@story(effects=True)
async def test_what_has_no_place_here(world: World) -> None:
    far, _alice, dora = await begin(world)
    for kind in ("Flag", "QuoteRequest", "ReplyRequest", "Dislike", "View", "Offer"):
        assert_result(await far.receive(activity(kind, dora, ours("alice", 1)), dora), IGNORED)
    chat = note(dora, type="ChatMessage")
    assert_result(await far.receive(activity("Create", dora, chat), dora), IGNORED, "no post")


@story("statuses", "async_refreshes", effects=True)
async def test_opening_a_thread_brings_more_of_it(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    replies = f"{dora.uri}/statuses/1/replies"
    root = note(dora, 1, replies=replies, published=iso(now_ms() - HOUR))
    answer = note(dora, 2, inReplyTo=root["id"])
    far.pages |= {root["id"]: root, answer["id"]: answer}
    far.pages[replies] = {"id": replies, "type": "OrderedCollection", "orderedItems": [answer["id"], root["id"]]}
    await far.receive(activity("Create", dora, root), dora)
    stored = await far.status(root["id"])
    assert stored is not None
    path = f"/api/v1/statuses/{stored.id}/context"
    assert "mastodon-async-refresh" not in (await world.client.get(path)).headers
    told = (await world.client.get(path, alice)).headers["mastodon-async-refresh"]
    assert told == f'id="{stored.id}-0", retry=3, result_count=0'
    assert "mastodon-async-refresh" not in (await world.client.get(path, alice)).headers
    refresh = f"{stored.id}-0"
    progress = await world.client.check("GET /api/v1_alpha/async_refreshes/:id", alice, id=refresh)
    assert progress["async_refresh"] == {"id": refresh, "status": "running", "result_count": 0}
    await find_replies(far.context, FindReplies(stored.id))
    await world.execute("DELETE FROM jobs")
    progress = await world.client.check("GET /api/v1_alpha/async_refreshes/:id", alice, id=refresh)
    assert progress["async_refresh"] == {"id": refresh, "status": "finished", "result_count": 1}
    assert (await world.client.get("/api/v1_alpha/async_refreshes/x", alice)).status == 404


@story("statuses", effects=True)
async def test_people_who_are_named_come_to_be_known(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    uri = "https://eve.example/users/eve"
    far.pages[uri] = actor_page(uri, "eve")
    strangers = [{"type": "Mention", "href": one} for one in (uri, "https://nobody.example/users/x")]
    sent = note(dora, 1, tag=strangers, cc=[uri])
    assert_result(await far.receive(activity("Create", dora, sent), dora), PROCESSED)
    assert far.documents.asked.count(uri) == 0
    args = await world.value("SELECT args FROM jobs WHERE type = :type", type=FindMentions.TYPE)
    await find_mentions(far.context, msgspec.json.decode(args, type=FindMentions))
    stored = await far.status(sent["id"])
    assert stored is not None
    shown = await world.client.check("GET /api/v1/statuses/:id", alice, id=stored.id)
    assert [one["acct"] for one in shown["mentions"]] == ["eve@eve.example"]


@story("statuses", effects=True)
async def test_what_the_operator_does_not_want(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    rule = DomainBlock("far.example", Severity.NOOP, reject_media=True, reject_reports=True)
    await world.write(lambda session: block_domain(session, rule))
    far = Far(world)
    await far.rules.refresh()
    sent = note(dora, 1, attachment={"type": "Image", "url": "https://far.example/1.png"})
    assert_result(await far.receive(activity("Create", dora, sent), dora), PROCESSED)
    assert await world.value("SELECT count(*) FROM media") == 0
    assert_result(await far.receive(activity("Flag", dora, ours("alice")), dora), IGNORED, "no reports")


@story(effects=True)
async def test_who_was_suspended_here_does_not_come_back_by_leaving(world: World) -> None:
    far, _alice, dora = await begin(world)
    await world.execute("UPDATE accounts SET state = 2 WHERE id = :id", id=dora.id)
    assert_result(await far.receive(activity("Delete", dora, dora.uri), dora), PROCESSED)
    await run_erase_account(world, EraseAccount(dora.id))
    assert await world.value("SELECT state FROM accounts WHERE id = :id", id=dora.id) == 2


def _junk(dice: random.Random, words: list[Any], depth: int = 0) -> Any:
    """Any JSON, made of words that mean something here."""
    kind = dice.randrange(6 if depth < 3 else 3)
    if kind < 3:
        return dice.choice(words)
    if kind == 3:
        return [_junk(dice, words, depth + 1) for _ in range(dice.randrange(3))]
    names = ["id", "type", "actor", "object", "attributedTo", "inReplyTo", "to", "cc", "tag", "name", "content", "url"]
    return {dice.choice(names): _junk(dice, words, depth + 1) for _ in range(dice.randrange(7))}


@story(effects=True)
async def test_junk_breaks_nothing(world: World) -> None:
    far, alice, dora = await begin(world)
    await far.befriend(alice, dora)
    own = ours("alice", await post(world, alice, poll=PollDraft(["tea", "coffee"], expires_in=600)))
    far.pages[note(dora)["id"]] = note(dora)
    kinds = [
        "Note",
        "Question",
        "Follow",
        "Like",
        "Announce",
        "Block",
        "Accept",
        "Person",
        "Tombstone",
        "Mention",
        "Create",
    ]
    words = [
        *kinds, None, True, -1, 1e300, "", "x", "\0\ud800", "tea", own, f"{own}/activity", ours("alice"), dora.uri,
        dora.followers_url, dora.featured_url, note(dora)["id"], "https://[", "https://far.example/nothing", "Public",
        f"{ours('alice')}#follows/99999999999999999999", f"{ours('alice')}/statuses/9999999999999999999",
    ]  # fmt: skip
    dice = random.Random(7)
    for number, kind in enumerate(list(HANDLERS) * 12):
        raw = {name: _junk(dice, words) for name in ("to", "cc", "target", "published", "content", "instrument")}
        about = _junk(dice, words)
        if dice.random() < 0.4 and isinstance(about, dict):
            about = note(dora, number) | about
        await far.receive(activity(kind, dora, about, number) | raw, dora, recipient=dice.choice([None, alice]))
    assert await world.value("SELECT count(*) FROM accounts WHERE id = :id", id=alice.id) == 1
