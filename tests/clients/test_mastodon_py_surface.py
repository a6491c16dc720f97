"""Every public method of Mastodon.py is called, and what it gives is what the client's own types say.

The methods are found by looking: a release of the client with a new one fails here until the walk below calls it.
"""

from __future__ import annotations

import datetime as datetime_module
import inspect
import secrets
import threading
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from mastodon import Mastodon, StreamListener
from mastodon.errors import MastodonAPIError, MastodonIllegalArgumentError, MastodonNotFoundError, MastodonVersionError
from mastodon.types_base import AttribAccessDict

from clients.test_mastodon_py import OUT_OF_BAND, SCOPES, draw
from lived_in import make_subscription
from server import PASSWORD, PATIENCE, Member, RunningServer

ADMIN = "servers are run by commands here, not by clients"
REPORTS_OF_YEARS = "this server looks at nobody's year"
# By name, or by how names begin when they end in *.
NOT_APPLICABLE = {
    "admin_*": ADMIN,
    "annual_report*": REPORTS_OF_YEARS,
    "get_status_length": "asks no server, and needs a package that we have no use for",
    "push_subscription_decrypt_push": "asks no server, and needs a package that we have no use for",
    "stream_open_websocket": "needs another package; tests/streaming and masto open websockets",
}
# What the client makes by itself, or gives as None against its own words.
OWN = {"make_poll", "status_card"}
LATER = datetime(2999, 1, 1, tzinfo=UTC)


class Walker:
    """A client that remembers which methods were called, and looks at all that they give."""

    called: typing.ClassVar[set[str]] = set()
    faults: typing.ClassVar[list[str]] = []

    def __init__(self, client: Mastodon) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.called.add(name)
            given = method(*arguments, **named)
            if name in OWN:
                return given
            kind = typing.get_type_hints(inspect.unwrap(getattr(Mastodon, name))).get("return", Any)
            self.faults.extend(misfits(kind, given, f"{name}()"))
            return given

        return call

    def refuses(self, error: type[Exception], name: str, *arguments: Any, **named: Any) -> None:
        """The method is called and fails in this way."""
        with pytest.raises(error):
            getattr(self, name)(*arguments, **named)


