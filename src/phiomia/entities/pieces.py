"""Fragments of statuses and accounts, and how they are joined.

Per viewer only flags differ: they come from ready-made bytes.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.card_views import CardView
from phiomia.domain.statuses.quote_policy import needs_relations
from phiomia.domain.statuses.quote_views import QuoteView
from phiomia.domain.statuses.views import FeedRow, Mark, PollView, StatusView
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.links import Links
from phiomia.entities.quote import approval_for
from phiomia.entities.status import render_status

_encode = msgspec.json.encode

# Splicing is joining: these are the pieces between the fragments.
APPROVAL = b',"quote_approval":'
ACCOUNT = b',"account":'
BOOST = b',"reblog":'
END = b"}"
POLL = b',"poll":'
QUOTE = b',"quote":'
CARD = b',"card":'
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


FLAGS = _flag_bytes()
ENDS = tuple(b',"reblog":null' + flags for flags in FLAGS)
END_OF_ANYBODY = b',"reblog":null}'
# Only what is one's own says that it is not pinned.
ENDS_OF_OWN = tuple(end if number & Mark.PINNED else end[:-1] + b',"pinned":false}' for number, end in enumerate(ENDS))


# Which of the three ends of a fragment's body a viewer gets.
NOBODY, SOMEBODY, AUTHOR = 0, 1, 2


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
    account_id: int


class AccountFragment(NamedTuple):
    """An account's bytes, whole."""

    rev: int
    body: bytes


class Hole(NamedTuple):
    """Where in the pieces of a status that which is apart has to be put, with the joint behind it."""

    pieces: list[bytes]
    at: int
    account_id: int
    apart: Apart
    kind: int


def render_fragment(view: StatusView, author: AccountView, links: Links) -> StatusFragment:
    """The fragment of a status that was just loaded."""
    policy = (view.row.quote_policy, view.row.visibility)
    body = _encode(render_status(view, author, links))[:-1]
    return StatusFragment(view.row.rev, body, _joints(*policy), _set_apart(view, policy), author.id)


def splice_status(
    row: FeedRow,
    statuses: Mapping[int, StatusFragment],
    accounts: Mapping[int, AccountFragment],
    viewer: int | None,
    holes: list[Hole],
) -> Pieces:
    """The pieces of one row; what it lacks yet is added to `holes`."""
    number = row.marks
    flags, end = (END, END_OF_ANYBODY) if viewer is None else (FLAGS[number], ENDS[number])
    account_id, original_id, shown, shown_author = row.account_id, row.original_id, row.id, row.account_id
    pieces: list[bytes] = []
    if original_id is None:
        if account_id == viewer:
            end = ENDS_OF_OWN[number]
        flags = b""
    else:
        shown, shown_author = original_id, row.original_account_id  # type: ignore[assignment]
        boost = statuses[row.id]
        pieces += (boost.body, boost.joints[NOBODY], accounts[account_id].body, BOOST)
    status = statuses[shown]
    kind = NOBODY if viewer is None else (AUTHOR if shown_author == viewer else SOMEBODY)
    if status.apart is not None:
        holes.append(Hole(pieces, len(pieces) + 1, shown_author, status.apart, kind))
    pieces += (status.body, b"", status.joints[kind], accounts[shown_author].body, end, flags)
    return pieces


@cache
def _joints(policy: int, visibility: int) -> tuple[bytes, ...]:
    return tuple(b"".join((APPROVAL, approval, ACCOUNT)) for approval in approval_for(policy, visibility))


def _set_apart(view: StatusView, policy: tuple[int, int]) -> Apart | None:
    card = view.card if view.card is not None and view.card.names_somebody else None
    depends = policy if needs_relations(policy[0]) and policy[1] <= Visibility.UNLISTED else None
    apart = Apart(view.poll, view.quote, card, depends)
    return None if apart == (None, None, None, None) else apart
