"""What a hundred and forty-two documents of other software come to here."""

import json
from pathlib import Path

import pytest

from phiomia.activitypub import webfinger
from phiomia.domain.accounts.remote import Actor
from phiomia.domain.relationships.follow import follow
from phiomia.domain.relationships.unfollow import unfollow
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.inbox.context import Result
from phiomia.federation.parse.actor import parse_actor, parse_keys
from phiomia.federation.parse.collections import parse_page
from phiomia.federation.parse.note import is_post, parse_note
from phiomia.federation.parse.values import Rejected, id_of
from world import BASE, DOMAIN, Account, World, story

from .far import Far, Json, actor_page, ours

FOLDER = Path(__file__).parent / "examples"
DONE, LEFT = Result.PROCESSED, Result.IGNORED
STATUS = 1001


def read(name: str) -> Json:
    """A document as if our own server had been meant by it."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8").replace("ours.example", DOMAIN)
    document: Json = json.loads(text)["document"]
    return document


def names(*beginnings: str) -> list[str]:
    """The examples whose names begin so."""
    found = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in ("index", "keys"))
    return [name for name in found if name.startswith(beginnings)]


# Activities and posts in an order in which each finds what it speaks of; with what becomes of them, and the visibility
# or text of what then stands here.
ACTIVITIES: list[tuple[str, Result, str]] = [
    ("create-mastodon-public", DONE, "public"),
    ("create-mastodon-unlisted-reply", DONE, "unlisted"),
    ("create-mastodon-private", DONE, "private"),
    ("create-mastodon-direct", DONE, "direct"),
    ("create-glitch-direct", DONE, "direct"),
    ("create-mastodon-cw-media-emoji", DONE, "public"),
    ("create-mastodon-poll", DONE, "public"),
    ("create-mastodon-edited", DONE, ""),
    ("create-mastodon-poll-multi-closed", DONE, ""),
    ("vote-mastodon", DONE, ""),
    ("vote-gotosocial-multi", DONE, ""),
    ("vote-misskey", DONE, ""),
    ("create-gotosocial", DONE, "public"),
    ("create-misskey-quote", DONE, "public"),
    ("create-misskey-cw-empty", DONE, "public"),
    ("create-misskey-poll", DONE, "public"),
    ("create-akkoma", DONE, "public"),
    ("chatmessage-pleroma", LEFT, ""),
    ("announce-lemmy-create-page", LEFT, ""),
    ("announce-lemmy-page", DONE, ""),
    ("announce-lemmy-like", LEFT, ""),
    ("create-lemmy-comment", DONE, "public"),
    ("dislike-lemmy", LEFT, ""),
    ("announce-peertube", DONE, ""),
    ("create-wordpress-article", DONE, "public"),
    ("create-writefreely-article", DONE, "public"),
    ("create-mobilizon-event", DONE, "public"),
    ("create-pixelfed", DONE, "public"),
    ("create-friendica", DONE, "public"),
    ("create-bookwyrm-review", DONE, "public"),
    ("create-threads", DONE, "public"),
    ("create-snac", DONE, "public"),
    ("follow-mastodon", DONE, ""),
    ("follow-gotosocial", DONE, ""),
    ("follow-misskey", DONE, ""),
    ("follow-lemmy", DONE, ""),
    ("follow-pleroma", DONE, ""),
    ("undo-follow-mastodon", DONE, ""),
    ("undo-follow-pleroma", DONE, ""),
    ("accept-mastodon", DONE, ""),
    ("reject-mastodon", DONE, ""),
    ("accept-gotosocial", DONE, ""),
    ("accept-lemmy", DONE, ""),
    ("accept-mitra-by-id", DONE, ""),
    ("like-mastodon", DONE, ""),
    ("undo-like-mastodon", DONE, ""),
    ("like-misskey-reaction", DONE, ""),
    ("like-misskey-custom", DONE, ""),
    ("proof-fep8b32", DONE, ""),
    ("emojireact-pleroma", LEFT, ""),
    ("emojireact-akkoma-custom", LEFT, ""),
    ("undo-emojireact-by-id", LEFT, ""),
    ("announce-mastodon", DONE, ""),
    ("announce-mastodon-self-private", DONE, ""),
    ("announce-misskey-renote", DONE, ""),
    ("undo-announce-mastodon", DONE, ""),
    ("delete-gotosocial-note", DONE, ""),
    ("delete-lemmy", DONE, ""),
    ("update-actor-mastodon", DONE, ""),
    ("flag-mastodon", DONE, ""),
    ("flag-misskey", DONE, ""),
    ("flag-lemmy", DONE, ""),
    ("add-pin-mastodon", DONE, ""),
    ("remove-pin-mastodon", DONE, ""),
    ("add-hashtag-mastodon", DONE, ""),
    ("create-mastodon-quote", DONE, "public"),
    ("update-mastodon-quote-authorised", DONE, ""),
    ("quoterequest-mastodon", DONE, ""),
    ("delete-quoteauthorization", LEFT, ""),
    ("replyrequest-gotosocial", LEFT, ""),
    ("accept-replyrequest-gotosocial", LEFT, ""),
    ("accept-gotosocial-impolite-reply", LEFT, ""),
    ("relay-accept", DONE, ""),
    ("relay-announce-litepub", DONE, ""),
    ("relay-forwarded-ldsig", DONE, "public"),
    ("delete-mastodon-note", DONE, ""),
    ("move-mastodon", DONE, ""),
    ("block-mastodon", DONE, ""),
    ("undo-block-mastodon", DONE, ""),
    ("delete-actor-mastodon", DONE, ""),
]
NOTES = [*names("note-"), "video-peertube", "audio-castopod"]
COLLECTIONS = names(
    "outbox", "followers-mastodon", "followers-sync-mastodon", "featured-", "featuredtags", "replies-", "context-"
)
OURS = ["relay-follow-mastodon", "relay-follow-litepub", "accept-quoterequest", "reject-quoterequest"]
OTHERS = ["tombstone-mastodon", "featuredcollection-mastodon", "quoteauthorization", "replyauthorization-gotosocial"]
ELSEWHERE = ["followers-sync-header", "hostmeta", "nodeinfo-2.0-mastodon", "nodeinfo-discovery", *names("sig-")]


def test_every_example_is_looked_at() -> None:
    covered = {name for name, _, _ in ACTIVITIES} | {*NOTES, *COLLECTIONS, *OTHERS, *OURS, *ELSEWHERE}
    covered |= {*names("actor-", "webfinger-"), "key-gotosocial-stub"}
    assert covered == set(names(""))
    assert len(covered) == 142


@pytest.mark.parametrize("name", names("actor-"))
def test_actors(name: str) -> None:
    document = read(name)
    if name == "actor-mastodon-suspended":
        assert parse_actor(document).suspended
        return
    draft = parse_actor(document)
    assert draft.uri == document["id"]
    assert draft.key.pem.startswith("-----BEGIN PUBLIC KEY-----")
    assert draft.inbox_url.startswith("https://")


def test_what_single_actors_say() -> None:
    assert parse_actor(read("actor-peertube-channel")).avatar.url.endswith("120.png")
    assert parse_actor(read("actor-peertube-channel")).is_group
    assert parse_actor(read("actor-bot-service")).bot
    assert [one.name for one in parse_actor(read("actor-gotosocial")).fields] == ["pronouns"]
    assert [one.name for one in parse_actor(read("actor-wordpress")).fields] == ["Blog"]
    moved = parse_actor(read("actor-mastodon-locked-moved"))
    assert moved.locked and moved.moved_to
    assert "." in parse_actor(read("actor-instance-mastodon")).username


def test_a_key_that_lies_alone_makes_no_actor() -> None:
    stub = read("key-gotosocial-stub")
    with pytest.raises(Rejected):
        parse_actor(stub)
    assert [key.id for key in parse_keys(stub)] == [stub["publicKey"]["id"]]


@pytest.mark.parametrize("name", NOTES)
def test_posts(name: str) -> None:
    document = read(name)
    note = parse_note(document)
    assert (note.uri, note.authors[0]) == (document["id"], id_of(document["attributedTo"]))
    assert note.content and note.created_at
    assert note.audience.public_in


def test_what_single_posts_say() -> None:
    quoted = ours("alice", STATUS)
    assert parse_note(read("note-mitra-objectlink")).quote == quoted
    assert parse_note(read("create-mastodon-quote")["object"]).quote == quoted
    assert parse_note(read("create-misskey-quote")["object"]).quote == quoted
    assert parse_note(read("create-akkoma")["object"]).quote == quoted
    assert parse_note(read("note-mastodon-quote-deleted")).quote == ""
    assert parse_note(read("note-misskey-home")).audience.public_in == "cc"
    assert [one.kind.name for one in parse_note(read("audio-castopod")).media] == ["AUDIO"]
    assert parse_note(read("note-gotosocial-media")).media[0].description
    assert parse_note(read("create-misskey-cw-empty")["object"]).spoiler_text == ""
    assert parse_note(read("create-friendica")["object"]).edited_at is None
    assert len(parse_note(read("create-pixelfed")["object"]).media) == 6
    film = parse_note(read("video-peertube"))
    assert "How moss grows" in film.content and 'href="https://video.example/w/0f0f"' in film.content
    assert film.url == "https://video.example/w/0f0f"
    assert film.tags == [("moss", "moss")]


@pytest.mark.parametrize("name", COLLECTIONS)
def test_collections(name: str) -> None:
    page = parse_page(read(name))
    assert page.uris or page.next or name == "followers-mastodon-hidden"


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_neither_post_nor_actor(name: str) -> None:
    for parse in (parse_note, parse_actor):
        with pytest.raises(Rejected):
            parse(read(name))


@pytest.mark.parametrize("name", OURS)
def test_what_we_are_to_send(name: str) -> None:
    assert id_of(read(name)["actor"]).startswith(BASE)


@pytest.mark.parametrize("name", names("webfinger-"))
def test_webfinger(name: str) -> None:
    document = read(name)
    answer = webfinger.read_answer(json.dumps(document.get("body", document)).encode())
    assert answer.actor is not None


def _authors() -> dict[str, Json]:
    """Everybody who acts in the examples: as an example has them, or as most servers would."""
    described = [document for document in map(read, names("actor-")) if not document.keys() & {"suspended", "movedTo"}]
    pages = {document["id"]: document for document in described if document["type"] != "Service"}
    for name, _, _ in ACTIVITIES:
        document = read(name)
        about = document.get("object")
        embedded = about if isinstance(about, dict) else {}
        for uri in (id_of(document.get("actor")), id_of(embedded.get("attributedTo")), id_of(embedded.get("actor"))):
            if uri and not uri.startswith(BASE):
                pages.setdefault(uri, actor_page(uri, uri.rstrip("/").rpartition("/")[2].strip("@") or "root"))
    mia = "https://masto.example/users/mia"
    pages["https://gts.example/users/gus"]["alsoKnownAs"] = [mia]
    return pages


async def _prepare(far: Far, alice: Account) -> dict[str, Actor]:
    """Everybody whom an example names is known, and Alice follows them all."""
    far.pages |= _authors()
    film = read("video-peertube")
    page = read("announce-lemmy-create-page")["object"]["object"]
    relayed = read("create-mastodon-public")["object"] | {"id": id_of(read("relay-announce-litepub")["object"])}
    for one in (film, page):
        uri = id_of(one["attributedTo"])
        far.pages.setdefault(uri, actor_page(uri, uri.rpartition("/")[2]))
    actors = {uri: await far.resolver.account(uri) for uri in list(far.pages)}
    for actor in actors.values():
        await far.befriend(alice, actor)
    far.pages |= {one["id"]: one for one in (film, page, relayed)}
    return actors


async def _ask_again(world: World, alice: Account, actor: Actor) -> int:
    """Alice asks to follow the actor as if for the first time; gives the number of that."""
    await world.write(lambda session: unfollow(session, alice.id, actor.id))
    await world.write(lambda session: follow(session, alice.id, actor.id))
    return int(await world.value("SELECT id FROM follow_requests WHERE target_id = :id", id=actor.id))


@story(effects=True)
async def test_activities(world: World) -> None:
    far, alice = Far(world), await world.account("alice")
    await world.account("bob")
    actors = await _prepare(far, alice)
    poll = PollDraft(["yes", "no"], expires_in=3_600, multiple=True)
    drafts = StatusDraft(alice.id, "Hi"), StatusDraft(alice.id, "Hi", poll=poll)
    numbers = [await _write(world, one) for one in drafts]
    await world.execute(
        "INSERT INTO relays (id, inbox_url, actor_uri, follow_uri, created_at) VALUES (1, :inbox, :actor, :follow, 1)",
        inbox="https://relay.example/inbox",
        actor="https://relay.example/actor",
        follow=f"{BASE}/payloads/8a",
    )
    for name, result, visibility in ACTIVITIES:
        text = json.dumps(read(name)).replace("statuses/1001", f"statuses/{numbers[0]}")
        document = json.loads(text.replace("statuses/1002", f"statuses/{numbers[1]}"))
        actor = actors[id_of(document["actor"])]
        if name.startswith(("accept-", "reject-")) and "follows/42" in text:
            number = await _ask_again(world, alice, actor)
            document = json.loads(json.dumps(document).replace("follows/42", f"users/alice#follows/{number}"))
        if document["type"] == "Update" and is_post(document["object"]):
            before = {key: value for key, value in document["object"].items() if key != "updated"}
            await far.receive(document | {"type": "Create", "object": before}, actor)
        sender = "https://relay.example/actor" if name.startswith("relay-forwarded") else ""
        outcome = await far.receive(document, actor, sender=sender)
        assert outcome.result == result, (name, outcome)
        if name.startswith("reject-"):
            await far.befriend(alice, actor)
        if visibility:
            stored = await far.status(id_of(document["object"]))
            assert stored is not None, name
            assert Visibility(stored.visibility).word == visibility, name
    await _look(world, numbers)


async def _write(world: World, draft: StatusDraft) -> str:
    return str(await world.write(lambda session: create_status(session, draft)))


async def _look(world: World, numbers: list[str]) -> None:
    """What it all came to."""
    own = int(numbers[0])
    assert await world.value("SELECT favourites_count FROM statuses WHERE id = :id", id=own) == 2
    assert await world.value("SELECT reblogs_count FROM statuses WHERE id = :id", id=own) == 1
    counted = "SELECT sum(votes_count) FROM poll_options JOIN polls ON polls.id = poll_id WHERE status_id = :id"
    assert await world.value(counted, id=int(numbers[1])) == 4
