"""Rendered bytes of statuses and accounts, kept by revision, and pages spliced out of them.

A page's statement gives ids with revisions; a fragment is used only when its revision is that one, so
a stale one can't be served and nothing has to be told between processes. Per viewer only flags differ:
they come from ready-made bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from phiomia.domain.accounts.queries import load_accounts, load_revisions
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.filters.known import KnownFilters
from phiomia.domain.instance.emojis import load_emojis
from phiomia.domain.statuses.card_views import CardView
from phiomia.domain.statuses.queries import load_statuses, load_votes
from phiomia.domain.statuses.quote_policy import needs_relations
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.quote_views import QuoteView, Standing
from phiomia.domain.statuses.quoted import find_quoted, load_follows
from phiomia.domain.statuses.views import FeedRow, Mark, PollView, StatusView
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.account import render_account
from phiomia.entities.card import render_card
from phiomia.entities.filtered import Filtering
from phiomia.entities.links import Links
from phiomia.entities.poll import render_poll, with_votes
from phiomia.entities.quote import approval_for, render_quote, render_shallow_quote
from phiomia.entities.status import render_status
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession
from phiomia.platform.json import decode_strings

V = TypeVar("V")
_encode = msgspec.json.encode

# Splicing is joining: these are the pieces between the fragments.
_APPROVAL = b',"quote_approval":'
_ACCOUNT = b',"account":'
_BOOST = b',"reblog":'
_END = b"}"
_POLL = b',"poll":'
_QUOTE = b',"quote":'
_CARD = b',"card":'
Pieces = Sequence[bytes]


def _flag_bytes() -> tuple[bytes, ...]:
    table = []
    names = {
        "favourited": Mark.FAVOURITED,
        "reblogged": Mark.BOOSTED,
        "bookmarked": Mark.BOOKMARKED,
        "muted": Mark.MUTED,
    }
    for number in range(32):
        flags: dict[str, Any] = {name: bool(number & mark) for name, mark in names.items()}
        if number & Mark.PINNED:
            flags["pinned"] = True
        flags["filtered"] = []
        table.append(b"," + _encode(flags)[1:])
    return tuple(table)


_FLAGS = _flag_bytes()
_ENDS = tuple(b',"reblog":null' + flags for flags in _FLAGS)
_END_OF_ANYBODY = b',"reblog":null}'
# Only what is one's own says that it is not pinned.
_ENDS_OF_OWN = tuple(
    end if number & Mark.PINNED else end[:-1] + b',"pinned":false}' for number, end in enumerate(_ENDS)
)


# Which of the three ends of a fragment's body a viewer gets.
_NOBODY, _SOMEBODY, _AUTHOR = 0, 1, 2


class Apart(NamedTuple):
    """What of a status is made anew each time, since it changes without the status, or differs between viewers."""

    poll: PollView | None
    quote: QuoteView | None
    card: CardView | None  # with an author known here, be it by hearsay
    policy: tuple[int, int] | None  # who may quote it, and its visibility, if that depends on who follows whom


class StatusFragment(NamedTuple):
    """A status's shared bytes, open at the end.

    `joints` lead on to the account: for nobody, somebody, the author. Few statuses have something `apart`.
    """

    rev: int
    body: bytes
    joints: tuple[bytes, ...]
    apart: Apart | None


class _Hole(NamedTuple):
    """Where in the pieces of a status that which is apart has to be put, with the joint behind it."""

    pieces: list[bytes]
    at: int
    status_id: int
    account_id: int
    apart: Apart
    kind: int


class AccountFragment(NamedTuple):
    """An account's bytes, whole."""

    rev: int
    body: bytes


class Kept(Generic[V]):
    """A bounded memory in two generations: cheap to read, forgets what was not used lately."""

    __slots__ = ("_old", "_room", "fresh")

    def __init__(self, most: int) -> None:
        self._room = max(1, most // 2)
        self.fresh: dict[int, V] = {}
        self._old: dict[int, V] = {}

    def get(self, key: int) -> V | None:
        """What is kept under a key."""
        value = self.fresh.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: int, value: V) -> None:
        """Keeps a value, letting the older generation go when the newer is full."""
        if len(self.fresh) >= self._room:
            self._old, self.fresh = self.fresh, {}
        self.fresh[key] = value

    def clear(self) -> None:
        """Forgets everything."""
        self.fresh, self._old = {}, {}