def misfits(kind: Any, value: Any, where: str) -> list[str]:
    """What of the value is not as the client declares it."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or isinstance(kind, typing.TypeVar):
        return []
    if kind is None or kind is type(None):
        return [] if value is None or value == {} else [f"{where}: {value!r:.80} instead of nothing"]
    if origin in (typing.Union, types.UnionType):
        tries = [misfits(one, value, where) for one in inner]
        return [] if [] in tries else min(tries, key=len)
    if isinstance(origin, type) and issubclass(origin, tuple):
        return [] if isinstance(value, tuple) else [f"{where}: {value!r:.80} is no tuple"]
    if isinstance(origin, type) and issubclass(origin, list):
        if not isinstance(value, list):
            return [f"{where}: {value!r:.80} is no list"]
        return [fault for n, one in enumerate(value) for fault in misfits(inner[0], one, f"{where}[{n}]")]
    if origin is not None:
        return [] if isinstance(value, origin) else [f"{where}: {value!r:.80} is no {kind}"]
    if isinstance(kind, type) and issubclass(kind, AttribAccessDict):
        return _misfitting_fields(kind, value, where)
    if kind is datetime_module:  # as one method is declared by mistake
        kind = datetime
    wanted = (float, int) if kind is float else kind
    return [] if isinstance(value, wanted) else [f"{where}: {value!r:.80} is no {kind.__name__}"]


def _misfitting_fields(kind: type, value: Any, where: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{where}: {value!r:.80} is no {kind.__name__}"]
    faults = []
    for name, inner in typing.get_type_hints(kind).items():
        # The client writes None for what is not there; what must be there is the matter of tests/contract.py.
        if value.get(name) is not None:
            faults += misfits(inner, value[name], f"{kind.__name__}.{name}")
    return faults


class Deaf(StreamListener):
    """Listens and says nothing."""


class Story:
    """Two members with a client each, and one without a token."""

    def __init__(self, server: RunningServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.members = [server.sign_up("alice"), server.sign_up("bob")]
        self.alice, self.bob = (Walker(self._open(member)) for member in self.members)
        self.alice_id, self.bob_id = (member.id for member in self.members)
        self.recommended = server.sign_up("carol")
        self._open(self.recommended).account_update_credentials(discoverable=True)
        self.mark = f"surface{secrets.token_hex(3)}"

    def _open(self, member: Member) -> Mastodon:
        return Mastodon(access_token=member.token, api_base_url=self.server.url, request_timeout=PATIENCE)


def sign_in(story: Story) -> None:
    url = story.server.url
    app = Walker(Mastodon(api_base_url=url))
    client_id, client_secret = app.create_app("Surface", scopes=SCOPES, api_base_url=url)
    app = Walker(Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=url))
    address = app.auth_request_url(scopes=SCOPES, redirect_uris=OUT_OF_BAND, allow_http=True)
    code = story.server.authorize(story.members[0], address)
    app.log_in(code=code, scopes=SCOPES, redirect_uri=OUT_OF_BAND, allow_http=True)
    assert app.persistable_login_credentials()
    app.app_verify_credentials()
    app.oauth_authorization_server_info()
    # It talks of people with servers on TLS only.
    app.refuses(MastodonIllegalArgumentError, "oauth_userinfo")
    app.revoke_access_token(allow_http=True)
    app = Walker(Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=url))
    name = f"new{secrets.token_hex(3)}"
    app.create_account(name, PASSWORD, f"{name}@mail.example", agreement=True, scopes=SCOPES)
    # It is confirmed at once here.
    app.refuses(MastodonAPIError, "email_resend_confirmation")


def about_the_server(story: Story) -> None:
    alice = story.alice
    story.server.command("announcements", "add", f"#{story.mark}")
    for name in (
        "custom_emojis", "get_approx_server_time", "get_supported_version", "instance", "instance_activity",
        "instance_domain_blocks", "instance_extended_description", "instance_health", "instance_languages",
        "instance_nodeinfo", "instance_peers", "instance_rules", "instance_translation_languages", "instance_v1",
        "instance_v2", "preferences", "profile", "retrieve_mastodon_version", "stream_healthy",
        "trending_links", "trending_statuses", "trending_tags", "trends", "clear_caches", "directory",
    ):  # fmt: skip
        getattr(alice, name)()
    path = story.folder / "terms.txt"
    path.write_text("Be kind.")
    story.server.command("texts", "set", "terms", str(path), "--effective", "2020-01-01")
    alice.instance_terms_of_service()
    assert alice.verify_minimum_version("4.4.0")
    assert alice.timeline_is_available("public", fail_hard=True)
    alice.set_language("en")
    announcement = alice.announcements()[-1]
    alice.announcement_reaction_create(announcement, "🎉")
    assert alice.announcements()[-1].reactions
    alice.announcement_reaction_delete(announcement, "🎉")
    alice.announcement_dismiss(announcement)


def people(story: Story) -> None:
    alice, bob, bob_id = story.alice, story.bob, story.bob_id
    bob.account_update_credentials(discoverable=True, note=f"#{story.mark}", fields=[("Where", "here")])
    alice.follows(story.members[1].username)
    alice.account_follow(bob_id)
    bob.account_follow(story.alice_id)
    for name in (
        "account", "account_collections", "account_familiar_followers", "account_featured_tags", "account_followers",
        "account_following", "account_in_collections", "account_lists", "account_relationships", "account_statuses",
    ):  # fmt: skip
        getattr(alice, name)(bob_id if name != "account_in_collections" else story.alice_id)
    alice.accounts([bob_id])
    alice.account_lookup(story.members[1].username)
    assert alice.account_search(story.members[1].username)
    alice.account_verify_credentials()
    alice.me()
    alice.account_note_set(bob_id, "lends books")
    alice.account_endorse(bob_id)
    assert alice.endorsements()
    alice.account_unendorse(bob_id)
    alice.account_pin(bob_id)
    alice.account_unpin(bob_id)
    alice.account_remove_from_followers(bob_id)
    alice.account_mute(bob_id)
    assert alice.mutes()
    alice.account_unmute(bob_id)
    alice.account_block(bob_id)
    assert alice.blocks()
    alice.account_unblock(bob_id)
    alice.account_unfollow(bob_id)
    alice.domain_block("blocked.example")
    assert alice.domain_blocks() == ["blocked.example"]
    alice.domain_unblock("blocked.example")
    alice.suggestions()
    alice.suggestions_v1()
    alice.suggestions_v2()
    alice.suggestion_delete(bob_id)
    alice.report(bob_id, comment="look", category="other")
    alice.refuses(MastodonVersionError, "reports")


def requests_to_follow(story: Story) -> None:
    alice, bob = story.alice, story.bob
    alice.account_update_credentials(locked=True, avatar=draw([9, 9, 9]), avatar_mime_type="image/png")
    bob.account_follow(story.alice_id)
    assert [one.id for one in alice.follow_requests()] == [story.bob_id]
    alice.follow_request_authorize(story.bob_id)
    alice.account_remove_from_followers(story.bob_id)
    bob.account_follow(story.alice_id)
    alice.follow_request_reject(story.bob_id)
    alice.profile_update(locked=False, display_name="Alice", header=draw([8, 8, 8]), header_mime_type="image/png")
    alice.account_delete_avatar()
    alice.account_delete_header()


def posts(story: Story) -> None:
    alice, bob = story.alice, story.bob
    picture = alice.media_post(draw([200, 30, 30]), mime_type="image/png", description="red", synchronous=True)
    picture = alice.media_update(alice.media(picture), description="a red square")
    assert alice.decode_blurhash(picture)
    post = alice.status_post(f"Hello #{story.mark}", media_ids=[picture], quote_approval_policy="public")
    attributes = [
        alice.generate_media_edit_attributes(
            picture, "red again", (0.0, 0.5), BytesIO(draw([30, 200, 30])), "image/png"
        )
    ]
    post = alice.status_update(post, f"Hi #{story.mark}", media_attributes=attributes)
    assert post.media_attachments[0].description == "red again"
    assert post.media_attachments[0].preview_url != picture.preview_url
    alice.toot("short")
    reply = bob.status_reply(post, "I see it")
    for act in ("reblog", "favourite", "bookmark"):
        getattr(bob, f"status_{act}")(post)
    for name in (
        "status", "status_card", "status_context", "status_favourited_by", "status_history", "status_reblogged_by",
        "status_source", "status_mute", "status_unmute", "status_pin", "status_unpin",
    ):  # fmt: skip
        getattr(alice, name)(post)
    assert alice.statuses([post, reply])
    assert bob.favourites()
    assert bob.bookmarks()
    for act in ("reblog", "favourite", "bookmark"):
        getattr(bob, f"status_un{act}")(post)
    quote = bob.status_post("Look at this", quoted_status_id=post)
    assert [one.id for one in alice.status_quotes(post)] == [quote.id]
    assert alice.status_quote_revoke(post, quote).quote.state == "revoked"
    alice.status_update_quote_approval_policy(post, "nobody")
    # No service for translations is set up.
    alice.refuses(MastodonAPIError, "status_translate", post, lang="de")
    poll = alice.make_poll(["Tea", "Coffee"], expires_in=3600)
    asked = alice.status_post("What do you drink?", poll=poll)
    bob.poll_vote(asked.poll, [0])
    alice.poll(asked.poll)
    alice.status_delete(asked)
    later = alice.status_post("later", scheduled_at=LATER)
    alice.scheduled_status(later)
    alice.scheduled_status_update(later, LATER.replace(month=2))
    assert alice.scheduled_statuses()
    alice.scheduled_status_delete(later)


def refreshes(story: Story) -> None:
    context = story.alice.status_context(story.alice.status_post("Nobody has answered"))
    assert story.alice.get_async_refresh_info(context) is None
    assert story.alice.await_async_refresh(context) == context
    known = story.alice.status_post("Again")
    assert story.alice.get_async_refresh_status(f"{known.id}-0").status == "finished"


def timelines(story: Story) -> None:
    alice, bob = story.alice, story.bob
    alice.account_follow(story.bob_id)
    for _ in range(3):
        bob.status_post(f"More #{story.mark}")
    for read in (
        alice.timeline, alice.timeline_home, alice.timeline_local, alice.timeline_public,
    ):  # fmt: skip
        assert read()
    first = alice.timeline_hashtag(story.mark, limit=2)
    second = alice.fetch_next(first)
    assert [one.id for one in alice.fetch_previous(second)] == [one.id for one in first]
    assert alice.get_pagination_info(first, "next")
    seen = {one.id for one in alice.fetch_remaining(first)}
    assert seen == {one.id for one in alice.pagination_iterator(first)}
    assert len(list(alice.pagination_page_iterator(first))) > 1
    alice.refuses(MastodonNotFoundError, "timeline_link", "https://example.org/nobody-shared-it")
    direct = bob.status_post(f"@{story.members[0].username} only you", visibility="direct")
    talk = alice.conversations()[0]
    assert talk.last_status.id == direct.id
    alice.conversations_read(talk)
    alice.markers_set(["home"], [direct])
    alice.markers_get(["home"])
    story.server.until(lambda: alice.search(story.mark).statuses, "posts are found")
    alice.search_v2(story.members[1].username)
    alice.refuses(MastodonNotFoundError, "search_v1", story.mark)
    made = alice.list_create("Some", replies_policy="none")
    alice.list_accounts_add(made, [story.bob_id])
    assert alice.list_accounts(made)
    bob.status_post("for the list")
    assert alice.timeline_list(made)
    alice.list(made)
    assert alice.lists()
    alice.list_update(made, "Others")
    alice.list_accounts_delete(made, [story.bob_id])
    alice.list_delete(made)


def hashtags(story: Story) -> None:
    alice = story.alice
    alice.tag(story.mark)
    alice.tag_follow(story.mark)
    assert alice.followed_tags()
    alice.tag_unfollow(story.mark)
    alice.tag_feature(story.mark)
    assert alice.featured_tags()
    alice.tag_unfeature(story.mark)
    alice.featured_tag_suggestions()
    alice.featured_tag_delete(alice.featured_tag_create(story.mark))


def filters(story: Story) -> None:
    alice, post = story.alice, story.bob.status_post("nothing but quinces")
    old = alice.filter_create("quinces", ["home"])
    alice.filter(old)
    alice.filter_update(old, phrase="medlars", context=["home"])
    assert len(alice.filters_apply([post], alice.filters(), "home")) == 1
    alice.filter_delete(old)
    words = [{"keyword": "quinces", "whole_word": True}]
    made = alice.create_filter_v2("Fruit", ["home"], "warn", keywords_attributes=words)
    alice.filter_v2(made)
    assert alice.filters_v2()
    alice.update_filter_v2(made, title="No fruit")
    word = alice.add_filter_keyword_v2(made, "pears")
    assert len(alice.filter_keywords_v2(made)) == 2
    alice.delete_filter_keyword_v2(word)
    entry = alice.add_filter_status_v2(made, post)
    assert alice.filter_statuses_v2(made)
    alice.filter_status_v2(entry)
    alice.delete_filter_status_v2(entry)
    alice.delete_filter_v2(made)


def collections(story: Story) -> None:
    alice, bob = story.alice, story.bob
    made = alice.collection_create("Good ones", description="All of them").collection
    alice.collection(made)
    alice.collection_update(made, name="Better ones")
    item = alice.collection_item_add(made, story.bob_id).collection_item
    assert bob.account_in_collections(story.bob_id).collections
    bob.collection_item_revoke(made, item)
    item = alice.collection_item_add(made, story.recommended.id).collection_item
    alice.collection_item_delete(made, item)
    alice.collection_delete(made)


def notifications(story: Story) -> None:
    alice, bob = story.alice, story.bob
    post = alice.status_post("Something to talk about")
    bob.status_favourite(post)
    bob.status_reblog(post)
    told = alice.notifications()
    alice.notifications(told[0].id)
    alice.notifications_unread_count()
    alice.grouped_notifications()
    alice.unread_grouped_notifications_count()
    group = alice.grouped_notifications().notification_groups[0].group_key
    alice.grouped_notification(group)
    alice.grouped_notification_accounts(group)
    alice.dismiss_grouped_notification(group)
    alice.notifications_dismiss(alice.notifications()[0])
    alice.notifications_policy()
    alice.update_notifications_policy(for_not_following="filter")
    for _ in range(4):
        Walker(story._open(story.server.sign_up("carol"))).status_post(f"@{story.members[0].username} hello?")
    waiting = alice.notification_requests()
    assert len(waiting) == 4
    alice.notification_request(waiting[0])
    alice.accept_notification_request(waiting[0])
    alice.dismiss_notification_request(waiting[1])
    alice.accept_multiple_notification_requests(waiting[2:3])
    alice.dismiss_multiple_notification_requests(waiting[3:])
    story.server.until(alice.notifications_merged, "what was let through is there")
    alice.notifications_clear()


def push(story: Story) -> None:
    alice = story.alice
    _, public = alice.push_subscription_generate_keys()
    alice.push_subscription_set(make_subscription()["endpoint"], public, mention_events=True)
    alice.push_subscription()
    alice.push_subscription_update(quote_events=True)
    alice.push_subscription_delete()


def streams(story: Story) -> None:
    alice = story.alice
    made = alice.list_create("Live")
    options = {"run_async": True, "timeout": PATIENCE}
    handles = [
        alice.stream_user(Deaf(), **options),
        alice.stream_user_notifications(Deaf(), **options),
        alice.stream_public(Deaf(), **options),
        alice.stream_local(Deaf(), **options),
        alice.stream_direct(Deaf(), **options),
        alice.stream_hashtag(story.mark, Deaf(), **options),
        alice.stream_list(made, Deaf(), **options),
    ]
    try:
        story.server.until(lambda: all(handle.connection for handle in handles), "the streams are open")
    finally:
        for handle in handles:
            # It waits for what comes next on the stream.
            threading.Thread(target=handle.close, daemon=True).start()


WALKS = (
    sign_in, about_the_server, people, requests_to_follow, posts, refreshes, timelines, hashtags, filters, collections,
    notifications, push, streams,
)  # fmt: skip


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_every_method(phiomia: RunningServer, tmp_path: Path) -> None:
    Walker.called, Walker.faults = set(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        story = Story(phiomia, tmp_path)
        for walk in WALKS:
            walk(story)
    public = {name for name, _ in inspect.getmembers(Mastodon, callable) if not name.startswith("_")}
    left_out = {name for name in public if _is_left_out(name)}
    assert sorted(public - left_out - Walker.called) == []
    assert sorted(left_out & Walker.called) == []
    assert sorted(set(Walker.faults)) == []


def _is_left_out(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in NOT_APPLICABLE)
