"""What public pages show: entities as the API gives them to somebody without a token, read for templates."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from markupsafe import Markup

from phiomia.domain.accounts.queries import find_by_handle
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.accounts.usernames import find_username_fault
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.views import FeedRow
from phiomia.domain.users.queries import find_user
from phiomia.entities.fragments import Fragments
from phiomia.platform.db import ReadSession
from phiomia.platform.html import escape, to_plain_text
from phiomia.platform.paging import HIGHEST_ID
from phiomia.web.visit import Visit

_SUMMARY = 200
_TAG = re.compile(r"""(<(?:[^>"']|"[^"]*"|'[^']*')*+>)""")
_NOT_QUOTED = {
    "pending": "The quoted post is shown once its author agrees.",
    "rejected": "The author of the quoted post did not agree.",
    "revoked": "The author of the quoted post no longer agrees.",
    "deleted": "The quoted post was deleted.",
}
_SHORTCODE = re.compile(r":([A-Za-z0-9_]{2,}):")


class Emoji(msgspec.Struct, frozen=True):
    """A picture that stands for :shortcode:."""

    shortcode: str
    url: str


class Field(msgspec.Struct, frozen=True):
    """A row of a profile's table; the value is HTML."""

    name: str
    value: str
    verified_at: str | None = None


class Person(msgspec.Struct, frozen=True):
    """An account."""

    id: str
    username: str
    acct: str
    display_name: str
    note: str
    url: str
    uri: str
    avatar_static: str
    avatar_description: str
    header_static: str
    header_description: str
    created_at: str
    statuses_count: int
    followers_count: int
    following_count: int
    indexable: bool
    bot: bool
    emojis: list[Emoji]
    fields: list[Field]
    memorial: bool = False
    limited: bool = False
    moved: "Person | None" = None

    @property
    def name(self) -> str:
        """What they call themselves."""
        return self.display_name or self.username


class Attachment(msgspec.Struct, frozen=True):
    """A picture, video or sound."""

    type: str
    url: str | None
    preview_url: str | None
    description: str | None
    meta: dict[str, Any] | None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the small picture."""
        small = (self.meta or {}).get("small") or {}
        return (small["width"], small["height"]) if "width" in small and "height" in small else None


class Option(msgspec.Struct, frozen=True):
    """An answer of a poll; no count while totals are hidden."""

    title: str
    votes_count: int | None


class Poll(msgspec.Struct, frozen=True):
    """A poll."""

    expires_at: str | None
    expired: bool
    votes_count: int
    voters_count: int | None
    options: list[Option]

    @property
    def people(self) -> int:
        """How many have voted: what shares are counted of."""
        return self.votes_count if self.voters_count is None else self.voters_count


class Mention(msgspec.Struct, frozen=True):
    """Somebody named in a post."""

    id: str
    acct: str


class Quote(msgspec.Struct, frozen=True):
    """What a post quotes, if everybody may see it."""

    state: str
    quoted_status: "Post | None" = None

    @property
    def reason(self) -> str:
        """Why it is not shown."""
        return _NOT_QUOTED.get(self.state, "The quoted post can't be shown.")


class Post(msgspec.Struct, frozen=True):
    """A status."""

    id: str
    created_at: str
    edited_at: str | None
    in_reply_to_id: str | None
    in_reply_to_account_id: str | None
    sensitive: bool
    spoiler_text: str
    language: str | None
    uri: str
    url: str | None
    replies_count: int
    reblogs_count: int
    favourites_count: int
    content: str
    media_attachments: list[Attachment]
    mentions: list[Mention]
    emojis: list[Emoji]
    account: Person
    reblog: "Post | None" = None
    poll: Poll | None = None
    quote: Quote | None = None

    @property
    def answers(self) -> str:
        """Whom it answers, as a handle; empty when that can't be said."""
        return next((f"@{one.acct}" for one in self.mentions if one.id == self.in_reply_to_account_id), "")


_read_posts = msgspec.json.Decoder(list[Post])
_read_person = msgspec.json.Decoder(Person)


async def find_shown_account(session: ReadSession, username: str) -> AccountView:
    """A local account that strangers may know of. Raises NotFound."""
    if find_username_fault(username, allow_reserved=True):
        raise NotFound
    view = await find_by_handle(session, username)
    if view is None or view.state == AccountState.SUSPENDED:
        raise NotFound
    user = await find_user(session, view.username)
    if user is not None and (user.confirmed_at is None or user.approved_at is None):
        raise NotFound
    return view


async def read_posts(
    fragments: Fragments, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None = None
) -> list[Post]:
    """The rows of a page, as the viewer sees them for whom it was asked for."""
    return _read_posts.decode(await fragments.page(session, rows, viewer)) if rows else []


async def read_person(fragments: Fragments, session: ReadSession, view: AccountView) -> Person:
    """An account that was just loaded."""
    return _read_person.decode(await fragments.account(session, view))


async def read_people(fragments: Fragments, session: ReadSession, ids: Sequence[int]) -> list[Person]:
    """Accounts that may be shown, in this order."""
    found = await fragments.accounts(session, ids)
    return [_read_person.decode(found[id_]) for id_ in ids if id_ in found]


def read_id(text: str) -> int | None:
    """An id in an address; None for what can't be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= HIGHEST_ID else None


def words_for(visit: Visit) -> dict[str, Any]:
    """What templates of posts and people call."""
    base = visit.context.config.base_url
    return {
        "base": base,
        "here": partial(local_address, base),
        "emojify": partial(emojify, base),
    }


def local_address(base: str, url: str | None) -> str:
    """The path of an address on this server, empty for one elsewhere: pages load pictures from here only."""
    return url.removeprefix(base) if url and url.startswith(f"{base}/") else ""


def emojify(base: str, content: str, emojis: Sequence[Emoji], *, is_html: bool = False) -> Markup:
    """Text, or HTML that was sanitised when it was stored, with pictures for its shortcodes."""
    html = content if is_html else escape(content)
    pictures = {emoji.shortcode: local_address(base, emoji.url) for emoji in emojis}
    if not any(pictures.values()):
        return Markup(html)  # noqa: S704 (sanitised)

    def picture(match: re.Match[str]) -> str:
        path = pictures.get(match[1])
        if not path:
            return match[0]
        return f'<img class="emoji" src="{escape(path)}" alt="{match[0]}" title="{match[0]}" loading="lazy">'

    parts = _TAG.split(html)
    parts[::2] = [_SHORTCODE.sub(picture, text) for text in parts[::2]]
    return Markup("".join(parts))  # noqa: S704 (sanitised)


def summarise(html: str) -> str:
    """The beginning of some HTML as one line of text."""
    text = " ".join(to_plain_text(html).split())
    return text if len(text) <= _SUMMARY else f"{text[: _SUMMARY - 1].rstrip()}…"
