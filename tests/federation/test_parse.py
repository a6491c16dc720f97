"""What documents of other servers become: drafts, whatever their flavour; or a refusal, never a surprise."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phiomia.domain.media.kinds import MediaKind
from phiomia.domain.statuses.visibility import Visibility
from phiomia.federation.parse.actor import parse_actor
from phiomia.federation.parse.addresses import page_of
from phiomia.federation.parse.attachments import parse_attachments
from phiomia.federation.parse.audience import parse_audience, visibility_of
from phiomia.federation.parse.collections import lists_something, parse_page
from phiomia.federation.parse.languages import language_of
from phiomia.federation.parse.moments import read_moment, read_past_moment
from phiomia.federation.parse.note import is_vote, parse_note
from phiomia.federation.parse.values import Rejected, address, host_of, ids, same_host
from phiomia.platform.clock import now_ms, parse_iso
from phiomia.platform.limits import REMOTE_MEDIA

URI = "https://far.example/1"
AUTHOR = "https://far.example/dora"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


def make(**more: Any) -> dict[str, Any]:
    """A Note with other properties."""
    return {"id": URI, "type": "Note", "attributedTo": AUTHOR, "content": "<p>Hi</p>", **more}


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://Far.Example/x", "far.example"),
        ("https://far.example:443/x", "far.example"),
        ("http://far.example:8080", "far.example:8080"),
        ("https://dora@far.example/", ""),
        ("https://far.example /", ""),
        ("https://[", ""),
        ("https://far.example:x/", ""),
        ("ftp://far.example/", ""),
        ("https:///x", ""),
    ],
)
def test_hosts(value: str, host: str) -> None:
    assert host_of(value) == host


def test_values_in_every_spelling() -> None:
    assert ids(["https://a.example/1", {"id": "https://a.example/2"}, {"href": "https://a.example/3"}, 4, None]) == [
        "https://a.example/1",
        "https://a.example/2",
        "https://a.example/3",
    ]
    assert ids("https://a.example/1") == ["https://a.example/1"]
    assert address("javascript:alert(1)") == address(["https://a.example"]) == address(None) == ""
    assert not same_host("", "")


@pytest.mark.parametrize(
    "text",
    ["2026-05-04T10:20:30Z", "2026-05-04T12:20:30+02:00", "2026-05-04T03:20:30-0700", "2026-05-04T10:20:30.000000001Z"],
)
def test_moments(text: str) -> None:
    assert read_moment(text) == parse_iso("2026-05-04T10:20:30Z")


@pytest.mark.parametrize("text", ["", "soon", "12026-05-04T10:20:30Z", "1960-01-01T00:00:00Z", "0000-00-00", 5, None])
def test_what_is_no_moment(text: Any) -> None:
    assert read_moment(text) is None


def test_nobody_posts_in_the_future() -> None:
    assert (read_past_moment("9999-12-31T23:59:59Z") or 0) <= now_ms()


@pytest.mark.parametrize(
    ("to", "cc", "visibility"),
    [
        (PUBLIC, [], Visibility.PUBLIC),
        (["as:Public"], [], Visibility.PUBLIC),
        ([], "Public", Visibility.UNLISTED),
        ([{"id": PUBLIC}], None, Visibility.PUBLIC),
        ([f"{AUTHOR}/followers"], [], Visibility.PRIVATE),
        ([], [f"{AUTHOR}/followers"], Visibility.PRIVATE),
        ([f"{AUTHOR}/friends"], [], Visibility.DIRECT),
        (["https://far.example/#Public"], [], Visibility.DIRECT),
        (None, None, Visibility.DIRECT),
    ],
)
def test_visibility(to: Any, cc: Any, visibility: Visibility) -> None:
    assert visibility_of(parse_audience({"to": to, "cc": cc}), f"{AUTHOR}/followers") == visibility


def test_an_activity_addresses_what_does_not_say_itself() -> None:
    assert parse_note(make(), {"to": PUBLIC}).audience.public_in == "to"
    assert parse_note(make(to="https://a.example/x"), {"to": PUBLIC}).audience.public_in == ""


@pytest.mark.parametrize(
    ("document", "language"),
    [
        ({"content": "b", "contentMap": {"de": "a", "en": "b"}}, "en"),
        ({"content": "c", "contentMap": {"de": "a", "en": "b"}}, "de"),
        ({"contentMap": {"": "a"}}, None),
        ({"contentMap": {"und": "a"}}, None),
        ({"contentMap": ["de"]}, None),
        ({"summaryMap": {"pt-BR": "a"}}, "pt"),
    ],
)
def test_languages(document: dict[str, Any], language: str | None) -> None:
    assert language_of(document) == language


def test_texts() -> None:
    assert parse_note(make(content=None, contentMap={"en": "<p>x</p>"})).content == "<p>x</p>"
    assert parse_note(make(content=None)).content == ""
    assert parse_note(make(content="a <b>\n\nc", mediaType="text/markdown")).content == "<p>a &lt;b&gt;</p><p>c</p>"
    assert parse_note(make(content="<img src=x onerror=alert(1)>\0")).content == "\ufffd"
    assert parse_note(make(summary="\u200b")).spoiler_text == ""
    assert parse_note(make(summary="<b>Warm</b>")).spoiler_text == "Warm"
    assert parse_note(make(sensitive="true")).sensitive
    assert not parse_note(make(sensitive=None)).sensitive


def test_articles_become_a_title_and_a_link() -> None:
    article = make(type=["Article"], name="Fog & <sea>", summary="<p>Grey</p>", url="https://far.example/fog")
    content = parse_note(article).content
    assert "<strong>Fog &amp; &lt;sea&gt;</strong>" in content
    assert "<p>Grey</p>" in content
    assert 'href="https://far.example/fog"' in content
    assert parse_note(article).spoiler_text == ""
    assert "Hi" not in content


def test_edits_are_told_by_another_moment() -> None:
    published = "2026-05-04T10:20:30Z"
    assert parse_note(make(published=published, updated=published)).edited_at is None
    assert parse_note(make(published=published, updated="2026-05-04T10:20:31Z")).edited_at is not None


def test_attachments_of_every_kind() -> None:
    drafts = parse_attachments(
        [
            {"type": "Document", "mediaType": "image/png", "url": "https://f.example/1", "name": "One"},
            {"type": "Image", "url": {"type": "Link", "href": "https://f.example/2"}, "summary": "Two"},
            {"type": "Document", "url": [{"href": "https://f.example/3", "mediaType": "video/mp4"}]},
            {"type": "Document", "url": "https://f.example/4.mp3"},
            {"type": "Document", "href": "https://f.example/5"},
            {"type": "Link", "href": "https://f.example/page"},
            {"type": "Link", "href": "https://f.example/6", "mediaType": "image/webp"},
            {"type": "Document", "url": "https://f.example/1"},
            {"type": "Document", "url": "data:image/png;base64,AA"},
            {"type": "PropertyValue", "name": "x", "value": "y"},
            "https://f.example/7.png",
        ]
    )
    assert [(one.url[-1], one.kind) for one in drafts] == [
        ("1", MediaKind.IMAGE),
        ("2", MediaKind.IMAGE),
        ("3", MediaKind.VIDEO),
        ("3", MediaKind.AUDIO),
        ("5", MediaKind.UNKNOWN),
        ("6", MediaKind.IMAGE),
    ]
    assert [one.description for one in drafts[:3]] == ["One", "Two", None]
    (film,) = parse_attachments(
        {"type": "Video", "url": "https://f.example/v.mp4", "width": 640, "height": 360, "duration": "PT1M12.5S",
         "focalPoint": [2, 0], "blurhash": "<script>"}
    )  # fmt: skip
    assert film.meta == {
        "original": {"width": 640, "height": 360, "size": "640x360", "aspect": 1.777778, "duration": 72.5}
    }
    assert film.blurhash is None


def test_the_page_is_taken_from_many_addresses() -> None:
    film = {"type": "Link", "mediaType": "video/mp4", "href": "https://f.example/v.mp4"}
    page = {"type": "Link", "mediaType": "text/html; charset=utf-8", "href": "https://f.example/v"}
    assert page_of([film, page]) == page["href"]
    assert page_of([film]) == film["href"]
    assert page_of("https://f.example/x") == "https://f.example/x"
    assert page_of({"x": 1}) == page_of(None) == page_of("data:x") == ""


def test_tags() -> None:
    note = parse_note(
        make(
            content=":moss: :unused_not:",
            tag=[
                {"type": "Mention", "href": AUTHOR},
                {"type": ["Mention"], "href": AUTHOR, "name": "@dora"},
                {"type": "Mention", "href": "mailto:dora"},
                {"type": "Hashtag", "name": "Moss"},
                {"type": "Hashtag", "name": "#moss"},
                {"type": "Hashtag", "name": "#12"},
                {"type": "Hashtag", "name": "#a b"},
                {"type": "Hashtag"},
                {
                    "type": "Emoji",
                    "name": ":moss:",
                    "icon": {"url": "https://f.example/m.png"},
                    "updated": "1970-01-01",
                },
                {"type": "Emoji", "name": "m-ss", "icon": {"url": "https://f.example/m.png"}},
                {"type": "Emoji", "name": ":rain:", "icon": "https://f.example/r.png", "id": None},
                {"type": "Emoji", "name": ":none:"},
                None,
                "Mention",
            ],
        )
    )
    assert [mention.href for mention in note.mentions] == [AUTHOR]
    assert note.tags == [("moss", "Moss")]
    assert [emoji.shortcode for emoji in note.emojis] == ["moss", "rain"]
    assert note.emoji_names == ["moss"]


def test_quotes_in_every_spelling() -> None:
    quoted = "https://q.example/1"
    for name in ("quote", "_misskey_quote", "quoteUrl", "quoteUri"):
        assert parse_note(make(**{name: quoted})).quote == quoted
    link = {"type": "Link", "href": quoted, "rel": "https://misskey-hub.net/ns#_misskey_quote"}
    assert parse_note(make(tag=link)).quote == quoted
    assert parse_note(make(quote={"type": "Tombstone"})).quote == ""


def test_polls() -> None:
    options = [{"name": name, "replies": {"totalItems": number}} for name, number in (("a", 1), ("b", 2), ("a", 5))]
    poll = parse_note(make(type="Question", anyOf=options, closed=True)).poll
    assert poll is not None
    assert (poll.options, poll.votes, poll.multiple, poll.voters_count) == (["a", "b"], [1, 2], True, 2)
    assert poll.expires_at is not None and poll.expires_at <= now_ms()
    endless = parse_note(make(type="Question", oneOf=options[:2])).poll
    assert endless is not None and endless.endless
    assert parse_note(make(type="Question", oneOf=options[:1])).poll is None
    assert parse_note(make(oneOf=options)).poll is None


def test_votes_are_told_from_titles() -> None:
    vote = {"type": "Note", "name": "yes", "inReplyTo": "https://a.example/1"}
    assert is_vote(vote)
    assert not is_vote(vote | {"content": "<p>x</p>"})
    assert not is_vote({"type": "Note", "name": "yes"})


def test_pages_of_collections() -> None:
    first = {"type": "CollectionPage", "items": [URI, {"id": AUTHOR}], "next": "https://far.example/2"}
    assert parse_page({"type": "Collection", "first": first}) == ([URI, AUTHOR], "https://far.example/2")
    assert parse_page({"type": "OrderedCollection", "first": URI}) == ([], URI)
    assert parse_page({"type": "OrderedCollectionPage", "orderedItems": URI}) == ([URI], "")
    with pytest.raises(Rejected):
        parse_page({"type": "Note"})
    assert lists_something({"first": first})
    assert not lists_something({"first": {"items": []}})


@pytest.mark.parametrize(
    "document",
    [None, [], "x", {}, make(type="Person"), make(id=None), make(id="x"), make(attributedTo=None, actor=None)],
)
def test_what_is_no_post(document: Any) -> None:
    with pytest.raises(Rejected):
        parse_note(document)


@pytest.mark.parametrize(
    "more", [{"type": "Note"}, {"id": "x"}, {"preferredUsername": "a b"}, {"preferredUsername": ""}, {"inbox": None}]
)
def test_what_is_no_actor(more: dict[str, Any]) -> None:
    good = {"id": AUTHOR, "type": "Person", "preferredUsername": "dora", "inbox": f"{AUTHOR}/inbox"}
    parse_actor(good)
    with pytest.raises(Rejected):
        parse_actor(good | more)


def test_profiles() -> None:
    draft = parse_actor(
        {
            "id": AUTHOR, "type": ["Service"], "preferredUsername": "Dora.D", "inbox": f"{AUTHOR}/inbox",
            "url": "https://elsewhere.example/dora", "name": ":moss: Dora", "summary": "<p onclick=x>Hi</p>",
            "icon": [
                {"url": "https://far.example/s.png", "width": 9}, {"url": "https://far.example/l.png", "width": 90},
            ],
            "attachment": {"type": "PropertyValue", "name": "Blog", "value": "<a href='https://d.example'>d</a>"},
            "tag": {"type": "Emoji", "name": ":moss:", "icon": {"url": "https://far.example/m.png"}},
            "publicKey": [
                {"id": f"{AUTHOR}#k", "owner": AUTHOR, "publicKeyPem": "pem"},
                {"id": "https://evil.example/k", "owner": AUTHOR, "publicKeyPem": "pem"},
                {"id": f"{AUTHOR}#l", "owner": "https://far.example/eve", "publicKeyPem": "pem"},
            ],
            "alsoKnownAs": "https://old.example/dora", "sharedInbox": "https://far.example/inbox",
        }
    )  # fmt: skip
    assert (draft.bot, draft.is_group, draft.url, draft.note) == (True, False, AUTHOR, "<p>Hi</p>")
    assert draft.avatar.url == "https://far.example/l.png"
    assert [(one.name, one.value) for one in draft.fields] == [("Blog", "d")]
    assert draft.emoji_names == ["moss"]
    assert [key.id for key in draft.keys] == [f"{AUTHOR}#k"]
    assert (draft.also_known_as, draft.shared_inbox_url) == (["https://old.example/dora"], "https://far.example/inbox")


def test_of_what_is_sent_by_the_ten_thousand_little_is_read() -> None:
    kinds: list[dict[str, Any]] = [
        {"type": "Mention", "href": "https://m.example/{}"},
        {"type": "Hashtag", "name": "#tag{}"},
        {"type": "Emoji", "name": ":e_{}:", "icon": {"url": "https://m.example/{}"}},
    ]
    many = [
        {name: value.format(number) if isinstance(value, str) else value for name, value in kind.items()}
        for number in range(10_000)
        for kind in kinds
    ]
    attached = [{"type": "Image", "url": f"https://m.example/{number}"} for number in range(10_000)]
    people = [f"https://m.example/{number}" for number in range(10_000)]
    document = make(tag=many, attachment=attached, to=people, type="Question", oneOf=[{"name": one} for one in people])
    note = parse_note(document)
    assert len(note.mentions) <= 200
    assert len(note.tags) <= 100
    assert len(note.emojis) <= 100
    assert len(note.media) == REMOTE_MEDIA
    assert len(note.audience.to) <= 1_000
    assert note.poll is not None and len(note.poll.options) <= 500


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(
        [URI, AUTHOR, PUBLIC, "Note", "Question", "Person", "Mention", "Emoji", "Hashtag", "Image", "Link",
         "#a", ":ab:",
         "https://[", "https://x:99999/", "2026-05-04T10:20:30Z", "9999-12-31T23:59:59-23:59", "PT9M", "text/html",
         "\ud800", "<p>\0</p>", "image/png", "0001-01-01T00:00:00+14:00"]
    ),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["id", "type", "href", "url", "name", "icon", "value", "items", "first", "width", "height", "replies",
             "rel",
             "totalItems", "mediaType", "duration", "focalPoint", "blurhash", "updated", "publicKeyPem", "owner", "en"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip
NAMES = [
    "id", "type", "attributedTo", "actor", "content", "contentMap", "mediaType", "summary", "summaryMap", "name",
    "nameMap", "sensitive", "published", "updated", "url", "inReplyTo", "conversation", "context", "to", "cc", "bto",
    "bcc", "tag", "attachment", "oneOf", "anyOf", "endTime", "closed", "votersCount", "likes", "shares", "replies",
    "quote", "quoteUrl", "quoteAuthorization", "image", "icon", "preferredUsername", "inbox", "publicKey", "endpoints",
    "alsoKnownAs", "movedTo", "featured", "attributionDomains", "webfinger", "manuallyApprovesFollowers", "items",
    "first", "next", "orderedItems",
]  # fmt: skip
DOCUMENTS = st.dictionaries(st.sampled_from(NAMES), JUNK, max_size=20)


@settings(max_examples=120, deadline=None)
@given(DOCUMENTS, st.sampled_from(["Note", "Question", "Article", "Image", ["Page", "x"], None]), JUNK)
def test_junk_makes_a_post_or_a_refusal(junk: dict[str, Any], kind: Any, whole: Any) -> None:
    for document in (junk, junk | {"type": kind, "id": URI, "attributedTo": AUTHOR}, whole):
        try:
            note = parse_note(document, junk)
        except Rejected:
            continue
        note.content.encode()
        note.spoiler_text.encode()
        assert note.uri and note.authors
        assert is_vote(document) in (True, False)


@settings(max_examples=80, deadline=None)
@given(DOCUMENTS, JUNK)
def test_junk_makes_an_actor_or_a_refusal(junk: dict[str, Any], whole: Any) -> None:
    base = {"type": "Person", "id": AUTHOR, "preferredUsername": "dora", "inbox": f"{AUTHOR}/inbox"}
    for document in (junk, junk | base, whole):
        try:
            draft = parse_actor(document)
        except Rejected:
            continue
        (draft.display_name + draft.note).encode()
        assert draft.inbox_url


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS | JUNK)
def test_junk_makes_a_page_or_a_refusal(junk: Any) -> None:
    lists_something(junk)
    try:
        parse_page(junk)
    except Rejected:
        return
