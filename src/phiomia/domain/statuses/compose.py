"""A member's text becomes a draft: HTML, mentions, tags, limits. No transaction is open."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.resolver import Lookup
from phiomia.domain.errors import Invalid
from phiomia.domain.instance.emojis import load_emojis
from phiomia.domain.statuses.draft import PollDraft, StatusDraft
from phiomia.domain.statuses.quote import Quotable, find_quotable
from phiomia.domain.statuses.quote_draft import QuoteDraft
from phiomia.domain.statuses.text import Mention, MentionTarget, Scan, count_characters, find_shortcodes, render, scan
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.platform import limits
from phiomia.platform.db import Database, P, Query, ReadSession, any_of, listed
from phiomia.platform.html import escape
from phiomia.platform.languages import clean_language


class Places(Protocol):
    """What composing needs to know of addresses."""

    def tag(self, name: str) -> str:
        """The page of a hashtag."""
        ...

    def mention(self, username: str, domain: str, url: str) -> str:
        """The page of a mentioned account."""
        ...

    def status(self, username: str, status_id: int) -> str:
        """The page of a local status."""
        ...


class StatusText(msgspec.Struct, frozen=True):
    """What a member typed and chose."""

    text: str
    spoiler_text: str = ""
    visibility: Visibility = Visibility.PUBLIC
    sensitive: bool = False
    language: str | None = None
    in_reply_to_id: int | None = None
    media_ids: list[int] = []
    poll: PollDraft | None = None
    application_id: int | None = None
    quoted_status_id: int | None = None
    quoted_url: str = ""  # of an edit: the page of what the status quotes already
    quote_policy: int = 0


class Written(msgspec.Struct, frozen=True):
    """A text's HTML and what it names; used for new statuses and for edits."""

    content: str
    mentions: list[int]
    tags: list[tuple[str, str]]
    emojis: list[str]


_BY_HANDLES = Query(
    select(accounts.c.username_key, accounts.c.domain, accounts.c.id, accounts.c.username, accounts.c.url).where(
        any_of(accounts.c.username_key, listed("usernames", str)),
        any_of(accounts.c.domain, listed("domains", str)),
        accounts.c.state < P("state"),
    )
)
_SUSPENDED = 2
# Of so many that nobody knew before, one text makes us ask.
_MEETINGS = 10


async def compose(
    session: ReadSession, account_id: int, typed: StatusText, places: Places, local_domain: str
) -> StatusDraft:
    """The draft of a new status. Raises Invalid."""
    typed = _uncover(typed)
    found = scan(typed.text)
    check_length(typed.text, typed.spoiler_text, found)
    _check_substance(typed)
    if typed.poll is not None:
        check_poll(typed.poll)
    answers = typed.poll.options if typed.poll else ()
    quote, quotable = None, None
    if typed.quoted_status_id is not None:
        quotable = await find_quotable(session, account_id, typed.quoted_status_id)
        typed = _fit_to_quote(typed, quotable, places)
        quote = QuoteDraft(quotable.id)
    written = await write(session, typed.text, typed.spoiler_text, found, places, local_domain, answers)
    if quotable is not None:
        _check_addressed(typed, quotable, account_id, written.mentions)
    return StatusDraft(
        account_id=account_id,
        content=_quote_line(typed.quoted_url) + written.content,
        source=typed.text,
        spoiler_text=typed.spoiler_text,
        visibility=typed.visibility,
        sensitive=typed.sensitive or bool(typed.spoiler_text),
        language=clean_language(typed.language),
        in_reply_to_id=typed.in_reply_to_id,
        mentions=written.mentions,
        tags=written.tags,
        emojis=written.emojis,
        media_ids=typed.media_ids,
        poll=typed.poll,
        application_id=typed.application_id,
        quote=quote,
        quote_policy=typed.quote_policy,
    )


def _fit_to_quote(typed: StatusText, quotable: Quotable, places: Places) -> StatusText:
    """What quotes a status that is not for everybody is not for everybody either."""
    private = quotable.visibility == Visibility.PRIVATE and typed.visibility <= Visibility.UNLISTED
    return msgspec.structs.replace(
        typed,
        visibility=Visibility.PRIVATE if private else typed.visibility,
        quoted_url=places.status(quotable.username, quotable.id) if quotable.local else quotable.url or quotable.uri,
    )


def _check_addressed(typed: StatusText, quotable: Quotable, account_id: int, mentions: Collection[int]) -> None:
    if typed.visibility == Visibility.DIRECT and quotable.account_id not in (account_id, *mentions):
        raise Invalid("Cannot quote a non-mentioned user in a Private Mention post.")


def _quote_line(url: str) -> str:
    """What stands in the place of the quote for apps and servers that know none."""
    if not url:
        return ""
    shown = escape(url)
    return f'<p class="quote-inline">RE: <a href="{shown}" target="_blank" rel="nofollow noopener">{shown}</a></p>'


