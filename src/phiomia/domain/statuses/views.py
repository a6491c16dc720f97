"""Statuses as loaded: what anybody sees (StatusView), and the line of a page (FeedRow) with the viewer's flags."""

from enum import IntFlag
from typing import NamedTuple

import msgspec

from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.media.views import MediaView
from phiomia.domain.statuses.card_views import CardView
from phiomia.domain.statuses.quote_views import QuoteView


class Mark(IntFlag):
    """What a viewer has done with a status."""

    FAVOURITED = 1
    BOOSTED = 2
    BOOKMARKED = 4
    MUTED = 8
    PINNED = 16


class FeedRow(NamedTuple):
    """One status of a page: ids with revisions, so that rendered fragments can be trusted or not.

    `marks` is a Mark as a bare number.
    """

    cursor: int
    id: int
    rev: int
    account_id: int
    account_rev: int
    original_id: int | None
    original_rev: int | None
    original_account_id: int | None
    original_account_rev: int | None
    marks: int = 0


class StatusRow(msgspec.Struct, frozen=True):
    """The status's own columns. The order is that of the select in `whole.py`."""

    id: int
    rev: int
    account_id: int
    local: bool
    uri: str
    url: str
    source: str
    content: str
    spoiler_text: str
    visibility: int
    sensitive: bool
    language: str | None
    in_reply_to_id: int | None
    in_reply_to_account_id: int | None
    conversation_id: int
    reblog_of_id: int | None
    poll_id: int | None
    application_id: int | None
    emojis: str
    media_count: int
    created_at: int
    edited_at: int | None
    replies_count: int
    reblogs_count: int
    favourites_count: int
    quotes_count: int
    quote_policy: int
    quoting: bool
    card_id: int | None


class MentionView(NamedTuple):
    """Somebody named in a status."""

    id: int
    username: str
    domain: str
    url: str


class TagView(NamedTuple):
    """A hashtag of a status."""

    name: str
    display_name: str


class PollOptionView(NamedTuple):
    """One answer of a poll."""

    title: str
    votes_count: int


class PollView(msgspec.Struct, frozen=True):
    """A poll as anybody sees it."""

    id: int
    status_id: int
    account_id: int
    multiple: bool
    hide_totals: bool
    expires_at: int | None
    voters_count: int
    options: tuple[PollOptionView, ...] = ()
    emojis: tuple[EmojiView, ...] = ()


class StatusView(msgspec.Struct, frozen=True):
    """A status with all that its fragment shows."""

    row: StatusRow
    media: list[MediaView]
    mentions: list[MentionView]
    tags: list[TagView]
    emojis: list[EmojiView]
    poll: PollView | None
    application: tuple[str, str | None] | None
    quote: QuoteView | None = None
    card: CardView | None = None
