"""Mastodon.py, as it comes from the registry, drives the running server through everything a person does."""

from __future__ import annotations

import base64
import hashlib
import queue
import secrets
import threading
from pathlib import Path
from typing import Any

import pytest
import pyvips
import requests
from mastodon import Mastodon, StreamListener
from mastodon.errors import MastodonAPIError, MastodonNotFoundError

from server import PASSWORD, PATIENCE, Member, RunningServer

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
SCOPES = ["read", "write", "follow", "push"]
BOTH = pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])


def client(server: RunningServer, member: Member | None) -> Mastodon:
    """Mastodon.py in somebody's hands; it looks at what the server says about itself."""
    token = member.token if member else None
    return Mastodon(access_token=token, api_base_url=server.url, request_timeout=PATIENCE, ratelimit_method="throw")


def draw(colour: list[float], side: int = 64) -> bytes:
    """A PNG of one colour."""
    picture = pyvips.Image.black(side, side, bands=3).linear([1, 1, 1], colour).cast("uchar")
    return bytes(picture.write_to_buffer(".png"))


@SQLITE
def test_sign_in_out_of_band(phiomia: RunningServer, tmp_path: Path) -> None:
    alice = phiomia.sign_up("alice")
    secret = tmp_path / "app.secret"
    Mastodon.create_app("Walk", scopes=SCOPES, api_base_url=phiomia.url, to_file=secret)
    app = Mastodon(client_id=secret, api_base_url=phiomia.url)
    address = app.auth_request_url(scopes=SCOPES, redirect_uris=OUT_OF_BAND, allow_http=True)
    code = phiomia.authorize(alice, address)
    token = app.log_in(code=code, scopes=SCOPES, redirect_uri=OUT_OF_BAND, allow_http=True)
    assert app.access_token == token
    assert app.me().acct == alice.username
    assert app.app_verify_credentials().name == "Walk"
    app.revoke_access_token(allow_http=True)
    with pytest.raises(MastodonAPIError):
        Mastodon(access_token=token, api_base_url=phiomia.url).me()


@SQLITE
def test_sign_in_with_a_proof_key(phiomia: RunningServer) -> None:
    alice = phiomia.sign_up("alice")
    client_id, client_secret = Mastodon.create_app("Proof", scopes=SCOPES, api_base_url=phiomia.url)
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    app = Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=phiomia.url)
    address = app.auth_request_url(scopes=SCOPES, allow_http=True)
    code = phiomia.authorize(alice, f"{address}&code_challenge={challenge}&code_challenge_method=S256")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": OUT_OF_BAND, "client_id": client_id}
    form["client_secret"] = client_secret
    wrong = requests.post(f"{phiomia.url}/oauth/token", data=form | {"code_verifier": "x" * 43}, timeout=PATIENCE)
    assert wrong.status_code == 400
    code = phiomia.authorize(alice, f"{address}&code_challenge={challenge}&code_challenge_method=S256")
    form |= {"code": code, "code_verifier": verifier}
    right = requests.post(f"{phiomia.url}/oauth/token", data=form, timeout=PATIENCE)
    assert right.ok, right.text
    assert Mastodon(access_token=right.json()["access_token"], api_base_url=phiomia.url).me().id == alice.id


@SQLITE
def test_sign_up_by_an_app(phiomia: RunningServer) -> None:
    client_id, client_secret = Mastodon.create_app("Join", scopes=SCOPES, api_base_url=phiomia.url)
    app = Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=phiomia.url)
    name = f"new{secrets.token_hex(3)}"
    app.create_account(name, PASSWORD, f"{name}@mail.example", agreement=True, scopes=SCOPES)
    assert app.me().username == name


