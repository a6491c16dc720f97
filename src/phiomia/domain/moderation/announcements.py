"""Announcements to all members: made, taken back, listed with what members think of them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.instance.emojis import EmojiView, load_emojis
from phiomia.domain.instance.models import announcement_reactions, announcement_reads, announcements
from phiomia.domain.moderation.emoji_names import is_emoji
from phiomia.domain.statuses.text import MentionTarget, Scan, find_shortcodes, render, scan
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, insert_into, listed
from phiomia.platform.events import append_stream
from phiomia.platform.ids import new_id


class NewAnnouncement(NamedTuple):
    """What shall be announced, and from when to when what it is about takes place."""

    text: str
    starts_at: int | None = None
    ends_at: int | None = None
    all_day: bool = False


class Person(NamedTuple):
    """Somebody who is named in an announcement."""

    id: int
    username: str
    domain: str
    url: str

    @property
    def acct(self) -> str:
        """The handle: with its domain unless local."""
        return f"{self.username}@{self.domain}" if self.domain else self.username


class ReactionView(NamedTuple):
    """How many have reacted with an emoji, and whether the viewer has."""

    name: str
    total: int
    me: bool


class _Row(NamedTuple):
    id: int
    text: str
    content: str
    starts_at: int | None
    ends_at: int | None
    all_day: bool
    published_at: int
    updated_at: int
    read: bool


class AnnouncementView(NamedTuple):
    """An announcement with all that is shown of it. `emojis` are those of its text and of its reactions."""

    row: _Row
    mentions: list[Person]
    tags: list[str]
    status_ids: list[tuple[int, str]]
    emojis: dict[str, EmojiView]
    shortcodes: list[str]
    reactions: list[ReactionView]


_VIEWER = P("viewer")
_was_read = (
    select(announcement_reads.c.account_id)
    .where(announcement_reads.c.announcement_id == announcements.c.id, announcement_reads.c.account_id == _VIEWER)
    .correlate(announcements)
    .exists()
)
_COLUMNS = [announcements.c[name] for name in _Row._fields if name != "read"]
_lasts: ColumnElement[bool] = or_(announcements.c.ends_at.is_(None), announcements.c.ends_at > P("now"))
_CURRENT = Query(select(*_COLUMNS, _was_read).where(_lasts).order_by(announcements.c.id))
_ONE = Query(select(*_COLUMNS, _was_read).where(_lasts, announcements.c.id == P("id")))
_ALL = Query(select(*_COLUMNS, _was_read).order_by(announcements.c.id))
_REACTIONS = Query(
    select(
        announcement_reactions.c.announcement_id,
        announcement_reactions.c.name,
        func.count(),
        func.count().filter(announcement_reactions.c.account_id == _VIEWER),
    )
    .where(any_of(announcement_reactions.c.announcement_id, listed("ids")))
    .group_by(announcement_reactions.c.announcement_id, announcement_reactions.c.name)
    .order_by(announcement_reactions.c.announcement_id, func.min(announcement_reactions.c.created_at))
)
_PEOPLE = Query(
    select(accounts.c.id, accounts.c.username, accounts.c.domain, accounts.c.url).where(
        any_of(accounts.c.username_key, listed("names", str)), any_of(accounts.c.domain, listed("domains", str))
    )
)
_INSERT = insert_into(
    announcements, "id", "text", "content", "starts_at", "ends_at", "all_day", "published_at", "updated_at"
)
_DELETE = Query(delete(announcements).where(announcements.c.id == P("id")))
_READ = Query(
    lambda insert: (
        insert(announcement_reads).values(announcement_id=P("id"), account_id=P("account")).on_conflict_do_nothing()
    )
)
_REACT = Query(
    lambda insert: (
        insert(announcement_reactions)
        .values(announcement_id=P("id"), account_id=P("account"), name=P("name", str), created_at=P("now"))
        .on_conflict_do_nothing()
    )
)
_UNREACT = Query(
    delete(announcement_reactions).where(
        announcement_reactions.c.announcement_id == P("id"),
        announcement_reactions.c.account_id == P("account"),
        announcement_reactions.c.name == P("name", str),
    )
)


async def list_announcements(session: ReadSession, viewer_id: int, base: str) -> list[AnnouncementView]:
    """What is announced now, the oldest first."""
    return await _load(session, await session.views(_Row, _CURRENT, viewer=viewer_id, now=now_ms()), viewer_id, base)


async def list_all_announcements(session: ReadSession, base: str) -> list[AnnouncementView]:
    """Everything that was announced and not taken back, the oldest first."""
    return await _load(session, await session.views(_Row, _ALL, viewer=0), 0, base)


async def find_announcement(session: ReadSession, announcement_id: int, base: str) -> AnnouncementView | None:
    """One that is announced now, as it is for nobody in particular."""
    rows = await session.views(_Row, _ONE, viewer=0, id=announcement_id, now=now_ms())
    return (await _load(session, rows, 0, base))[0] if rows else None


async def announce(session: WriteSession, new: NewAnnouncement, base: str) -> int:
    """Publishes it; gives its id. Raises Invalid."""
    if not new.text.strip():
        raise Invalid("An announcement needs a text")
    if new.starts_at is not None and new.ends_at is not None and new.ends_at < new.starts_at:
        raise Invalid("It can't end before it starts")
    found, now, announcement_id = scan(new.text), now_ms(), new_id()
    people = await _find_people(session, [found])
    targets = {
        mention.key: MentionTarget(_url(person, base), person.username, person.acct)
        for mention in found.mentions
        if (person := people.get((mention.username, mention.domain or ""))) is not None
    }
    content = render(new.text, found, targets, lambda name: f"{base}/tags/{name}")
    await session.execute(
        _INSERT, id=announcement_id, content=content, published_at=now, updated_at=now, **new._asdict()
    )
    await append_stream(session, "announcement", {"id": announcement_id})
    return announcement_id


async def take_back(session: WriteSession, announcement_id: int) -> None:
    """Removes an announcement. Raises NotFound."""
    if not await session.execute(_DELETE, id=announcement_id):
        raise NotFound
    await append_stream(session, "announcement_delete", {"id": announcement_id})


async def dismiss(session: WriteSession, account_id: int, announcement_id: int) -> None:
    """Marks an announcement as read. Raises NotFound."""
    await _require(session, announcement_id)
    await session.execute(_READ, id=announcement_id, account=account_id)


async def react(session: WriteSession, account_id: int, announcement_id: int, name: str) -> None:
    """Adds an emoji to an announcement. Raises NotFound, Invalid (no emoji, or too many kinds of them)."""
    await _require(session, announcement_id)
    if not is_emoji(name) and not await load_emojis(session, [name]):
        raise Invalid("Validation failed: Name is not a recognized emoji")
    known = await _count(session, [announcement_id], account_id)
    reactions = known.get(announcement_id, [])
    if all(one.name != name for one in reactions) and len(reactions) >= limits.ANNOUNCEMENT_REACTIONS:
        raise Invalid("Validation failed: Limit of different reactions reached")
    if await session.execute(_REACT, id=announcement_id, account=account_id, name=name, now=now_ms()):
        await _tell(session, announcement_id, name)


async def take_reaction_back(session: WriteSession, account_id: int, announcement_id: int, name: str) -> None:
    """Takes an emoji back. Raises NotFound."""
    await _require(session, announcement_id)
    if not await session.execute(_UNREACT, id=announcement_id, account=account_id, name=name):
        raise NotFound
    await _tell(session, announcement_id, name)


async def _require(session: ReadSession, announcement_id: int) -> None:
    if await session.one(_ONE, viewer=0, id=announcement_id, now=now_ms()) is None:
        raise NotFound


async def _tell(session: WriteSession, announcement_id: int, name: str) -> None:
    reactions = (await _count(session, [announcement_id], 0)).get(announcement_id, [])
    count = next((one.total for one in reactions if one.name == name), 0)
    await append_stream(session, "announcement_reaction", {"id": announcement_id, "name": name, "count": count})


async def _count(session: ReadSession, ids: Sequence[int], viewer_id: int) -> dict[int, list[ReactionView]]:
    found: dict[int, list[ReactionView]] = {}
    for announcement_id, name, count, mine in await session.all(_REACTIONS, ids=list(ids), viewer=viewer_id):
        found.setdefault(announcement_id, []).append(ReactionView(name, count, mine > 0))
    return found


async def _load(session: ReadSession, rows: Sequence[_Row], viewer_id: int, base: str) -> list[AnnouncementView]:
    if not rows:
        return []
    found = {row.id: scan(row.text) for row in rows}
    reactions = await _count(session, [row.id for row in rows], viewer_id)
    shortcodes = {row.id: find_shortcodes(row.text) for row in rows}
    reacted = {one.name for many in reactions.values() for one in many if not is_emoji(one.name)}
    wanted = reacted.union(*shortcodes.values())
    emojis = await load_emojis(session, wanted) if wanted else {}
    people = await _find_people(session, list(found.values()))
    return [
        AnnouncementView(
            row,
            _mentioned(found[row.id], people),
            list(dict.fromkeys(tag.name for tag in found[row.id].hashtags)),
            _linked(found[row.id], base),
            emojis,
            shortcodes[row.id],
            reactions.get(row.id, []),
        )
        for row in rows
    ]


async def _find_people(session: ReadSession, scans: Sequence[Scan]) -> dict[tuple[str, str], Person]:
    wanted = {(mention.username, mention.domain or "") for found in scans for mention in found.mentions}
    if not wanted:
        return {}
    names, domains = sorted({name for name, _ in wanted}), sorted({domain for _, domain in wanted})
    people = await session.views(Person, _PEOPLE, names=names, domains=domains)
    return {(person.username.lower(), person.domain): person for person in people}


def _mentioned(found: Scan, people: dict[tuple[str, str], Person]) -> list[Person]:
    keys = dict.fromkeys((mention.username, mention.domain or "") for mention in found.mentions)
    return [people[key] for key in keys if key in people]


def _linked(found: Scan, base: str) -> list[tuple[int, str]]:
    """The posts of this server that are linked to."""
    pattern = re.compile(re.escape(base) + r"/(?:@[\w.-]+|users/[\w.-]+/statuses)/([0-9]{1,18})")
    links = {match[1]: one.url for one in found.urls if (match := pattern.fullmatch(one.url))}
    return [(int(number), url) for number, url in links.items()]


def _url(person: Person, base: str) -> str:
    return person.url if person.domain else f"{base}/@{person.username}"
