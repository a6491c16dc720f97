"""Documents of accounts and statuses, as anybody gets them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from phiomia.domain.accounts.state import AccountState
from phiomia.domain.media.kinds import MediaKind
from phiomia.domain.relationships.follow import follow
from phiomia.domain.statuses.boost import boost, unboost
from phiomia.domain.statuses.create import create_status
from phiomia.domain.statuses.delete import delete_status
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.edit import Revision, edit_status
from phiomia.domain.statuses.favourite import favourite
from phiomia.domain.statuses.pin import pin
from phiomia.domain.statuses.queries import load_status
from phiomia.domain.statuses.views import StatusRow
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.statuses.vote import vote
from phiomia.federation.negotiation import takes_document, wants_document
from phiomia.platform.db import WriteSession
from server import RunningServer
from world import make_account, make_picture

from .published import BASE, Site, publishing
from .strict import PUBLIC, check

ALICE = f"{BASE}/users/alice"
FOLLOWERS = f"{ALICE}/followers"


@publishing()
async def test_an_account_is_an_actor(site: Site) -> None:
    await make_account(site.db, "alice", locked=True)
    answer = await site.get("/users/alice")
    actor = answer.document
    check(actor)
    assert answer.headers["content-type"] == "application/activity+json; charset=utf-8"
    assert actor["id"] == ALICE
    assert actor["type"] == "Person"
    assert actor["preferredUsername"] == "alice"
    assert actor["name"] == "Alice"
    assert actor["summary"] is None, "empty texts are refused by some"
    assert actor["url"] == f"{BASE}/@alice"
    assert actor["manuallyApprovesFollowers"] is True
    assert actor["webfinger"] == "alice@phiomia.example"
    assert actor["published"].endswith("T00:00:00Z"), "nobody needs to know more than the day"
    assert actor["endpoints"] == {"sharedInbox": f"{BASE}/inbox"}
    for name in ("inbox", "outbox", "followers", "following"):
        assert actor[name] == f"{ALICE}/{name}"
    key = actor["publicKey"]
    assert key["id"] == f"{ALICE}#main-key"
    assert key["owner"] == ALICE
    assert key["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----\n")
    again = (await site.get("/users/alice")).document
    assert again["publicKey"] == key, "made once"


@publishing()
async def test_an_actor_tells_all_of_a_profile(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    bob = await make_account(site.db, "bob", domain="far.example")
    fields = [{"name": "Site", "value": "x", "html": '<a href="https://a.example">x</a>', "verified_at": None}]
    await site.execute(
        "UPDATE accounts SET rev = rev + 1, note = :note, note_source = :source, fields = :fields, emojis = :emojis, "
        "avatar = 'a/1.png', avatar_description = 'A face', header = 'h/1.jpg', bot = :yes, indexable = :yes, "
        "discoverable = :yes, memorial = :yes, attribution_domains = :domains, also_known_as = :known, "
        "moved_to_id = :bob, show_media_replies = :no WHERE id = :id",
        note="<p>I like #Cats</p>",
        source="I like #Cats",
        fields=json.dumps(fields),
        emojis='["cat"]',
        yes=True,
        no=False,
        domains='["blog.example"]',
        known='["https://old.example/users/alice"]',
        bob=bob.id,
        id=alice.id,
    )
    await site.execute(
        "INSERT INTO custom_emojis (id, shortcode, domain, url, static_url, visible_in_picker, created_at) "
        "VALUES (7, 'cat', '', 'https://phiomia.example/media/cat.png', '', :yes, 1700000000000)",
        yes=True,
    )
    actor = (await site.get("/users/alice")).document
    check(actor)
    assert actor["type"] == "Service"
    assert actor["summary"] == "<p>I like #Cats</p>"
    assert actor["attachment"] == [{"type": "PropertyValue", "name": "Site", "value": fields[0]["html"]}]
    picture = {"type": "Image", "mediaType": "image/png", "url": f"{BASE}/media/a/1.png", "summary": "A face"}
    assert actor["icon"] == picture
    assert actor["image"]["mediaType"] == "image/jpeg"
    assert "summary" not in actor["image"]
    assert actor["movedTo"] == "https://far.example/users/bob"
    assert actor["alsoKnownAs"] == ["https://old.example/users/alice"]
    assert actor["attributionDomains"] == ["blog.example"]
    assert all(actor[name] is True for name in ("discoverable", "indexable", "memorial"))
    assert [actor[name] for name in ("showMedia", "showRepliesInMedia", "showFeatured")] == [True, False, True]
    emoji, hashtag = actor["tag"]
    assert emoji["name"] == ":cat:"
    assert emoji["updated"] == "2023-11-14T22:13:20Z"
    assert hashtag == {"type": "Hashtag", "href": f"{BASE}/tags/cats", "name": "#Cats"}
    served = (await site.get(emoji["id"])).document
    check(served)
    assert served["icon"] == emoji["icon"]
    assert (await site.get("/emojis/8")).status == 404


@publishing()
async def test_a_change_shows_at_once_and_nothing_is_sent_twice(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    first = await site.get("/users/alice")
    again = await site.get("/users/alice", If_None_Match=f'"x", {first.headers["etag"]}')
    assert (again.status, again.body) == (304, b"")
    assert again.headers["vary"] == "Accept, Accept-Encoding"
    await site.execute("UPDATE accounts SET rev = rev + 1, display_name = 'Al' WHERE id = :id", id=alice.id)
    changed = await site.get("/users/alice", If_None_Match=first.headers["etag"])
    assert changed.document["name"] == "Al"
    packed = await site.get("/users/alice", Accept_Encoding="br, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.body == changed.body
    head = await site.get("/users/alice", method="HEAD")
    assert (head.status, head.body) == (200, b"")


@publishing()
async def test_a_status_is_a_note(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob", domain="far.example")
    status = await site.post(
        alice, "Look", language="en", spoiler_text="Food", sensitive=True, mentions=[bob.id], tags=[("cats", "Cats")]
    )
    uri = site.uri("alice", status)
    note = (await site.get(uri)).document
    check(note)
    assert (note["id"], note["type"], note["attributedTo"]) == (uri, "Note", ALICE)
    assert note["url"] == f"{BASE}/@alice/{status}"
    assert note["content"] == "<p>Look</p>"
    assert note["contentMap"] == {"en": "<p>Look</p>"}
    assert note["summary"] == "Food"
    assert note["sensitive"] is True
    assert note["inReplyTo"] is None
    assert "updated" not in note
    assert note["tag"] == [
        {"type": "Mention", "href": "https://far.example/users/bob", "name": "@bob@far.example"},
        {"type": "Hashtag", "href": f"{BASE}/tags/cats", "name": "#Cats"},
    ]
    assert note["interactionPolicy"] == {"canQuote": {"automaticApproval": [ALICE]}}, "nobody may quote it"
    assert note["likes"] == {"id": f"{uri}/likes", "type": "Collection", "totalItems": 0}
    assert (await site.get(note["likes"]["id"])).document["totalItems"] == 0


@publishing()
async def test_counts_and_own_answers_are_told_as_they_are(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    status = await site.post(alice)
    uri = site.uri("alice", status)
    assert (await site.get(uri)).document["shares"]["totalItems"] == 0
    own = await site.post(alice, in_reply_to_id=status)
    theirs = await site.post(bob, in_reply_to_id=status)
    hidden = await site.post(bob, in_reply_to_id=status, visibility=Visibility.PRIVATE)
    await site.db.write(lambda session: boost(session, bob.id, status))
    await site.db.write(lambda session: favourite(session, bob.id, status))
    note = (await site.get(uri)).document
    assert (note["likes"]["totalItems"], note["shares"]["totalItems"]) == (1, 1)
    first = note["replies"]["first"]
    assert first["items"] == [site.uri("alice", own)]
    replies = (await site.get(note["replies"]["id"])).document
    check(replies)
    assert replies["first"]["items"] == first["items"]
    page = (await site.get(first["next"])).document
    check(page)
    assert page["id"] == first["next"]
    assert page["items"] == [site.uri("bob", theirs)]
    whole = (await site.get(note["context"])).document
    check(whole)
    assert whole["attributedTo"] == ALICE
    assert whole["first"]["items"] == [uri, site.uri("alice", own), site.uri("bob", theirs)]
    answer = (await site.get(site.uri("bob", theirs))).document
    assert answer["inReplyTo"] == uri
    assert answer["context"] == note["context"]
    assert (await site.get(site.uri("bob", hidden))).status == 404


@publishing()
async def test_an_answer_to_a_remote_status_names_it(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob", domain="far.example")
    there = "https://far.example/notes/1"
    parent = await site.post(bob, local=False, uri=there)
    note = (await site.get(site.uri("alice", await site.post(alice, in_reply_to_id=parent)))).document
    assert note["inReplyTo"] == there
    assert "context" not in note, "only their server knows the conversation's name"
    shared = await site.db.write(lambda session: boost(session, alice.id, parent))
    assert (await site.get(site.uri("alice", shared))).headers["location"] == there
    announce = (await site.get(f"{site.uri('alice', shared)}/activity")).document
    check(announce)
    assert (announce["type"], announce["object"]) == ("Announce", there)
    assert announce["cc"] == [FOLLOWERS, "https://far.example/users/bob"]
    assert (await site.get(f"/users/bob/statuses/{parent}")).status == 404, "it is not ours to publish"


@publishing()
async def test_attachments_tell_size_focus_and_description(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    picture = await make_picture(site.db, alice, description="A cat")
    video = await make_picture(site.db, alice, kind=MediaKind.VIDEO)
    meta: dict[str, Any] = {"original": {"width": 640, "height": 480}, "focus": {"x": 0.25, "y": -0.5}}
    await site.execute(
        "UPDATE media SET meta = :meta, blurhash = 'LEHV' WHERE id = :id", meta=json.dumps(meta), id=picture
    )
    length = '{"original": {"duration": 12.5}}'
    await site.execute("UPDATE media SET key = 'v/1.mp4', meta = :meta WHERE id = :id", meta=length, id=video)
    (first,), (second,) = [
        await _attachments(site, await site.post(alice, media_ids=[one])) for one in (picture, video)
    ]
    assert first == {
        "type": "Document",
        "mediaType": "image/webp",
        "url": f"{BASE}/media/media/{picture}.webp",
        "name": "A cat",
        "blurhash": "LEHV",
        "focalPoint": [0.25, -0.5],
        "width": 640,
        "height": 480,
    }
    assert (second["mediaType"], second["duration"], second["name"]) == ("video/mp4", "PT12.5S", None)
    assert second["icon"]["mediaType"] == "image/webp"


async def _attachments(site: Site, status: int) -> list[dict[str, Any]]:
    note = (await site.get(site.uri("alice", status))).document
    check(note)
    attached: list[dict[str, Any]] = note["attachment"]
    return attached


@publishing()
async def test_a_poll_is_a_question_and_closes(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    poll = PollDraft(options=["yes", "no"], expires_in=300)
    status = await site.post(alice, poll=poll)
    uri = site.uri("alice", status)
    question = (await site.get(uri)).document
    check(question)
    assert question["type"] == "Question"
    assert question["votersCount"] == 0
    assert [option["name"] for option in question["oneOf"]] == ["yes", "no"]
    assert question["oneOf"][0]["replies"] == {"type": "Collection", "totalItems": 0}
    assert "closed" not in question
    change = "UPDATE polls SET expires_at = 1700000000000, multiple = :yes WHERE status_id = :id"
    await site.execute(change, yes=True, id=status)
    site.federation.shelves.clear()
    question = (await site.get(uri)).document
    assert question["closed"] == question["endTime"] == "2023-11-14T22:13:20Z"
    assert len(question["anyOf"]) == 2


@publishing()
async def test_what_is_kept_is_never_stale(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    parent = await site.post(bob)
    status = await site.post(alice, in_reply_to_id=parent, poll=PollDraft(options=["yes", "no"], expires_in=300))
    poll = (await load(site, status)).poll_id or 0
    answers: list[int] = []

    async def answer(session: WriteSession) -> None:
        answers.append(await create_status(session, StatusDraft(alice.id, content="", in_reply_to_id=status)))

    changes: list[Callable[[WriteSession], Awaitable[Any]]] = [
        lambda session: favourite(session, bob.id, status),
        lambda session: boost(session, bob.id, status),
        lambda session: vote(session, bob.id, poll, [1]),
        answer,
        lambda session: delete_status(session, alice.id, answers[0]),
        lambda session: unboost(session, bob.id, status),
        lambda session: edit_status(session, alice.id, status, Revision(StatusDraft(alice.id, content="<p>New</p>"))),
        lambda session: delete_status(session, bob.id, parent),
    ]
    before = b""
    for number, change in enumerate(changes):
        await site.get(site.uri("alice", status))
        await site.db.write(change)
        kept = (await site.get(site.uri("alice", status))).body
        assert kept != before, number
        site.federation.shelves.clear()
        assert kept == (await site.get(site.uri("alice", status))).body, number
        before = kept


async def load(site: Site, status: int) -> StatusRow:
    async with site.db.read() as session:
        return await load_status(session, status, None)


@publishing()
async def test_to_and_cc_tell_the_visibility(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob", domain="far.example")
    carol = await make_account(site.db, "carol", domain="far.example")
    named, silent = "https://far.example/users/bob", "https://far.example/users/carol"
    expected = {
        Visibility.PUBLIC: ([PUBLIC], [FOLLOWERS, named, silent]),
        Visibility.UNLISTED: ([FOLLOWERS], [PUBLIC, named, silent]),
    }
    for visibility, (to, cc) in expected.items():
        status = await site.post(alice, visibility=visibility, mentions=[bob.id], silent_mentions=[carol.id])
        note = (await site.get(site.uri("alice", status))).document
        assert (note["to"], note["cc"]) == (to, cc)
        assert [tag["href"] for tag in note["tag"]] == [named], "addressed without being named"
        created = (await site.get(f"{site.uri('alice', status)}/activity")).document
        check(created)
        assert (created["type"], created["to"], created["cc"]) == ("Create", to, cc)
        assert created["object"] == {key: value for key, value in note.items() if key != "@context"}
    for visibility in (Visibility.PRIVATE, Visibility.DIRECT):
        status = await site.post(alice, visibility=visibility, mentions=[bob.id])
        for path in ("", "/activity", "/replies", "/likes", "/shares"):
            assert (await site.get(f"{site.uri('alice', status)}{path}")).status == 404


@publishing()
async def test_ids_survive_what_is_done_to_addresses(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    status = await site.post(alice)
    for path in ("/users/alice/", "/users/ALICE", "/users/%61lice", "/@alice", "/@Alice/", "/%40alice"):
        assert (await site.get(path)).document["id"] == ALICE, path
    for path in (f"/users/Alice/statuses/{status}/", f"/@alice/{status}", f"/users/alice/statuses/{status}?x=1"):
        assert (await site.get(path)).document["id"] == site.uri("alice", status), path


ACCEPTED = [
    "application/activity+json",
    "application/activity+json, application/ld+json",
    'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
    'application/ld+json;profile="https://www.w3.org/ns/activitystreams"',
    "application/ld+json",
    "  Application/Activity+JSON ; q=0.9 , text/html;q=0.1",
    "text/html, application/activity+json",
    "text/html;q=0.5, application/json",
    'application/signed-exchange;v="b3",application/activity+json;q=0.3',
]
PAGES = [
    "",
    "*/*",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    "text/html, application/activity+json;q=0.9",
    "application/activity+json;q=0",
    "image/png",
    ";;;,,=,q=1",
]


@pytest.mark.parametrize("accept", ACCEPTED)
def test_who_names_a_document_gets_it(accept: str) -> None:
    assert wants_document(accept)
    assert takes_document(accept)


@pytest.mark.parametrize("accept", PAGES)
def test_who_does_not_gets_the_page(accept: str) -> None:
    assert not wants_document(accept)


@publishing()
async def test_one_address_is_a_document_and_a_page(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    status = await site.post(alice)
    for path in ("/@alice", f"/@alice/{status}"):
        page = await site.get(path, "text/html")
        assert page.type == "text/html"
        assert "Accept" in page.headers["vary"].split(", "), "caches must not mix them up"
        assert "Accept" in (await site.get(path)).headers["vary"].split(", ")
    for path, location in (("/users/alice", "/@alice"), (f"/users/alice/statuses/{status}", f"/@alice/{status}")):
        answer = await site.get(path, "text/html")
        assert (answer.status, answer.headers["location"]) == (302, location)
    assert (await site.get("/users/alice/outbox", "text/html")).status == 406
    assert (await site.get("/users/alice/outbox", "*/*")).status == 200


@publishing()
async def test_what_is_not_there_is_404_and_what_was_is_410(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    status, quiet = await site.post(alice), await site.post(alice, visibility=Visibility.DIRECT, mentions=[bob.id])
    paths = ["/users/nobody", "/users/nobody/outbox", "/users/alice/statuses/1", "/users/alice/statuses/x"]
    paths += [f"/users/bob/statuses/{status}", "/users/alice/statuses/99999999999999999999", "/contexts/1"]
    for path in paths:
        answer = await site.get(path)
        assert (answer.status, answer.type) == (404, "application/json"), path
    for one in (status, quiet):
        await site.db.write(lambda session, one=one: delete_status(session, alice.id, one))
    gone = await site.get(site.uri("alice", status))
    assert (gone.status, gone.type) == (410, "application/activity+json")
    tombstone = json.loads(gone.body)
    check(tombstone)
    assert (tombstone["id"], tombstone["type"]) == (site.uri("alice", status), "Tombstone")
    assert tombstone["formerType"] == "Note"
    assert (await site.get(site.uri("alice", quiet))).status == 404, "nobody learns that it existed"


@publishing()
async def test_a_suspended_account_keeps_name_and_key(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    status = await site.post(alice)
    await site.execute(
        "UPDATE accounts SET rev = rev + 1, state = :state, note = 'bad' WHERE id = :id",
        state=int(AccountState.SUSPENDED),
        id=alice.id,
    )
    actor = (await site.get("/users/alice")).document
    check(actor)
    assert actor["suspended"] is True
    assert (actor["name"], actor["summary"]) == ("alice", None)
    assert actor["publicKey"]["publicKeyPem"]
    for path in (
        "/outbox",
        "/followers",
        "/collections/featured",
        f"/statuses/{status}",
        f"/statuses/{status}/replies",
    ):
        assert (await site.get(f"/users/alice{path}")).status == 403, path


@publishing()
async def test_the_outbox_holds_what_is_for_everybody_page_by_page(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    other = await site.post(bob)
    said = [await site.post(alice, str(number)) for number in range(25)]
    await site.post(alice, visibility=Visibility.PRIVATE)
    shared = await site.db.write(lambda session: boost(session, alice.id, other))
    outbox = (await site.get(f"{ALICE}/outbox")).document
    check(outbox)
    assert outbox["totalItems"] == 27
    seen, address = [], outbox["first"]
    while address:
        page = (await site.get(address)).document
        check(page)
        assert page["id"] == address
        seen += page["orderedItems"]
        address = page.get("next", "")
    assert [one["id"] for one in seen] == [f"{site.uri('alice', one)}/activity" for one in [shared, *reversed(said)]]
    assert [one["type"] for one in seen] == ["Announce", *["Create"] * 25]
    last = (await site.get(outbox["last"])).document
    assert last["orderedItems"][-1]["id"] == f"{site.uri('alice', said[0])}/activity"
    assert (await site.get(f"{ALICE}/outbox?page=true&max_id=x")).status == 404


@publishing()
async def test_followers_are_listed_unless_hidden(site: Site) -> None:
    alice, bob = await make_account(site.db, "alice"), await make_account(site.db, "bob")
    carol = await make_account(site.db, "carol", domain="far.example")
    for one in (bob, carol):
        await site.db.write(lambda session, one=one: follow(session, one.id, alice.id))
    followers = (await site.get(FOLLOWERS)).document
    check(followers)
    assert (followers["type"], followers["totalItems"]) == ("OrderedCollection", 2)
    page = (await site.get(followers["first"])).document
    check(page)
    assert (page["type"], page["partOf"], page["id"]) == ("OrderedCollectionPage", FOLLOWERS, followers["first"])
    assert page["orderedItems"] == ["https://far.example/users/carol", f"{BASE}/users/bob"]
    assert "next" not in page
    following = (await site.get("/users/bob/following?page=true")).document
    assert following["orderedItems"] == [ALICE]
    await site.execute(
        "UPDATE accounts SET rev = rev + 1, hide_collections = :yes WHERE id = :id", yes=True, id=alice.id
    )
    hidden = (await site.get(FOLLOWERS)).document
    assert hidden["totalItems"] == 2
    assert "first" not in hidden
    assert (await site.get(f"{FOLLOWERS}?page=true")).status == 403


@publishing()
async def test_pinned_statuses_are_featured(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    status = await site.post(alice)
    await site.db.write(lambda session: pin(session, alice.id, status))
    featured = (await site.get(f"{ALICE}/collections/featured")).document
    check(featured)
    assert featured["totalItems"] == 1
    assert [note["id"] for note in featured["orderedItems"]] == [site.uri("alice", status)]
    tags = (await site.get(f"{ALICE}/collections/tags")).document
    check(tags)
    assert (tags["type"], tags["items"]) == ("Collection", [])


def test_a_running_server_publishes(phiomia: RunningServer) -> None:
    import requests

    alice = phiomia.sign_up("alice")
    posted = requests.post(
        f"{phiomia.url}/api/v1/statuses", headers=alice.headers, data={"status": "Hello"}, timeout=30
    ).json()
    session = requests.Session()
    session.headers["Accept"] = "application/activity+json"
    note = session.get(posted["uri"], timeout=30)
    assert note.json()["id"] == posted["uri"]
    assert note.headers["content-encoding"] == "gzip"
    assert session.get(posted["uri"], headers={"If-None-Match": note.headers["etag"]}, timeout=30).status_code == 304
    actor = session.get(f"{phiomia.url}/users/%{ord(alice.username[0]):02x}{alice.username[1:]}/", timeout=30).json()
    assert actor["id"] == note.json()["attributedTo"]
    page = session.get(posted["uri"], headers={"Accept": "text/html"}, timeout=30)
    assert page.url.endswith(f"/@{alice.username}/{posted['id']}")
    requests.delete(f"{phiomia.url}/api/v1/statuses/{posted['id']}", headers=alice.headers, timeout=30)
    assert session.get(posted["uri"], timeout=30).status_code == 410
