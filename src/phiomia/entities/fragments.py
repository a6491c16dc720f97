"""Rendered bytes of statuses and accounts, kept by revision, and pages spliced out of them.

A page's statement gives ids with revisions; a fragment is used only when its revision is that one, so
a stale one can't be served and nothing has to be told between processes. However long a page is, it takes two more
statements at most: one for what differs between viewers, one for the fragments that are not kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from phiomia.domain.accounts.queries import ShownAccount, load_revisions
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.filters.known import KnownFilters
from phiomia.domain.statuses.apart import NOTHING, Known, load_apart
from phiomia.domain.statuses.queries import load_shown, load_votes
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.quote_views import QuoteView, Standing
from phiomia.domain.statuses.views import FeedRow, PollView
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


class _Gathered(NamedTuple):
    """What a page is spliced from."""

    statuses: Mapping[int, StatusFragment]
    accounts: Mapping[int, AccountFragment]
    known: Known
    viewer: int | None


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

    async def by_id(
        self,
        session: ReadSession,
        rows: Sequence[FeedRow],
        viewer: int | None,
        known: Known | None = None,
        people: Mapping[int, int] | None = None,
    ) -> dict[int, bytes]:
        """The same by id, for those who can't rely on every row being there still.

        `known`: what was asked for together with the rows. `people`: accounts with their revisions that will be wanted
        next, so that those which are not kept come in the same statement as what these rows lack.
        """
        strangers = {id_: rev for id_, rev in people.items() if not self._has(id_, rev)} if people else None
        spliced = await self._spliced(session, rows, viewer, known, strangers)
        return {id_: b"".join(pieces) for id_, pieces in spliced}

    async def _spliced(
        self,
        session: ReadSession,
        rows: Sequence[FeedRow],
        viewer: int | None,
        known: Known | None = None,
        people: Mapping[int, int] | None = None,
    ) -> list[tuple[int, Pieces]]:
        """The pieces of each row."""
        ready = self._splice_known(rows, viewer)
        if ready is not None and not ready[1] and not people:
            found = ready[0]
        else:
            if known is None:
                known = await self._learn(session, rows, ready, viewer)
            found = await self._splice_rest(session, rows, ready, (known, people or {}, viewer))
        return found if viewer is None else await self.filtering.mark(session, rows, found, viewer)

    async def _splice_rest(
        self,
        session: ReadSession,
        rows: Sequence[FeedRow],
        ready: tuple[list[tuple[int, Pieces]], list[Hole]] | None,
        more: tuple[Known, Mapping[int, int], int | None],
    ) -> list[tuple[int, Pieces]]:
        known, people, viewer = more
        inner = [row for row in known.quoted if known.standings[row.id] is not Standing.UNAUTHORIZED]
        lacking = inner if ready is not None else [*rows, *inner]
        statuses, accounts = await self._gather(session, lacking, {**people, **known.authors})
        if ready is None and not known.asked.issuperset(_holed(rows, statuses)):
            # One that had nothing apart when it was rendered last has got something since.
            known = await load_apart(session, [row.id for row in rows], viewer)
            return await self._splice_rest(session, rows, ready, (known, people, viewer))
        gathered = _Gathered(statuses, accounts, known, viewer)
        found, holes = ready or _splice_each(rows, gathered)
        if any(hole.apart.quote is not None for hole in holes):
            self._fill(holes, gathered, await self._show_quoted(session, inner, gathered))
        else:
            self._fill(holes, gathered, {})
        return found

    async def _show_quoted(
        self, session: ReadSession, rows: Sequence[FeedRow], gathered: _Gathered
    ) -> dict[int, bytes]:
        """What is quoted; inside of it nothing but the ids of what that quotes."""
        found, holes = _splice_each(rows, gathered)
        self._fill(holes, gathered, None)
        if gathered.viewer is not None:
            found = await self.filtering.mark(session, rows, found, gathered.viewer)
        return {id_: b"".join(pieces) for id_, pieces in found}

    async def _learn(
        self,
        session: ReadSession,
        rows: Sequence[FeedRow],
        ready: tuple[list[tuple[int, Pieces]], list[Hole]] | None,
        viewer: int | None,
    ) -> Known:
        if ready is not None and all(_is_poll_alone(hole.apart) for hole in ready[1]):
            polls = [hole.apart.poll.id for hole in ready[1] if hole.apart.poll is not None]
            return NOTHING if viewer is None else NOTHING._replace(votes=await load_votes(session, polls, viewer))
        uncertain = [row.id for row in rows if self.differs(row)]
        return await load_apart(session, uncertain, viewer) if uncertain else NOTHING

    def differ(self, ids: Iterable[int]) -> bool:
        """Whether some of these statuses look different to each viewer; True when that isn't known."""
        return any((kept := self._statuses.get(id_)) is None or kept.apart is not None for id_ in ids)

    def _splice_known(
        self, rows: Sequence[FeedRow], viewer: int | None
    ) -> tuple[list[tuple[int, Pieces]], list[Hole]] | None:
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
                shown, shown_author = id_, account_id
                end = END_OF_ANYBODY if viewer is None else (ENDS_OF_OWN if account_id == viewer else ENDS)[marks]
                last = b""
            else:
                shown, shown_author = original_id, other_id  # type: ignore[assignment]
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
                holes.append(Hole(pieces, len(outer) + 1, shown, shown_author, status[3], kind))
                found.append((id_, pieces))
        return found, holes

    def differs(self, row: FeedRow) -> bool:
        """Whether what the row shows looks different to each viewer; True when that isn't known."""
        kept = self._statuses.get(row.original_id or row.id)
        return kept is None or kept.apart is not None

    def _fill(self, holes: Sequence[Hole], gathered: _Gathered, quoted: Mapping[int, bytes] | None) -> None:
        """Puts what was made apart where it belongs. `quoted` is None inside of a quote."""
        accounts, known, viewer = gathered.accounts, gathered.known, gathered.viewer
        now = now_ms()
        for pieces, at, _, account_id, apart, kind in holes:
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
        known = await load_apart(session, [status_id], viewer)
        inner = [row for row in known.quoted if known.standings[row.id] is not Standing.UNAUTHORIZED]
        gathered = _Gathered(*await self._gather(session, inner, known.authors), known, viewer)
        return _quote(quote, known, await self._show_quoted(session, inner, gathered))

    async def accounts(self, session: ReadSession, ids: Sequence[int]) -> dict[int, bytes]:
        """Account entities by id, always as they stand now."""
        return await self.accounts_at(session, await load_revisions(session, ids))

    async def accounts_at(self, session: ReadSession, revisions: Iterable[Sequence[int]]) -> dict[int, bytes]:
        """Account entities by id, given ids with revisions that were just read."""
        found: dict[int, bytes] = {}
        missing: dict[int, int] = {}
        for account_id, rev in revisions:
            kept = self._accounts.get(account_id)
            if kept is not None and kept.rev == rev:
                found[account_id] = kept.body
            else:
                missing[account_id] = rev
        if missing:
            _, accounts = await self._gather(session, (), missing)
            found |= {id_: fragment.body for id_, fragment in accounts.items()}
        return found

    def _has(self, account_id: int, rev: int) -> bool:
        kept = self._accounts.get(account_id)
        return kept is not None and kept.rev == rev

    async def account(self, session: ReadSession, view: AccountView) -> bytes:
        """The entity of an account that was just loaded. Raises NotFound for one that was deleted since."""
        found = await self.accounts_at(session, [(view.id, view.rev)])
        if view.id not in found:
            raise NotFound
        return found[view.id]

    async def _gather(
        self, session: ReadSession, rows: Sequence[FeedRow], people: Mapping[int, int]
    ) -> tuple[dict[int, StatusFragment], dict[int, AccountFragment]]:
        """The fragments of rows and of accounts with their revisions; what is not kept, in one statement."""
        wanted: dict[int, int] = {}
        authors = dict(people)
        for row in rows:
            wanted[row.id], authors[row.account_id] = row.rev, row.account_rev
            if row.original_id is not None:
                wanted[row.original_id] = row.original_rev or 0
                authors[row.original_account_id or 0] = row.original_account_rev or 0
        statuses = {id_: kept for id_, rev in wanted.items() if (kept := self._statuses.get(id_)) and kept.rev == rev}
        accounts = {id_: one for id_, rev in authors.items() if (one := self._accounts.get(id_)) and one.rev == rev}
        lacking = [id_ for id_ in wanted if id_ not in statuses]
        # The author's own columns are needed for rendering a status, too.
        strangers = {id_ for id_ in authors if id_ not in accounts}
        for row in rows if lacking else ():
            if row.id not in statuses:
                strangers.add(row.account_id)
            if row.original_id is not None and row.original_id not in statuses:
                strangers.add(row.original_account_id or 0)
        if lacking or strangers:
            views, shown = await load_shown(session, lacking, sorted(strangers))
            accounts |= self._keep_accounts(shown)
            for id_, view in views.items():
                if view.row.account_id in shown:
                    statuses[id_] = render_fragment(view, shown[view.row.account_id].view, self.links)
                    self._statuses.put(id_, statuses[id_])
        return statuses, accounts

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