@BOTH
def test_posts(phiomia: RunningServer) -> None:
    alice, bob = (client(phiomia, phiomia.sign_up(name)) for name in ("alice", "bob"))
    picture = alice.media_post(draw([200, 30, 30]), mime_type="image/png", description="red", synchronous=True)
    assert picture.url
    assert (picture.type, picture.description) == ("image", "red")
    picture = alice.media_update(picture, description="a red square", focus=(0.5, -0.5))
    post = alice.status_post(
        "Hello #World, see https://example.org/long/way/to/go",
        media_ids=[picture],
        spoiler_text="colours",
        language="en",
        visibility="public",
    )
    assert (post.spoiler_text, post.sensitive, post.language) == ("colours", True, "en")
    assert post.media_attachments[0].description == "a red square"
    assert [tag.name for tag in post.tags] == ["world"]
    assert requests.get(post.media_attachments[0].url, timeout=PATIENCE).content[:4]

    reply = bob.status_reply(post, "I see it")
    assert reply.in_reply_to_id == post.id
    assert reply.mentions[0].id == post.account.id
    context = alice.status_context(post)
    assert [one.id for one in context.descendants] == [reply.id]
    assert [one.id for one in alice.status_context(reply).ancestors] == [post.id]

    assert bob.status_reblog(post).reblog.id == post.id
    assert bob.status_favourite(post).favourited
    assert bob.status_bookmark(post).bookmarked
    seen = alice.status(post)
    assert (seen.replies_count, seen.reblogs_count, seen.favourites_count) == (1, 1, 1)
    me = bob.me()
    assert [one.id for one in alice.status_reblogged_by(post)] == [me.id]
    assert [one.id for one in alice.status_favourited_by(post)] == [me.id]
    assert [one.id for one in bob.favourites()] == [post.id]
    assert [one.id for one in bob.bookmarks()] == [post.id]
    assert not bob.status_unreblog(post).reblogged
    assert not bob.status_unfavourite(post).favourited
    assert not bob.status_unbookmark(post).bookmarked
    assert alice.status_pin(post).pinned
    assert [one.id for one in bob.account_statuses(alice.me(), pinned=True)] == [post.id]
    assert not alice.status_unpin(post).pinned
    assert alice.status_mute(post).muted
    assert not alice.status_unmute(post).muted


@BOTH
def test_edits_and_deletions(phiomia: RunningServer) -> None:
    alice, bob = (client(phiomia, phiomia.sign_up(name)) for name in ("alice", "bob"))
    post = alice.status_post("First word", idempotency_key=secrets.token_hex(8))
    edited = alice.status_update(post, "Second word", spoiler_text="thought better of it")
    assert edited.edited_at
    assert "Second" in edited.content
    assert ["First" in one.content for one in alice.status_history(post)] == [True, False]
    source = alice.status_source(post)
    assert (source.text, source.spoiler_text) == ("Second word", "thought better of it")
    with pytest.raises(MastodonAPIError):
        bob.status_update(post, "Not mine")
    deleted = alice.status_delete(post)
    assert deleted.text == "Second word"
    with pytest.raises(MastodonNotFoundError):
        bob.status(post)


@BOTH
def test_same_key_same_post(phiomia: RunningServer) -> None:
    alice = client(phiomia, phiomia.sign_up("alice"))
    key = secrets.token_hex(16)
    assert alice.status_post("Once", idempotency_key=key).id == alice.status_post("Once", idempotency_key=key).id
    assert len(alice.account_statuses(alice.me())) == 1


@BOTH
def test_polls(phiomia: RunningServer) -> None:
    alice, bob = (client(phiomia, phiomia.sign_up(name)) for name in ("alice", "bob"))
    poll = alice.make_poll(["Tea", "Coffee", "Water"], expires_in=3600, multiple=True)
    post = alice.status_post("What do you drink?", poll=poll)
    assert [option.title for option in post.poll.options] == ["Tea", "Coffee", "Water"]
    voted = bob.poll_vote(post.poll, [0, 2])
    assert voted.voted
    assert voted.own_votes == [0, 2]
    seen = alice.poll(post.poll)
    assert (seen.votes_count, seen.voters_count) == (2, 1)
    assert [option.votes_count for option in seen.options] == [1, 0, 1]
    with pytest.raises(MastodonAPIError):
        bob.poll_vote(post.poll, [0])


