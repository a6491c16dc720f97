"""Posts: notes and questions as they are, articles, films and events as a title with a link."""

from typing import Any, Final

import msgspec

from phiomia.domain.instance.remote_emojis import EmojiDraft
from phiomia.domain.media.remote import RemoteMedia
from phiomia.domain.statuses.draft import PollDraft
from phiomia.federation.parse.addresses import page_of
from phiomia.federation.parse.attachments import parse_attachments
from phiomia.federation.parse.audience import Audience, parse_audience
from phiomia.federation.parse.collections import lists_something
from phiomia.federation.parse.emojis import parse_emojis, used_shortcodes
from phiomia.federation.parse.languages import language_of, text_of
from phiomia.federation.parse.moments import read_moment, read_past_moment
from phiomia.federation.parse.policies import parse_policy
from phiomia.federation.parse.polls import parse_poll
from phiomia.federation.parse.quotes import parse_quote
from phiomia.federation.parse.tags import MentionDraft, parse_hashtags, parse_mentions, read_tags
from phiomia.federation.parse.values import Document, Rejected, address, id_of, ids, total_of, truth, types, words
from phiomia.platform.html import escape, sanitise, to_plain_text

WRITTEN: Final = frozenset({"Note", "Question"})
CONVERTED: Final = frozenset({"Article", "Page", "Image", "Audio", "Video", "Event"})
POSTS: Final = WRITTEN | CONVERTED

_TITLE: Final = 2_000
_WARNING: Final = 20_000
_TEXT: Final = 256 * 1024
_INVISIBLE: Final = " \t\r\n\u200b\u200c\u200d\u2060\ufeff"


class NoteDraft(msgspec.Struct, frozen=True):
    """A post of another server as its document has it; ids are still addresses."""

    uri: str
    authors: list[str]  # the first is the one to show
    content: str
    url: str = ""
    spoiler_text: str = ""
    sensitive: bool = False
    language: str | None = None
    created_at: int | None = None
    edited_at: int | None = None
    in_reply_to: str = ""
    conversation: str = ""
    audience: Audience = Audience()
    mentions: list[MentionDraft] = []
    tags: list[tuple[str, str]] = []
    emojis: list[EmojiDraft] = []  # all that came along
    emoji_names: list[str] = []  # those used
    media: list[RemoteMedia] = []
    poll: PollDraft | None = None
    quote: str = ""
    quote_authorization: str = ""
    quote_policy: list[list[str]] = []  # who may quote it at once, and who after being asked about
    favourites_count: int | None = None
    boosts_count: int | None = None
    replies_url: str = ""
    replies_listed: bool = False  # the post had answers when it was sent


def is_post(document: Any) -> bool:
    """Whether a document says to be something that can be shown as a post."""
    return not types(document).isdisjoint(POSTS)


def parse_note(document: Any, activity: Document | None = None) -> NoteDraft:
    """The draft of a post, addressed as itself or else its activity says. Raises Rejected."""
    if not isinstance(document, dict):
        raise Rejected("not an object")
    kinds = types(document)
    if kinds.isdisjoint(POSTS):
        raise Rejected("not a post")
    uri = address(document.get("id"))
    if not uri:
        raise Rejected("a post without id")
    authors = ids(document.get("attributedTo"), 16) or ids(document.get("actor"), 1)
    if not authors:
        raise Rejected("a post without author")
    return _describe(document, activity or {}, uri, authors, bool(kinds & WRITTEN))


def _describe(document: Document, activity: Document, uri: str, authors: list[str], is_written: bool) -> NoteDraft:
    url = page_of(document.get("url")) or uri
    content = _read_content(document) if is_written else _convert(document, url)
    warning = _read_warning(document) if is_written else ""
    tags = read_tags(document.get("tag"))
    emojis = parse_emojis(tags)
    poll = parse_poll(document) if "Question" in types(document) else None
    published = read_moment(document.get("published"))
    updated = read_past_moment(document.get("updated"))
    return NoteDraft(
        uri=uri,
        authors=authors,
        content=content,
        url=url,
        spoiler_text=warning,
        sensitive=truth(document.get("sensitive")),
        language=language_of(document),
        created_at=read_past_moment(document.get("published")),
        edited_at=updated if updated != published else None,
        in_reply_to=id_of(document.get("inReplyTo")),
        conversation=id_of(document.get("context")) or id_of(document.get("conversation")),
        audience=parse_audience(document, activity),
        mentions=parse_mentions(tags),
        tags=parse_hashtags(tags),
        emojis=emojis,
        emoji_names=used_shortcodes(emojis, content, warning, *(poll.options if poll else ())),
        media=parse_attachments(document.get("attachment")) or _read_cover(document, is_written),
        poll=poll,
        quote=parse_quote(document, tags),
        quote_authorization=id_of(document.get("quoteAuthorization")),
        quote_policy=parse_policy(document, "canQuote"),
        favourites_count=total_of(document.get("likes")),
        boosts_count=total_of(document.get("shares")),
        replies_url=id_of(document.get("replies")),
        replies_listed=isinstance(document.get("replies"), dict) and lists_something(document["replies"]),
    )


def _read_content(document: Document) -> str:
    text = words(text_of(document, "content"), _TEXT)
    kind = words(document.get("mediaType"), 100).partition(";")[0].strip().lower()
    if kind in ("text/plain", "text/markdown"):
        return _show_plain(text)
    return sanitise(text)


def _read_warning(document: Document) -> str:
    text = words(text_of(document, "summary"), _WARNING)
    return (to_plain_text(text) if "<" in text else text).strip(_INVISIBLE)


def _convert(document: Document, url: str) -> str:
    """A title, an abstract and a link; the whole text is to be read where it was published."""
    title = words(text_of(document, "name"), _TITLE).strip()
    abstract = words(text_of(document, "summary"), _TEXT)
    parts = [f"<h2>{escape(title)}</h2>" if title else "", abstract and f"<div>{abstract}</div>"]
    if not title and not abstract:
        parts.append(_read_content(document))
    shown = escape(url)
    parts.append(f'<p><a href="{shown}">{shown}</a></p>')
    return sanitise("".join(parts))


def _read_cover(document: Document, is_written: bool) -> list[RemoteMedia]:
    """The picture of what is not a note itself: a thumbnail, or the picture that it is."""
    if is_written:
        return []
    if "Image" in types(document):
        return parse_attachments({"type": "Image", "url": document.get("url"), "name": document.get("name")})
    cover = document.get("image") or document.get("icon")
    return parse_attachments(cover)[:1]


def _show_plain(text: str) -> str:
    paragraphs = [escape(one.strip("\n")).replace("\n", "<br>") for one in text.split("\n\n") if one.strip()]
    return "".join(f"<p>{one}</p>" for one in paragraphs)


def is_vote(document: Any) -> bool:
    """Whether a Note is an answer chosen in a poll and not a post."""
    if not isinstance(document, dict) or "Note" not in types(document):
        return False
    return bool(
        isinstance(document.get("name"), str)
        and document["name"]
        and not document.get("content")
        and not document.get("contentMap")
        and not document.get("attachment")
        and id_of(document.get("inReplyTo"))
    )