def _splice_each(rows: Sequence[FeedRow], gathered: _Gathered) -> tuple[list[tuple[int, Pieces]], list[Hole]]:
    statuses, accounts, _, viewer = gathered
    holes: list[Hole] = []
    found = [
        (row.id, splice_status(row, statuses, accounts, viewer, holes))
        for row in rows
        # One that was deleted since the statement is left out.
        if row.id in statuses and (row.original_id is None or row.original_id in statuses)
    ]
    return found, holes


def _holed(rows: Iterable[FeedRow], statuses: Mapping[int, StatusFragment]) -> set[int]:
    """The rows of which something is apart."""
    shown = ((row.id, statuses.get(row.original_id or row.id)) for row in rows)
    return {id_ for id_, fragment in shown if fragment is not None and fragment.apart is not None}


def _is_poll_alone(apart: Apart) -> bool:
    return apart.poll is not None and apart.quote is None and apart.card is None and apart.policy is None


def _quote(quote: QuoteView, known: Known, quoted: Mapping[int, bytes] | None) -> bytes:
    standing = known.standings.get(quote.quoted_id or 0) if quote.state == QuoteState.ACCEPTED else None
    if quoted is None:
        return render_shallow_quote(quote, standing)
    return render_quote(quote, standing, quoted.get(quote.quoted_id or 0))