@BOTH
def test_people(phiomia: RunningServer) -> None:
    members = [phiomia.sign_up(name) for name in ("alice", "bob", "carol")]
    alice, bob, carol = (client(phiomia, member) for member in members)
    alice_id, bob_id, carol_id = (member.id for member in members)
    assert alice.account_follow(bob_id).following
    assert bob.account_relationships(alice_id)[0].followed_by
    assert [one.id for one in alice.account_following(alice_id)] == [bob_id]
    assert [one.id for one in alice.account_followers(bob_id)] == [alice_id]
    assert alice.account_lookup(members[1].username).id == bob_id
    assert not alice.account_unfollow(bob_id).following

    carol.account_update_credentials(locked=True)
    assert alice.account_follow(carol_id).requested
    assert bob.account_follow(carol_id).requested
    assert {one.id for one in carol.follow_requests()} == {alice_id, bob_id}
    assert carol.follow_request_authorize(alice_id).followed_by
    assert not carol.follow_request_reject(bob_id).followed_by
    assert alice.account_relationships(carol_id)[0].following
    assert not bob.account_relationships(carol_id)[0].requested
    private = carol.status_post("For those I know", visibility="private")
    assert alice.status(private).id == private.id
    with pytest.raises(MastodonNotFoundError):
        bob.status(private)

    assert carol.account_remove_from_followers(alice_id) is not None
    assert not alice.account_relationships(carol_id)[0].following

    assert alice.account_mute(bob_id, notifications=True, duration=3600).muting
    assert [one.id for one in alice.mutes()] == [bob_id]
    assert not alice.account_unmute(bob_id).muting
    assert alice.account_block(bob_id).blocking
    assert [one.id for one in alice.blocks()] == [bob_id]
    post = alice.status_post("Not for everybody")
    with pytest.raises(MastodonNotFoundError):
        bob.status(post)
    assert not alice.account_unblock(bob_id).blocking
    assert alice.account_note_set(bob_id, "lends books").note == "lends books"


@BOTH
def test_notifications(phiomia: RunningServer) -> None:
    members = [phiomia.sign_up(name) for name in ("alice", "bob")]
    alice, bob = (client(phiomia, member) for member in members)
    post = alice.status_post("Something to talk about")
    bob.account_follow(members[0].id)
    bob.status_favourite(post)
    bob.status_reblog(post)
    bob.status_post(f"@{members[0].username} what do you mean?")
    told = alice.notifications()
    assert [one.type for one in told] == ["mention", "reblog", "favourite", "follow"]
    assert {one.account.id for one in told} == {members[1].id}
    assert [one.type for one in alice.notifications(types=["follow"])] == ["follow"]
    assert alice.notifications(told[0].id).status.account.id == members[1].id
    alice.notifications_dismiss(told[0])
    assert len(alice.notifications()) == 3
    alice.notifications_clear()
    assert alice.notifications() == []


@BOTH
def test_timelines_and_their_pages(phiomia: RunningServer) -> None:
    members = [phiomia.sign_up(name) for name in ("alice", "bob")]
    alice, bob = (client(phiomia, member) for member in members)
    alice.account_follow(members[1].id)
    tag = f"walk{secrets.token_hex(3)}"
    posts = [bob.status_post(f"Number {number} #{tag}").id for number in range(5)]
    posts.reverse()
    for read in (
        lambda: alice.timeline_home(limit=2),
        lambda: alice.timeline_hashtag(tag, limit=2),
        lambda: alice.account_statuses(members[1].id, limit=2),
    ):
        first = read()
        second = alice.fetch_next(first)
        third = alice.fetch_next(second)
        assert [[one.id for one in page] for page in (first, second, third)] == [posts[:2], posts[2:4], posts[4:]]
        assert [one.id for one in alice.fetch_previous(second)] == posts[:2]
        assert [one.id for one in alice.fetch_remaining(read())] == posts
    anybody = client(phiomia, None)
    assert set(posts) <= {one.id for one in anybody.timeline_local(limit=40)}
    assert set(posts) <= {one.id for one in anybody.timeline_public(limit=40)}
    direct = bob.status_post(f"@{members[0].username} only you", visibility="direct")
    talks = alice.conversations()
    assert [talk.last_status.id for talk in talks] == [direct.id]
    assert talks[0].unread
    assert not alice.conversations_read(talks[0]).unread


@BOTH
def test_search(phiomia: RunningServer) -> None:
    member = phiomia.sign_up("alice")
    alice = client(phiomia, member)
    word = f"quince{secrets.token_hex(4)}"
    post = alice.status_post(f"The {word} is ripe #{word}")

    def is_found() -> bool:
        return [one.id for one in alice.search(word, result_type="statuses").statuses] == [post.id]

    phiomia.until(is_found, "the post is found")
    assert [one.name for one in alice.search(f"#{word}", result_type="hashtags").hashtags] == [word]
    people = alice.search(member.username, result_type="accounts").accounts
    assert [one.id for one in people] == [member.id]
    assert [one.id for one in alice.account_search(member.username)] == [member.id]