class Fragments:
    """The memory of one process, and the splicer."""

    def __init__(
        self, links: Links, *, statuses: int = 10_000, accounts: int = 5_000, filters: KnownFilters | None = None
    ) -> None:
        self.links = links
        self.filtering = Filtering(filters or KnownFilters())
        self._statuses: Kept[StatusFragment] = Kept(statuses)
        self._accounts: Kept[AccountFragment] = Kept(accounts)

    def clear(self) -> None:
        """Forgets everything, as after a start."""
        self._statuses.clear()
        self._accounts.clear()

    async def page(self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None) -> bytes:
        """The rows as a JSON array of Status entities."""
        pieces = [b"["]
        for _, status in await self._spliced(session, rows, viewer):
            pieces += status
            pieces.append(b",")
        # One join for the whole page: its bytes are copied once.
        pieces[-1 if len(pieces) > 1 else 1 :] = [b"]"]
        return b"".join(pieces)

    async def one(self, session: ReadSession, row: FeedRow, viewer: int | None) -> bytes:
        """One Status entity. Raises NotFound for one that was deleted since the statement that gave the row."""
        found = await self.each(session, [row], viewer)
        if not found:
            raise NotFound
        return found[0]

    async def each(self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None) -> list[bytes]:
        """The rows as Status entities. Their visibility has been established by the statement that gave them."""
        return [b"".join(pieces) for _, pieces in await self._spliced(session, rows, viewer)]

    async def by_id(self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None) -> dict[int, bytes]:
        """The same by id, for those who can't rely on every row being there still."""
        return {id_: b"".join(pieces) for id_, pieces in await self._spliced(session, rows, viewer)}

    async def _spliced(
        self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None, *, inner: bool = False
    ) -> list[tuple[int, Pieces]]:
        """The pieces of each row. `inner`: they are shown inside of another status."""
        known = self._splice_known(rows, viewer)
        if known is None:
            statuses, accounts = await self._gather(session, rows)
            holes: list[_Hole] = []
            found = [
                (row.id, self._splice(row, statuses, accounts, viewer, holes))
                for row in rows
                # One that was deleted since the statement is left out.
                if row.id in statuses and (row.original_id is None or row.original_id in statuses)
            ]
        else:
            found, holes = known
        if holes:
            await self._fill(session, holes, viewer, inner)
        return found if viewer is None else await self.filtering.mark(session, rows, found, viewer)

    def _splice_known(
        self, rows: Sequence[FeedRow], viewer: int | None
    ) -> tuple[list[tuple[int, Pieces]], list[_Hole]] | None:
        """The rows, when every fragment of them is kept, and what some of them still lack.

        The usual case in one pass: this loop is most of what a page costs apart from its statement.
        """
        found: list[tuple[int, Pieces]] = []
        holes: list[_Hole] = []
        fresh_statuses, fresh_accounts = self._statuses.fresh.get, self._accounts.fresh.get
        for _, id_, rev, account_id, account_rev, original_id, original_rev, other_id, other_rev, marks in rows:
            status = fresh_statuses(id_) or self._statuses.get(id_)
            author = fresh_accounts(account_id) or self._accounts.get(account_id)
            if status is None or author is None or status[0] != rev or author[0] != account_rev:
                return None
            outer: Pieces = ()
            if original_id is None:
                shown, shown_author = id_, account_id
                end = _END_OF_ANYBODY if viewer is None else (_ENDS_OF_OWN if account_id == viewer else _ENDS)[marks]
                last = b""
            else:
                shown, shown_author = original_id, other_id  # type: ignore[assignment]
                outer = (status[1], status[2][_NOBODY], author[1], _BOOST)
                status = fresh_statuses(original_id) or self._statuses.get(original_id)
                author = fresh_accounts(other_id) or self._accounts.get(other_id)  # type: ignore[arg-type]
                if status is None or author is None or status[0] != original_rev or author[0] != other_rev:
                    return None
                end, last = (_END_OF_ANYBODY, _END) if viewer is None else (_ENDS[marks], _FLAGS[marks])
            kind = _NOBODY if viewer is None else (_AUTHOR if shown_author == viewer else _SOMEBODY)
            if status[3] is None:
                found.append((id_, (*outer, status[1], status[2][kind], author[1], end, last)))
            else:
                pieces = [*outer, status[1], b"", status[2][kind], author[1], end, last]
                holes.append(_Hole(pieces, len(outer) + 1, shown, shown_author, status[3], kind))
                found.append((id_, pieces))
        return found, holes

    def differs(self, row: FeedRow) -> bool:
        """Whether what the row shows looks different to each viewer; True when that isn't known."""
        kept = self._statuses.get(row.original_id or row.id)
        return kept is None or kept.apart is not None

    async def _fill(self, session: ReadSession, holes: Sequence[_Hole], viewer: int | None, inner: bool) -> None:
        """Puts what was made apart where it belongs: a fixed number of statements for all the holes."""
        polled = [hole.apart.poll for hole in holes if hole.apart.poll is not None]
        polls = await self._polls(session, polled, viewer) if polled else {}
        quoting = {hole.status_id: hole.apart.quote for hole in holes if hole.apart.quote is not None}
        quotes = await self._quotes(session, quoting, viewer, inner=inner) if quoting else {}
        written = {hole.apart.card.author_id for hole in holes if hole.apart.card is not None}
        authors = await self.accounts(session, sorted(one for one in written if one is not None)) if written else {}
        dependent = {hole.account_id for hole in holes if hole.apart.policy is not None and hole.kind == _SOMEBODY}
        follows = await load_follows(session, sorted(dependent), viewer or 0) if dependent else {}
        for pieces, at, status_id, account_id, apart, kind in holes:
            made = []
            if apart.poll is not None:
                made += [_POLL, polls[apart.poll.status_id]]
            if apart.quote is not None:
                made += [_QUOTE, quotes[status_id]]
            if apart.card is not None:
                card = render_card(apart.card, self.links, authors.get(apart.card.author_id or 0), viewer)
                made += [_CARD, _encode(card)]
            if apart.policy is not None and kind == _SOMEBODY:
                follow, followed = follows.get(account_id, (False, False))
                approval = approval_for(*apart.policy, follows=follow, followed=followed)[_SOMEBODY]
                pieces[at + 1] = b"".join((_APPROVAL, approval, _ACCOUNT))
            pieces[at] = b"".join(made)

    async def _quotes(
        self, session: ReadSession, made: Mapping[int, QuoteView], viewer: int | None, *, inner: bool
    ) -> dict[int, bytes]:
        """The quotes of statuses; inside of what is quoted nothing but the ids of further ones."""
        wanted = {
            quote.quoted_id
            for quote in made.values()
            if quote.quoted_id is not None and quote.state == QuoteState.ACCEPTED
        }
        found = await find_quoted(session, sorted(wanted), viewer) if wanted else {}
        standings = {quoted_id: standing for quoted_id, (_, standing) in found.items()}
        if inner:
            return {
                status_id: render_shallow_quote(quote, standings.get(quote.quoted_id or 0))
                for status_id, quote in made.items()
            }
        rows = [row for row, standing in found.values() if standing is not Standing.UNAUTHORIZED]
        shown = {id_: b"".join(pieces) for id_, pieces in await self._spliced(session, rows, viewer, inner=True)}
        return {
            status_id: render_quote(quote, standings.get(quote.quoted_id or 0), shown.get(quote.quoted_id or 0))
            for status_id, quote in made.items()
        }

    async def quote(self, session: ReadSession, status_id: int, quote: QuoteView, viewer: int | None) -> bytes:
        """The Quote entity of a status that was just loaded."""
        return (await self._quotes(session, {status_id: quote}, viewer, inner=False))[status_id]

    async def accounts(self, session: ReadSession, ids: Sequence[int]) -> dict[int, bytes]:
        """Account entities by id, always as they stand now."""
        return await self.accounts_at(session, await load_revisions(session, ids))

    async def accounts_at(self, session: ReadSession, revisions: Iterable[Sequence[int]]) -> dict[int, bytes]:
        """Account entities by id, given ids with revisions that were just read."""
        found, missing = {}, []
        for account_id, rev in revisions:
            kept = self._accounts.get(account_id)
            if kept is not None and kept.rev == rev:
                found[account_id] = kept.body
            else:
                missing.append(account_id)
        if missing:
            views = await load_accounts(session, missing)
            for account_id, fragment in (await self._render_accounts(session, views.values())).items():
                found[account_id] = fragment.body
        return found

    async def account(self, session: ReadSession, view: AccountView) -> bytes:
        """The entity of an account that was just loaded."""
        kept = self._accounts.get(view.id)
        if kept is not None and kept.rev == view.rev:
            return kept.body
        return (await self._render_accounts(session, [view]))[view.id].body

    async def _gather(
        self, session: ReadSession, rows: Sequence[FeedRow]
    ) -> tuple[dict[int, StatusFragment], dict[int, AccountFragment]]:
        statuses: dict[int, StatusFragment] = {}
        accounts: dict[int, AccountFragment] = {}
        missing_statuses: dict[int, int] = {}
        missing_accounts: set[int] = set()
        get_status, get_account = self._statuses.get, self._accounts.get
        for row in rows:
            (
                _,
                id_,
                rev,
                account_id,
                account_rev,
                original_id,
                original_rev,
                original_account_id,
                original_account_rev,
                _,
            ) = row
            kept = get_status(id_)
            if kept is not None and kept.rev == rev:
                statuses[id_] = kept
            else:
                missing_statuses[id_] = account_id
            author = get_account(account_id)
            if author is not None and author.rev == account_rev:
                accounts[account_id] = author
            else:
                missing_accounts.add(account_id)
            if original_id is not None:
                kept = get_status(original_id)
                if kept is not None and kept.rev == original_rev:
                    statuses[original_id] = kept
                else:
                    missing_statuses[original_id] = original_account_id  # type: ignore[assignment]
                author = get_account(original_account_id)  # type: ignore[arg-type]
                if author is not None and author.rev == original_account_rev:
                    accounts[original_account_id] = author  # type: ignore[index]
                else:
                    missing_accounts.add(original_account_id)  # type: ignore[arg-type]
        if missing_statuses:
            statuses |= await self._render_statuses(session, missing_statuses)
        if missing_accounts:
            views = await load_accounts(session, sorted(missing_accounts))
            accounts |= await self._render_accounts(session, list(views.values()))
        return statuses, accounts

    async def _render_statuses(self, session: ReadSession, authors: Mapping[int, int]) -> dict[int, StatusFragment]:
        views = await load_statuses(session, list(authors))
        people = await load_accounts(session, sorted(set(authors.values())))
        made = {}
        for id_, view in views.items():
            entity = render_status(view, people[view.row.account_id], self.links)
            row = view.row
            policy = (row.quote_policy, row.visibility)
            fragment = StatusFragment(row.rev, _encode(entity)[:-1], _joints(*policy), _set_apart(view, policy))
            self._statuses.put(id_, fragment)
            made[id_] = fragment
        return made

    async def _render_accounts(self, session: ReadSession, views: Iterable[AccountView]) -> dict[int, AccountFragment]:
        made = {}
        for view in views:
            names = decode_strings(view.emojis) if view.emojis != "[]" else []
            emojis = await load_emojis(session, names, view.domain) if names else {}
            entity = render_account(view, list(emojis.values()), self.links)
            if view.moved_to_id is not None:
                target = (await load_accounts(session, [view.moved_to_id])).get(view.moved_to_id)
                entity["moved"] = None if target is None else render_account(target, [], self.links)
            fragment = AccountFragment(view.rev, _encode(entity))
            if view.moved_to_id is None:  # the target's changes have another revision
                self._accounts.put(view.id, fragment)
            made[view.id] = fragment
        return made

    async def _polls(self, session: ReadSession, polls: list[PollView], viewer: int | None) -> dict[int, bytes]:
        now = now_ms()
        if viewer is None:
            return {poll.status_id: _encode(render_poll(poll, now, self.links)) for poll in polls}
        votes = await load_votes(session, [poll.id for poll in polls], viewer)
        return {
            poll.status_id: _encode(
                with_votes(render_poll(poll, now, self.links), poll, viewer, votes.get(poll.id, []))
            )
            for poll in polls
        }

    def _splice(
        self,
        row: FeedRow,
        statuses: Mapping[int, StatusFragment],
        accounts: Mapping[int, AccountFragment],
        viewer: int | None,
        holes: list[_Hole],
    ) -> Pieces:
        number = row.marks
        flags, end = (_END, _END_OF_ANYBODY) if viewer is None else (_FLAGS[number], _ENDS[number])
        account_id, original_id, shown, shown_author = row.account_id, row.original_id, row.id, row.account_id
        pieces: list[bytes] = []
        if original_id is None:
            if account_id == viewer:
                end = _ENDS_OF_OWN[number]
            flags = b""
        else:
            shown, shown_author = original_id, row.original_account_id  # type: ignore[assignment]
            boost = statuses[row.id]
            pieces += (boost.body, boost.joints[_NOBODY], accounts[account_id].body, _BOOST)
        status = statuses[shown]
        kind = _NOBODY if viewer is None else (_AUTHOR if shown_author == viewer else _SOMEBODY)
        if status.apart is not None:
            holes.append(_Hole(pieces, len(pieces) + 1, shown, shown_author, status.apart, kind))
        pieces += (status.body, b"", status.joints[kind], accounts[shown_author].body, end, flags)
        return pieces


@cache
def _joints(policy: int, visibility: int) -> tuple[bytes, ...]:
    return tuple(b"".join((_APPROVAL, approval, _ACCOUNT)) for approval in approval_for(policy, visibility))


def _set_apart(view: StatusView, policy: tuple[int, int]) -> Apart | None:
    card = view.card if view.card is not None and view.card.names_somebody else None
    depends = policy if needs_relations(policy[0]) and policy[1] <= Visibility.UNLISTED else None
    apart = Apart(view.poll, view.quote, card, depends)
    return None if apart == (None, None, None, None) else apart
