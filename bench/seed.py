"""Fills a database with a server that has been used for half a year, through the project's own tables.

    facts = await seed("sqlite:////tmp/bench/phiomia.sqlite3", statuses=100_000)

Local accounts hold tokens and feeds, remote ones only write. Only rows are made: there are no files behind media.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from bench.bulk import Bulk, open_bulk
from bench.posts import BOOST, CROWD, HOME, LOCAL, PLAIN, PRIVATE, PUBLIC, REMOTE, REPLY, WRITER, History, Words
from phiomia.domain.notifications.group import group_key
from phiomia.domain.oauth.bearers import hash_secret
from phiomia.domain.search.words import mark, split_words, write_body
from phiomia.upgrade import schema

_TAGS = 300
_POLL_EVERY = 53
_NOTIFICATIONS = 400  # the newest of an account are kept
_DAY_MS = 24 * 3600 * 1000
_BASE = "https://bench.example"
_SCOPES = "read write follow push profile"


class Facts(msgspec.Struct, frozen=True):
    """What the measurements need to know of a seeded database."""

    statuses: int
    tokens: list[str]
    accounts: list[str]
    thread: str
    some: list[str]
    rare_words: list[str]
    writer: str
    crowd: str
    writer_followers: list[str]
    seconds: float


async def seed(database_url: str, statuses: int, now_ms: int | None = None) -> Facts:
    """Makes the tables and the rows; gives what was made."""
    begun = time.monotonic()
    await schema.upgrade(database_url)
    history = History(statuses, now_ms or time.time_ns() // 1_000_000)
    bulk = await open_bulk(database_url)
    rows = _Rows(history, bulk)
    await rows.write()
    await bulk.finish()
    return rows.facts(round(time.monotonic() - begun, 1))


class _Rows:
    """Turns a history into rows."""

    def __init__(self, history: History, bulk: Bulk) -> None:
        self.history = history
        self.bulk = bulk
        self.words = Words()
        self.random = history.random
        self._numbers = iter(range(1, 1 << 62))
        self.accounts = [self._past() for _ in range(LOCAL + REMOTE)]
        self.tags = [self._past() for _ in range(_TAGS)]
        self.names = ["walrus", *(f"topic{index}" for index in range(1, _TAGS))]
        self.mentions: list[tuple[int, int, bool]] = []
        self.tagged: list[tuple[int, int, str]] = []
        self.media: list[tuple[Any, ...]] = []
        self.polls: list[tuple[int, int]] = []
        self.searched: list[tuple[int, str]] = []

    async def write(self) -> None:
        """Everything, what is referred to before what refers to it."""
        await self._write_accounts()
        await self._write_statuses()
        await self._write_marks()
        await self._write_notifications()
        await self._write_feeds()

    def facts(self, seconds: float) -> Facts:
        """What was made."""
        history = self.history
        originals = [index for index in range(history.count) if history.kind[index] != BOOST]
        some = [index for index in originals[-400:] if history.visibility[index] != PRIVATE][-80:]
        followers = [account for account in range(LOCAL) if WRITER in history.following[account]]
        return Facts(
            statuses=history.count,
            tokens=[_token(account) for account in range(LOCAL)],
            accounts=[str(self.accounts[account]) for account in range(LOCAL)],
            thread=str(history.id(history.thread_root)),
            some=[str(history.id(index)) for index in some],
            rare_words=self.words.rare[:: max(1, len(self.words.rare) // 40)],
            writer=_token(WRITER),
            crowd=_token(CROWD),
            writer_followers=[_token(account) for account in followers],
            seconds=seconds,
        )

    def _past(self) -> int:
        """The id of something that was there before the first status."""
        return self._next(self.history.start - _DAY_MS)

    def _next(self, at_ms: int) -> int:
        return at_ms << 16 | next(self._numbers) & 0xFFFF

    async def _write_accounts(self) -> None:
        history = self.history
        posted = [0] * (LOCAL + REMOTE)
        for author in history.author:
            posted[author] += 1
        followers = [0] * (LOCAL + REMOTE)
        for followed in history.following:
            for account in followed:
                followers[account] += 1
        began = history.start - _DAY_MS
        last = history.moment(history.count - 1)
        await self.bulk.add(
            "accounts",
            "id username username_key domain uri url display_name note note_source indexable created_at last_status_at"
            " statuses_count followers_count following_count",
            (
                (
                    id_,
                    _name(account),
                    _name(account),
                    "" if account < LOCAL else _domain(account),
                    "" if account < LOCAL else f"https://{_domain(account)}/users/{_name(account)}",
                    "" if account < LOCAL else f"https://{_domain(account)}/@{_name(account)}",
                    f"{_name(account).title()} of the herd",
                    f"<p>{self.words.text()}</p>",
                    self.words.text() if account < LOCAL else "",
                    True,
                    began,
                    last,
                    posted[account],
                    followers[account],
                    len(history.following[account]) if account < LOCAL else 0,
                )
                for account, id_ in enumerate(self.accounts)
            ),
        )
        await self.bulk.add(
            "account_search",
            "rowid body",
            [
                (id_, self._body(f"{_name(account)}\n{_domain(account)}\n{_name(account)} of the herd", []))
                for account, id_ in enumerate(self.accounts)
            ],
        )
        await self.bulk.add(
            "users",
            "id account_id email email_key created_at confirmed_at approved_at",
            [
                (id_, id_, f"{_name(account)}@bench.example", f"{_name(account)}@bench.example", began, began, began)
                for account, id_ in enumerate(self.accounts[:LOCAL])
            ],
        )
        await self.bulk.add(
            "access_tokens",
            "id token_hash user_id scopes created_at",
            [
                (id_, hash_secret(_token(account)), id_, _SCOPES, began)
                for account, id_ in enumerate(self.accounts[:LOCAL])
            ],
        )
        await self.bulk.add("follows", "id account_id target_id created_at", self._follows(began))
        await self.bulk.add(
            "tags",
            "id name display_name created_at last_used_at",
            [(id_, name, name, began, last) for id_, name in zip(self.tags, self.names, strict=True)],
        )

    def _follows(self, at: int) -> Iterator[tuple[int, int, int, int]]:
        for account, followed in enumerate(self.history.following):
            for other in sorted(followed):
                yield self._next(at), self.accounts[account], self.accounts[other], at

    async def _write_statuses(self) -> None:
        await self.bulk.add(
            "statuses",
            "id account_id local uri url source content visibility language in_reply_to_id in_reply_to_account_id"
            " conversation_id reblog_of_id poll_id media_count created_at replies_count reblogs_count"
            " favourites_count",
            (self._status(index) for index in range(self.history.count)),
        )
        await self.bulk.add("status_mentions", "status_id account_id silent", self.mentions)
        await self.bulk.add("status_tags", "tag_id status_id display_name", sorted(self.tagged))
        await self.bulk.add(
            "media",
            "id account_id status_id position kind state key preview_key content_type bytes meta description blurhash"
            " created_at",
            self.media,
        )
        await self._write_polls()
        await self.bulk.add("status_search", "rowid body", self.searched)

    def _status(self, index: int) -> tuple[Any, ...]:
        history = self.history
        id_, author, kind, target = history.id(index), history.author[index], history.kind[index], history.target[index]
        local = author < LOCAL
        uri = "" if local else f"https://{_domain(author)}/users/{_name(author)}/statuses/{id_}"
        text, media, poll = "", 0, False
        if kind != BOOST:
            text = self._text(index, id_)
            media = self._attach(index, id_) if self.random.random() < 0.15 else 0
            poll = kind == PLAIN and not media and index % _POLL_EVERY == 0
            if poll:
                self.polls.append((index, id_))
            self.searched.append((id_, self._body(text, self._marks_of(index))))
        return (
            id_,
            self.accounts[author],
            local,
            uri,
            uri,
            text if local else "",
            self._html(text) if text else "",
            history.visibility[index if kind != BOOST else target],
            "en",
            history.id(target) if kind == REPLY else None,
            self.accounts[history.author[target]] if kind == REPLY else None,
            history.id(history.root[index]) if kind == REPLY else id_,
            history.id(target) if kind == BOOST else None,
            id_ if poll else None,
            media,
            history.moment(index),
            history.replies[index],
            history.boosts[index],
            history.favourites[index],
        )

    def _body(self, text: str, marks: list[str]) -> str:
        return write_body(self.bulk.dialect, split_words(text), marks)

    def _marks_of(self, index: int) -> list[str]:
        history = self.history
        marks = [mark("a", self.accounts[history.author[index]])]
        if history.visibility[index] == PUBLIC:
            marks.append(mark("p"))
        if history.kind[index] == REPLY:
            marks += [mark("s", "reply"), mark("v", self.accounts[history.author[history.target[index]]])]
        return marks

    def _text(self, index: int, id_: int) -> str:
        history, text, named = self.history, self.words.text(), -1
        if history.kind[index] == REPLY:
            named = history.author[history.target[index]]
        elif self.random.random() < 0.05:
            named = self.random.randrange(LOCAL)
        if named >= 0 and named != history.author[index]:
            self.mentions.append((id_, self.accounts[named], False))
            text = f"@{_name(named)} {text}"
        chance = self.random.random()
        if chance < 0.12:
            place = 0 if chance < 0.01 else int(self.random.random() ** 3 * (_TAGS - 1)) + 1
            self.tagged.append((self.tags[place], id_, self.names[place]))
            text = f"{text} #{self.names[place]}"
        return text

    def _html(self, text: str) -> str:
        if text.startswith("@"):
            handle, _, rest = text.partition(" ")
            mention = f'<a href="{_BASE}/{handle}" class="u-url mention">@<span>{handle[1:]}</span></a>'
            text = f'<span class="h-card" translate="no">{mention}</span> {rest}'
        text, marked, name = text.partition(" #")[0], " #" in text, text.rpartition("#")[2]
        if marked:
            text += f' <a href="{_BASE}/tags/{name}" class="mention hashtag" rel="tag">#<span>{name}</span></a>'
        return f"<p>{text}</p>"

    def _attach(self, index: int, id_: int) -> int:
        at = self.history.moment(index)
        pictures = self.random.choice((1, 1, 1, 2))
        for place in range(pictures):
            media_id = self._next(at)
            self.media.append(
                (
                    media_id,
                    self.accounts[self.history.author[index]],
                    id_,
                    place,
                    1,
                    2,
                    f"media/{media_id}.webp",
                    f"media/{media_id}-small.webp",
                    "image/webp",
                    81_234,
                    _META,
                    "A walrus on a rock",
                    "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
                    at,
                )
            )
        return pictures

    async def _write_polls(self) -> None:
        history, votes = self.history, []
        for _, id_ in self.polls:
            votes += [(id_, self.accounts[account], place % 2) for place, account in enumerate(self._few(6))]
        await self.bulk.add(
            "polls",
            "id status_id account_id expires_at voters_count notified_at",
            [
                (id_, id_, self.accounts[history.author[index]], (at := history.moment(index) + _DAY_MS), 6, at)
                for index, id_ in self.polls
            ],
        )
        await self.bulk.add(
            "poll_options",
            "poll_id position title votes_count",
            [(id_, place, f"Answer {place}", 3 if place < 2 else 0) for _, id_ in self.polls for place in range(3)],
        )
        await self.bulk.add("poll_votes", "poll_id account_id choice", votes)

    def _few(self, number: int) -> list[int]:
        return self.random.sample(range(LOCAL), number)

    async def _write_marks(self) -> None:
        history = self.history
        columns = "id account_id status_id created_at"
        originals = [index for index in range(history.count) if history.kind[index] != BOOST]
        bookmarked = [(account, index) for account in range(LOCAL) for index in self._sample(originals, 30)]
        pinned = [
            (account, index)
            for account in range(LOCAL)
            for index in self._sample([own for own in history.own[account] if history.kind[own] == PLAIN], 3)
        ]
        for table, pairs in (("favourites", sorted(history.favourited)), ("bookmarks", bookmarked), ("pins", pinned)):
            await self.bulk.add(table, columns, self._marks(pairs))

    def _sample(self, some: Sequence[int], number: int) -> list[int]:
        return self.random.sample(some, min(number, len(some)))

    def _marks(self, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int, int]]:
        for account, index in pairs:
            at = self.history.moment(index) + 30_000
            yield self._next(at), self.accounts[account], self.history.id(index), at

    async def _write_notifications(self) -> None:
        history = self.history
        told: list[list[tuple[int, str, int, int]]] = [[] for _ in range(LOCAL)]
        for account, index in history.favourited:
            self._tell(told, history.author[index], account, index, "favourite", 30_000)
        for index, kind in enumerate(history.kind):
            if kind == REPLY:
                self._tell(told, history.author[history.target[index]], history.author[index], index, "mention", 1)
            elif kind == BOOST:
                target = history.target[index]
                at = history.moment(index) - history.moment(target)
                self._tell(told, history.author[target], history.author[index], target, "reblog", at)
        rows = []
        for recipient, many in enumerate(told):
            for at, type_, sender, index in sorted(many)[-_NOTIFICATIONS:]:
                id_, status_id = self._next(at), history.id(index)
                pair = (self.accounts[recipient], self.accounts[sender])
                rows.append((id_, *pair, status_id, type_, group_key(type_, id_, status_id, at), at))
        await self.bulk.add("notifications", "id account_id from_account_id status_id type group_key created_at", rows)

    def _tell(
        self,
        told: list[list[tuple[int, str, int, int]]],
        recipient: int,
        sender: int,
        index: int,
        type_: str,
        after: int,
    ) -> None:
        if recipient < LOCAL and recipient != sender:
            told[recipient].append((self.history.moment(index) + after, type_, sender, index))

    async def _write_feeds(self) -> None:
        history = self.history
        await self.bulk.add(
            "home_feed",
            "account_id status_id original_id",
            (
                (self.accounts[account], history.id(index), history.id(original))
                for account, feed in history.feeds()
                for index, original in feed[-HOME:]
            ),
        )


_META = (
    '{"original":{"width":1280,"height":960,"size":"1280x960","aspect":1.3333},'
    '"small":{"width":554,"height":416,"size":"554x416","aspect":1.3317}}'
)


def _token(account: int) -> str:
    return f"bench-token-of-account-{account:04d}-0123456789abcdef"


def _name(account: int) -> str:
    return f"member{account}" if account < LOCAL else f"guest{account}"


def _domain(account: int) -> str:
    return f"server{account % 40}.example"