@BOTH
def test_own_profile(phiomia: RunningServer) -> None:
    alice = client(phiomia, phiomia.sign_up("alice"))
    before = alice.account_verify_credentials()
    after = alice.account_update_credentials(
        display_name="Alice of the walk",
        note="Goes about. #walking",
        avatar=draw([10, 120, 60], 128),
        avatar_mime_type="image/png",
        header=draw([60, 10, 120], 128),
        header_mime_type="image/png",
        fields=[("Where", "here"), ("Site", "https://example.org")],
        bot=False,
        discoverable=True,
    )
    assert after.display_name == "Alice of the walk"
    assert after.avatar != before.avatar
    assert after.header != before.header
    assert [one.name for one in after.fields] == ["Where", "Site"]
    assert after.source.note == "Goes about. #walking"
    assert requests.get(after.avatar, timeout=PATIENCE).headers["Content-Type"].startswith("image/")
    assert alice.preferences()["posting:default:visibility"] == "public"
    alice.account_update_credentials(locked=True)
    assert alice.me().locked


@BOTH
def test_markers(phiomia: RunningServer) -> None:
    alice = client(phiomia, phiomia.sign_up("alice"))
    post = alice.status_post("Read up to here")
    marked = alice.markers_set(["home"], [post])
    assert marked["home"].last_read_id == post.id
    assert alice.markers_get(["home"])["home"].version == marked["home"].version


@SQLITE
def test_the_server_itself(phiomia: RunningServer) -> None:
    anybody = client(phiomia, None)
    assert anybody.instance_health()
    assert anybody.instance_v1().uri == phiomia.bind
    assert anybody.instance_v2().domain == phiomia.bind
    assert anybody.retrieve_mastodon_version().startswith("4.")
    assert anybody.custom_emojis() == []


class Told(StreamListener):
    """What a stream brings, to be waited for."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()

    def on_update(self, status: Any) -> None:
        self.events.put(("update", status.id))

    def on_status_update(self, status: Any) -> None:
        self.events.put(("status.update", status.id))

    def on_delete(self, status_id: Any) -> None:
        self.events.put(("delete", status_id))

    def on_notification(self, notification: Any) -> None:
        self.events.put(("notification", notification.type))

    def on_abort(self, err: Exception) -> None:
        self.events.put(("abort", err))

    def wait_for(self, *wanted: tuple[str, Any]) -> None:
        """Passes once all of that has come, among other things and in any order."""
        missing, seen = set(wanted), []
        while missing:
            try:
                event = self.events.get(timeout=PATIENCE)
            except queue.Empty:
                pytest.fail(f"never came: {missing}; there were {seen}")
            seen.append(event)
            missing.discard(event)


@BOTH
def test_streams(phiomia: RunningServer) -> None:
    members = [phiomia.sign_up(name) for name in ("alice", "bob")]
    alice, bob = (client(phiomia, member) for member in members)
    alice.account_follow(members[1].id)
    tag = f"live{secrets.token_hex(3)}"
    home, local, tagged = Told(), Told(), Told()
    handles = [
        alice.stream_user(home, run_async=True, timeout=PATIENCE),
        alice.stream_local(local, run_async=True, timeout=PATIENCE),
        alice.stream_hashtag(tag, tagged, run_async=True, timeout=PATIENCE),
    ]
    try:
        phiomia.until(lambda: all(handle.connection for handle in handles), "the streams are open")
        post = bob.status_post(f"Live for @{members[0].username} #{tag}")
        home.wait_for(("update", post.id), ("notification", "mention"))
        local.wait_for(("update", post.id))
        tagged.wait_for(("update", post.id))
        bob.status_update(post, f"Still live for @{members[0].username} #{tag}")
        for told in (home, local, tagged):
            told.wait_for(("status.update", post.id))
        bob.status_delete(post)
        for told in (home, local, tagged):
            told.wait_for(("delete", post.id))
        bob.account_follow(members[0].id)
        home.wait_for(("notification", "follow"))
    finally:
        for handle in handles:
            # It waits for what comes next on the stream.
            threading.Thread(target=handle.close, daemon=True).start()
