"""Rendered bytes of statuses and accounts, kept by revision, and pages spliced out of them.

A page's statement gives ids with revisions; a fragment is used only when its revision is that one, so
a stale one can't be served and nothing has to be told between processes. However long a page is and however little is
kept, it takes one more statement at most, for what differs between viewers and what has to be rendered.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from phiomia.domain.accounts.queries import (
    ShownAccount,
    load_changed_accounts,
    load_shown_accounts,
    revision_of,
)
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.filters.known import Asking, KnownFilters
from phiomia.domain.filters.matching import Matcher
from phiomia.domain.statuses.apart import NOTHING, Known, load_apart
from phiomia.domain.statuses.lacking import Found, Wanted, load_lacking
from phiomia.domain.statuses.queries import load_votes
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.quote_views import QuoteView
from phiomia.domain.statuses.views import FeedRow, PollView
from phiomia.domain.statuses.written import load_written
from phiomia.entities.account import render_account
from phiomia.entities.card import render_card
from phiomia.entities.filtered import Filtering
from phiomia.entities.kept import Kept
from phiomia.entities.links import Links
from phiomia.entities.pieces import (
    ACCOUNT,
    APPROVAL,
    AUTHOR,
    BOOST,
    CARD,
    END,
    END_OF_ANYBODY,
    ENDS,
    ENDS_OF_OWN,
    FLAGS,
    NOBODY,
    POLL,
    QUOTE,
    SOMEBODY,
    AccountFragment,
    Apart,
    Hole,
    Pieces,
    StatusFragment,
    render_fragment,
    splice_status,
)
from phiomia.entities.poll import render_poll, with_votes
from phiomia.entities.quote import approval_for, render_quote, render_shallow_quote
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession

_encode = msgspec.json.encode


# Rows in pieces, and what some of them still lack.
_Ready = tuple[list[tuple[int, Pieces]], list[Hole]]


class _Gathered(NamedTuple):
    """What a page is spliced from."""

    statuses: dict[int, StatusFragment]
    accounts: dict[int, AccountFragment]
    known: Known
    viewer: int | None
    matcher: Matcher | None


class _Recalled(NamedTuple):
    """What is in memory, and what is not: statuses, accounts, of what it isn't known that nothing is apart, filters."""

    gathered: _Gathered
    lacking: list[int]
    strangers: list[int]
    apart: list[int]
    asking: Asking


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

    async def written(self, session: ReadSession, status_id: int, author_id: int) -> bytes:
        """One that its author has just written, as they see it; in one statement unless it shows others' things.

        Raises NotFound.
        """
        row, found = await load_written(session, status_id, author_id)
        self._keep_accounts(found.people)
        self._keep_statuses(found)
        return await self.one(session, row, author_id)

    async def each(self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None) -> list[bytes]:
        """The rows as Status entities. Their visibility has been established by the statement that gave them."""
        return [b"".join(pieces) for _, pieces in await self._spliced(session, rows, viewer)]

    async def by_id(self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None) -> dict[int, bytes]:
        """The same by id, for those who can't rely on every row being there still."""
        return {id_: b"".join(pieces) for id_, pieces in await self._spliced(session, rows, viewer)}

    async def with_people(
        self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None, people: Mapping[int, int]
    ) -> tuple[dict[int, bytes], dict[int, bytes]]:
        """Status entities by id, and Account entities by id of those whose revisions are given; in one statement."""
        ready = self._splice_known(rows, viewer)
        knows, matcher = (True, None) if viewer is None or not rows else self.filtering.known.recall(viewer)
        if ready is not None and not ready[1] and knows:
            marked = await self.filtering.mark(rows, ready[0], viewer, matcher)
            accounts = await self.accounts_at(session, people.items())
            return {id_: b"".join(pieces) for id_, pieces in marked}, accounts
        gathered = await self._gather(session, rows, viewer, people)
        found = {id_: b"".join(pieces) for id_, pieces in await self._splice(rows, gathered, ready)}
        return found, {id_: gathered.accounts[id_].body for id_ in people if id_ in gathered.accounts}

    async def _spliced(
        self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None
    ) -> list[tuple[int, Pieces]]:
        """The pieces of each row."""
        ready = self._splice_known(rows, viewer)
        if ready is None or ready[1]:
            return await self._splice(rows, await self._gather(session, rows, viewer, {}), ready)
        if viewer is None or not rows:
            return ready[0]
        matcher = await self.filtering.known.of(session, viewer)
        return ready[0] if matcher is None else await self.filtering.mark(rows, ready[0], viewer, matcher)

    async def _splice(
        self, rows: Sequence[FeedRow], gathered: _Gathered, ready: _Ready | None
    ) -> list[tuple[int, Pieces]]:
        found, holes = ready or _splice_each(rows, gathered)
        quotes = any(hole.apart.quote is not None for hole in holes)
        self._fill(holes, gathered, await self._show_quoted(gathered) if quotes else {})
        return await self.filtering.mark(rows, found, gathered.viewer, gathered.matcher)

    async def _show_quoted(self, gathered: _Gathered) -> dict[int, bytes]:
        """What is quoted; inside of it nothing but the ids of what that quotes."""
        rows = gathered.known.shown
        found, holes = _splice_each(rows, gathered)
        self._fill(holes, gathered, None)
        marked = await self.filtering.mark(rows, found, gathered.viewer, gathered.matcher)
        return {id_: b"".join(pieces) for id_, pieces in marked}

    async def _gather(
        self, session: ReadSession, rows: Sequence[FeedRow], viewer: int | None, people: Mapping[int, int]
    ) -> _Gathered:
        """What rows are spliced from, and accounts by their revisions; what is missing comes in one statement."""
        recalled = self._recall(rows, people, viewer)
        if not recalled.asking.accounts:
            if not recalled.lacking and not recalled.strangers:
                known = await self._learn_little(session, recalled)
                if known is not None:
                    return recalled.gathered._replace(known=known)
            elif not recalled.lacking and not recalled.apart:
                found = self._keep_accounts(await load_shown_accounts(session, sorted(recalled.strangers)))
                return recalled.gathered._replace(accounts=recalled.gathered.accounts | found)
        return await self._load(session, recalled)

    def _recall(self, rows: Sequence[FeedRow], people: Mapping[int, int], viewer: int | None) -> _Recalled:
        wanted: dict[int, int] = {}
        authors = dict(people)
        for row in rows:
            wanted[row.id], authors[row.account_id] = row.rev, row.account_rev
            if row.original_id is not None:
                wanted[row.original_id] = row.original_rev or 0
                authors[row.original_account_id or 0] = row.original_account_rev or 0
        statuses = {id_: kept for id_, rev in wanted.items() if (kept := self._statuses.get(id_)) and kept.rev == rev}
        accounts = {id_: one for id_, rev in authors.items() if (one := self._accounts.get(id_)) and one.rev == rev}
        knows, matcher = (True, None) if viewer is None else self.filtering.known.recall(viewer)
        return _Recalled(
            _Gathered(statuses, accounts, NOTHING, viewer, matcher),
            [id_ for id_ in wanted if id_ not in statuses],
            [id_ for id_ in authors if id_ not in accounts],
            # Boosts stand for what they boost.
            [row.id for row in rows if _is_apart(statuses.get(row.original_id or row.id))],
            self.filtering.known.ask([] if knows or viewer is None else [viewer]),
        )

    async def _learn_little(self, session: ReadSession, recalled: _Recalled) -> Known | None:
        """What is apart, where every fragment is kept and nothing else has to be shown for it."""
        fragments, viewer = recalled.gathered.statuses, recalled.gathered.viewer
        apart = [fragment.apart for fragment in fragments.values() if fragment.apart is not None]
        if all(_is_poll_alone(one) for one in apart):
            polls = [one.poll.id for one in apart if one.poll is not None]
            if not polls or viewer is None:
                return NOTHING
            return NOTHING._replace(votes=await load_votes(session, polls, viewer))
        if any(one.quote is not None or one.card is not None for one in apart):
            return None
        return await load_apart(session, recalled.apart, viewer)

    async def _load(self, session: ReadSession, recalled: _Recalled) -> _Gathered:
        (statuses, accounts, _, viewer, matcher), lacking, strangers, apart, asking = recalled
        kept, kept_people = self._recall_quoted(statuses.values())
        wanted = Wanted(
            apart,
            lacking,
            strangers,
            [revision_of(id_, fragment.rev) for id_, fragment in kept.items()],
            [revision_of(id_, fragment.rev) for id_, fragment in kept_people.items()],
        )
        found = await load_lacking(session, wanted, viewer, asking)
        accounts = kept_people | accounts | self._keep_accounts(found.people)
        statuses = kept | statuses | self._keep_statuses(found)
        if viewer is not None and asking.accounts:
            matcher = self.filtering.known.learn(asking, found.filters)[viewer]
        return _Gathered(statuses, accounts, found.known, viewer, matcher)

    def _recall_quoted(
        self, fragments: Iterable[StatusFragment]
    ) -> tuple[dict[int, StatusFragment], dict[int, AccountFragment]]:
        """What is kept of what may be quoted, and of whom it leads to, in whichever revision."""
        apart = [fragment.apart for fragment in fragments if fragment.apart is not None]
        ids = {one.quote.quoted_id for one in apart if one.quote is not None and one.quote.quoted_id is not None}
        statuses = {id_: kept for id_ in ids if (kept := self._statuses.get(id_)) is not None}
        apart += [kept.apart for kept in statuses.values() if kept.apart is not None]
        people = {one.card.author_id for one in apart if one.card is not None and one.card.author_id is not None}
        people |= {kept.account_id for kept in statuses.values()}
        return statuses, {id_: one for id_ in people if (one := self._accounts.get(id_)) is not None}

    def _splice_known(self, rows: Sequence[FeedRow], viewer: int | None) -> _Ready | None:
        """The rows, when every fragment of them is kept, and what some of them still lack.

        The usual case in one pass: this loop is most of what a page costs apart from its statement.
        """
        found: list[tuple[int, Pieces]] = []
        holes: list[Hole] = []
        fresh_statuses, fresh_accounts = self._statuses.fresh.get, self._accounts.fresh.get
        for _, id_, rev, account_id, account_rev, original_id, original_rev, other_id, other_rev, marks in rows:
            status = fresh_statuses(id_) or self._statuses.get(id_)
            author = fresh_accounts(account_id) or self._accounts.get(account_id)
            if status is None or author is None or status[0] != rev or author[0] != account_rev:
                return None
            outer: Pieces = ()
            if original_id is None:
                shown_author = account_id
                end = END_OF_ANYBODY if viewer is None else (ENDS_OF_OWN if account_id == viewer else ENDS)[marks]
                last = b""
            else:
                shown_author = other_id  # type: ignore[assignment]
                outer = (status[1], status[2][NOBODY], author[1], BOOST)
                status = fresh_statuses(original_id) or self._statuses.get(original_id)
                author = fresh_accounts(other_id) or self._accounts.get(other_id)  # type: ignore[arg-type]
                if status is None or author is None or status[0] != original_rev or author[0] != other_rev:
                    return None
                end, last = (END_OF_ANYBODY, END) if viewer is None else (ENDS[marks], FLAGS[marks])
            kind = NOBODY if viewer is None else (AUTHOR if shown_author == viewer else SOMEBODY)
            if status[3] is None:
                found.append((id_, (*outer, status[1], status[2][kind], author[1], end, last)))
            else:
                pieces = [*outer, status[1], b"", status[2][kind], author[1], end, last]
                holes.append(Hole(pieces, len(outer) + 1, shown_author, status[3], kind))
                found.append((id_, pieces))
        return found, holes

    def differs(self, row: FeedRow) -> bool:
        """Whether what the row shows looks different to each viewer; True when that isn't known."""
        return _is_apart(self._statuses.get(row.original_id or row.id))

    def _fill(self, holes: Sequence[Hole], gathered: _Gathered, quoted: Mapping[int, bytes] | None) -> None:
        """Puts what was made apart where it belongs. `quoted` is None inside of a quote."""
        accounts, known, viewer = gathered.accounts, gathered.known, gathered.viewer
        now = now_ms()
        for pieces, at, account_id, apart, kind in holes:
            made = []
            if apart.poll is not None:
                made += [POLL, self._poll(apart.poll, now, known, viewer)]
            if apart.quote is not None:
                made += [QUOTE, _quote(apart.quote, known, quoted)]
            if apart.card is not None:
                author = accounts.get(apart.card.author_id or 0)
                card = render_card(apart.card, self.links, None if author is None else author.body, viewer)
                made += [CARD, _encode(card)]
            if apart.policy is not None and kind == SOMEBODY:
                follow, followed = known.follows.get(account_id, (False, False))
                approval = approval_for(*apart.policy, follows=follow, followed=followed)[SOMEBODY]
                pieces[at + 1] = b"".join((APPROVAL, approval, ACCOUNT))
            pieces[at] = b"".join(made)

    def _poll(self, poll: PollView, now: int, known: Known, viewer: int | None) -> bytes:
        entity = render_poll(poll, now, self.links)
        return _encode(entity if viewer is None else with_votes(entity, poll, viewer, known.votes.get(poll.id, [])))

    async def quote(self, session: ReadSession, status_id: int, quote: QuoteView, viewer: int | None) -> bytes:
        """The Quote entity of a status that was just loaded."""
        gathered = await self._load(session, self._recall((), {}, viewer)._replace(apart=[status_id]))
        return _quote(quote, gathered.known, await self._show_quoted(gathered))

    async def accounts(self, session: ReadSession, ids: Sequence[int]) -> dict[int, bytes]:
        """Account entities by id, always as they stand now; in one statement."""
        if not ids:
            return {}
        fresh, recall = self._accounts.fresh.get, self._accounts.get
        kept = {id_: one for id_ in ids if (one := fresh(id_) or recall(id_)) is not None}
        unknown = [id_ for id_ in ids if id_ not in kept] if len(kept) < len(ids) else ()
        gone, changed = await load_changed_accounts(session, unknown, {id_: one[0] for id_, one in kept.items()})
        for id_ in gone:
            del kept[id_]
        if changed:
            kept |= self._keep_accounts(changed)
        return {id_: one[1] for id_, one in kept.items()}

    async def accounts_at(self, session: ReadSession, revisions: Iterable[Sequence[int]]) -> dict[int, bytes]:
        """Account entities by id, given ids with revisions that were just read."""
        found: dict[int, bytes] = {}
        missing = []
        for account_id, rev in revisions:
            kept = self._accounts.get(account_id)
            if kept is not None and kept.rev == rev:
                found[account_id] = kept.body
            else:
                missing.append(account_id)
        if missing:
            loaded = self._keep_accounts(await load_shown_accounts(session, sorted(missing)))
            found |= {id_: fragment.body for id_, fragment in loaded.items()}
        return found

    async def account(self, session: ReadSession, view: AccountView) -> bytes:
        """The entity of an account that was just loaded. Raises NotFound for one that was deleted since."""
        found = await self.accounts_at(session, [(view.id, view.rev)])
        if view.id not in found:
            raise NotFound
        return found[view.id]

    def _keep_statuses(self, found: Found) -> dict[int, StatusFragment]:
        made = {}
        for id_, view in found.statuses.items():
            author = found.people.get(view.row.account_id)
            if author is not None:
                made[id_] = render_fragment(view, author.view, self.links)
                self._statuses.put(id_, made[id_])
        return made

    def _keep_accounts(self, found: Mapping[int, ShownAccount]) -> dict[int, AccountFragment]:
        made = {}
        for view, emojis, moved_to in found.values():
            entity = render_account(view, emojis, self.links)
            if view.moved_to_id is not None:
                entity["moved"] = None if moved_to is None else render_account(moved_to, [], self.links)
            made[view.id] = AccountFragment(view.rev, _encode(entity))
            if view.moved_to_id is None:  # the target's changes have another revision
                self._accounts.put(view.id, made[view.id])
        return made


def _splice_each(rows: Sequence[FeedRow], gathered: _Gathered) -> _Ready:
    statuses, accounts, _, viewer, _ = gathered
    holes: list[Hole] = []
    found = [
        (row.id, splice_status(row, statuses, accounts, viewer, holes))
        for row in rows
        # One that was deleted since the statement is left out.
        if row.id in statuses and (row.original_id is None or row.original_id in statuses)
    ]
    return found, holes


def _is_apart(fragment: StatusFragment | None) -> bool:
    """Whether a status may look different to each viewer."""
    return fragment is None or fragment.apart is not None


def _is_poll_alone(apart: Apart) -> bool:
    return apart.poll is not None and apart.quote is None and apart.card is None and apart.policy is None


def _quote(quote: QuoteView, known: Known, quoted: Mapping[int, bytes] | None) -> bytes:
    standing = known.standings.get(quote.quoted_id or 0) if quote.state == QuoteState.ACCEPTED else None
    if quoted is None:
        return render_shallow_quote(quote, standing)
    return render_quote(quote, standing, quoted.get(quote.quoted_id or 0))
