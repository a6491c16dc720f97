"""What of statuses differs between viewers or changes without them, for whole pages in one statement."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, or_, select, union_all

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.queries import REVISIONS
from phiomia.domain.relationships.conditions import is_followed
from phiomia.domain.statuses.models import cards, poll_votes, quotes, statuses
from phiomia.domain.statuses.queries import GIVEN, NOBODY, VIEWER
from phiomia.domain.statuses.quote_policy import FOLLOWERS, FOLLOWING
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.quote_views import Standing
from phiomia.domain.statuses.quoted import select_quoted, select_standings
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession, any_of, listed
from phiomia.platform.db.together import Together


class Known(NamedTuple):
    """What was found apart from the statuses themselves.

    It reaches further by one step: what they quote has the same, and of what that quotes in turn the standing.
    """

    asked: frozenset[int]  # the statuses
    votes: dict[int, list[int]]  # by poll
    quoted: list[FeedRow]
    standings: dict[int, Standing]  # the viewer's to what is quoted, and to what that quotes
    authors: dict[int, int]  # of what cards lead to, with their revisions
    follows: dict[int, tuple[bool, bool]]  # of authors: does the viewer follow them, do they follow the viewer


NOTHING: Final = Known(frozenset(), {}, [], {}, {}, {})


def _traits(table: Any) -> list[Any]:
    """Columns that say what else there is of a status: most have nothing."""
    return [table.c[name] for name in ("id", "account_id", "poll_id", "quoting", "card_id", "quote_policy")]


# Boosts stand for what they boost.
_boosts = statuses.alias("boosts")
_boosted = select(_boosts.c.reblog_of_id).where(
    any_of(_boosts.c.id, listed("apart_ids")), _boosts.c.reblog_of_id.is_not(None)
)
# Each is read once and used by several parts.
_shown = (
    select(*_traits(statuses))
    .where(or_(any_of(statuses.c.id, listed("apart_ids")), statuses.c.id.in_(_boosted)))
    .cte("shown")
    .prefix_with("MATERIALIZED")
)
_inner = (
    select(*_traits(statuses))
    .select_from(
        _shown.join(quotes, quotes.c.status_id == _shown.c.id).join(statuses, statuses.c.id == quotes.c.quoted_id)
    )
    .where(_shown.c.quoting, quotes.c.state == QuoteState.ACCEPTED)
    .cte("inner_statuses")
    .prefix_with("MATERIALIZED")
)
_around = union_all(select(_shown), select(_inner)).cte("around").prefix_with("MATERIALIZED")
_DEPENDS: Final = (FOLLOWERS | FOLLOWING) * 0x10001  # in either half of a policy
APART: Final[Mapping[str, Select[Any]]] = {
    "votes": select(poll_votes.c.poll_id, poll_votes.c.choice)
    .select_from(_around.join(poll_votes, poll_votes.c.poll_id == _around.c.poll_id))
    .where(_around.c.poll_id.is_not(None), poll_votes.c.account_id == VIEWER)
    .distinct()
    .order_by(poll_votes.c.poll_id, poll_votes.c.choice),
    "quoted": select_quoted(select(_inner.c.id)),
    "standings": select_standings(
        select(quotes.c.quoted_id)
        .select_from(_inner.join(quotes, quotes.c.status_id == _inner.c.id))
        .where(_inner.c.quoting, quotes.c.state == QuoteState.ACCEPTED, quotes.c.quoted_id.is_not(None))
    ),
    "card_authors": select(accounts.c.id, accounts.c.rev)
    .select_from(
        _around.join(cards, cards.c.id == _around.c.card_id).join(accounts, accounts.c.id == cards.c.author_id)
    )
    .where(_around.c.card_id.is_not(None)),
    "follows": select(
        _around.c.account_id, is_followed(_around.c.account_id, VIEWER), is_followed(VIEWER, _around.c.account_id)
    ).where(_around.c.quote_policy.bitwise_and(_DEPENDS) != 0),
}
"""For a statement of `Together`; `apart_ids`, `viewer` and `now` are its parameters."""

_APART = Together(APART)
_LINES = Together({"lines": GIVEN, **APART})
_LINES_AND_PEOPLE = Together({"lines": GIVEN, **APART, "people": REVISIONS})


async def load_apart(session: ReadSession, ids: Sequence[int], viewer: int | None) -> Known:
    """What has to be known of statuses beside their fragments."""
    return read_apart(ids, await _APART.ask(session, apart_ids=list(ids), viewer=viewer or NOBODY, now=now_ms()))


async def load_lines(session: ReadSession, ids: Sequence[int], viewer: int | None) -> tuple[dict[int, FeedRow], Known]:
    """Page rows of statuses whose visibility somebody else has established, and what is to be known beside."""
    given = list(ids)
    found = await _LINES.ask(session, ids=given, apart_ids=given, viewer=viewer or NOBODY, now=now_ms())
    return read_lines(found), read_apart(given, found)


async def load_lines_and_people(
    session: ReadSession, ids: Sequence[int], viewer: int | None, account_ids: Sequence[int]
) -> tuple[dict[int, FeedRow], Known, dict[int, int]]:
    """The same, and the revisions of accounts."""
    asked = {"ids": list(ids), "apart_ids": list(ids), "account_ids": list(account_ids)}
    found = await _LINES_AND_PEOPLE.ask(session, **asked, viewer=viewer or NOBODY, now=now_ms())
    return read_lines(found), read_apart(ids, found), {row[0]: row[1] for row in found["people"]}


def read_lines(found: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, FeedRow]:
    """What the part `lines` of a statement gave, by id."""
    return {row[1]: FeedRow(*row) for row in found["lines"]}


def read_apart(asked: Iterable[int], found: Mapping[str, Sequence[Sequence[Any]]]) -> Known:
    """What the parts `APART` of a statement gave that was asked about these statuses."""
    votes: dict[int, list[int]] = {}
    for poll_id, choice in found["votes"]:
        votes.setdefault(poll_id, []).append(choice)
    return Known(
        frozenset(asked),
        votes,
        [FeedRow(*row[:-1]) for row in found["quoted"]],
        {row[0]: Standing(row[1]) for row in found["standings"]}
        | {row[1]: Standing(row[-1]) for row in found["quoted"]},
        {row[0]: row[1] for row in found["card_authors"]},
        {row[0]: (bool(row[1]), bool(row[2])) for row in found["follows"]},
    )