async def meet_mentioned(db: Database, lookup: Lookup, text: str, homes: Collection[str]) -> None:
    """Gets to know those of other servers whom a text mentions. To be called before it is composed: it may take long.

    `homes` are the domains of this server.
    """
    named = {mention.key for mention in scan(text).mentions if mention.domain and mention.domain not in homes}
    if not named:
        return
    async with db.read() as session:
        rows = await session.all(
            _BY_HANDLES,
            usernames=[username for username, _ in named],
            domains=sorted({domain for _, domain in named if domain}),
            state=_SUSPENDED + 1,
        )
    unknown = sorted(named - {(row[0], row[1]) for row in rows}, key=str)[:_MEETINGS]
    await asyncio.gather(*(lookup.account(f"{username}@{domain}") for username, domain in unknown))


async def write(
    session: ReadSession,
    text: str,
    spoiler: str,
    found: Scan,
    places: Places,
    local_domain: str,
    answers: Sequence[str] = (),
) -> Written:
    """HTML of a text, with its mentions and tags resolved, and the emoji of all that is written."""
    named = {mention.key: mention for mention in found.mentions}
    known = await _find_accounts(session, named, local_domain) if named else {}
    targets = {
        key: MentionTarget(
            url=places.mention(username, domain, url),
            username=username,
            acct=f"{username}@{domain}" if domain else username,
        )
        for key, (_id, username, domain, url) in known.items()
    }
    tags: dict[str, str] = {}
    for hashtag in found.hashtags:
        tags.setdefault(normalise_tag(hashtag.name), hashtag.name)
    shortcodes = find_shortcodes("\n".join((spoiler, text, *answers)))
    emojis = await load_emojis(session, shortcodes) if shortcodes else {}
    return Written(
        content=render(text, found, targets, lambda name: places.tag(normalise_tag(name))) if text else "",
        mentions=list(dict.fromkeys(entry[0] for entry in known.values())),
        tags=[(key, name) for key, name in tags.items() if key],
        emojis=sorted(emojis),
    )


async def _find_accounts(
    session: ReadSession, named: Mapping[tuple[str, str | None], Mention], local_domain: str
) -> dict[tuple[str, str | None], tuple[int, str, str, str]]:
    def home(domain: str | None) -> str:
        return "" if domain is None or domain == local_domain.lower() else domain

    rows = await session.all(
        _BY_HANDLES,
        usernames=[username for username, _ in named],
        domains=sorted({home(domain) for _, domain in named}),
        state=_SUSPENDED,
    )
    by_handle = {(row[0], row[1]): (row[2], row[3], row[1], row[4]) for row in rows}
    found = {}
    for username, domain in named:
        account = by_handle.get((username.lower(), home(domain)))
        if account is not None:
            found[username, domain] = account
    return found


def check_length(text: str, spoiler: str, found: Scan) -> None:
    """Refuses a text that is too long. Raises Invalid."""
    if count_characters(text, spoiler, found) > limits.STATUS_CHARACTERS:
        raise Invalid(f"Validation failed: Text character limit of {limits.STATUS_CHARACTERS} exceeded")


def _uncover(typed: StatusText) -> StatusText:
    """A warning with nothing behind it is the text."""
    if typed.text.strip() or typed.media_ids or typed.poll is not None or _quotes(typed):
        return typed
    return msgspec.structs.replace(typed, text=typed.spoiler_text, spoiler_text="")


def _quotes(typed: StatusText) -> bool:
    return typed.quoted_status_id is not None or bool(typed.quoted_url)


def _check_substance(typed: StatusText) -> None:
    if not typed.text.strip() and not typed.media_ids and typed.poll is None and not _quotes(typed):
        raise Invalid("Validation failed: Text can't be blank")
    if len(typed.media_ids) > limits.MEDIA_ATTACHMENTS:
        raise Invalid(f"Validation failed: Cannot attach more than {limits.MEDIA_ATTACHMENTS} files")


def check_poll(poll: PollDraft) -> None:
    """Refuses an impossible poll. Raises Invalid."""
    options = poll.options
    if len(options) < 2:
        raise Invalid("Validation failed: Poll must have more than one item")
    if len(options) > limits.POLL_OPTIONS:
        raise Invalid(f"Validation failed: Poll can't contain more than {limits.POLL_OPTIONS} items")
    if any(not option.strip() for option in options):
        raise Invalid("Validation failed: Poll options can't be blank")
    if any(len(option) > limits.POLL_OPTION_CHARACTERS for option in options):
        raise Invalid(
            f"Validation failed: Poll items can't be longer than {limits.POLL_OPTION_CHARACTERS} characters each"
        )
    if len({option.strip() for option in options}) < len(options):
        raise Invalid("Validation failed: Poll items contain duplicates")
    if poll.expires_in > limits.POLL_MAX_SECONDS:
        raise Invalid("Validation failed: Poll the duration is too far into the future")
    if poll.expires_in < limits.POLL_MIN_SECONDS:
        raise Invalid("Validation failed: Poll the duration is too soon")
