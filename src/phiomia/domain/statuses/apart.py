"""What of statuses differs between viewers or changes without them, for whole pages in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, select, union_all

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.conditions import is_followed
from phiomia.domain.statuses.models import cards, poll_votes, quotes, statuses
from phiomia.domain.statuses.quote_policy import FOLLOWERS, FOLLOWING
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.quote_views import Standing
from phiomia.domain.statuses.quoted import select_quoted, select_standings
from phiomia.domain.statuses.rows import NOBODY, VIEWER
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession, any_of, listed
from phiomia.platform.db.together import Together


class Known(NamedTuple):
    """What was found apart from the statuses themselves.

    It reaches further by one step: what they quote has the same, and of what that quotes in turn the standing.
    """

    votes: dict[int, list[int]]  # by poll
    quoted: list[FeedRow]
    standings: dict[int, Standing]  # the viewer's to what is quoted, and to what that quotes
    authors: dict[int, int]  # of what cards lead to, with their revisions
    follows: dict[int, tuple[bool, bool]]  # of authors: does the viewer follow them, do they follow the viewer

    @property
    def shown(self) -> list[FeedRow]:
        """What of that which is quoted the viewer may see."""
        return [row for row in self.quoted if self.standings[row.id] is not Standing.UNAUTHORIZED]


NOTHING: Final = Known({}, [], {}, {}, {})


def _traits(table: Any) -> list[Any]:
    """Columns that say what else there is of a status: most have nothing."""
    return [table.c[name] for name in ("id", "rev", "account_id", "poll_id", "quoting", "card_id", "quote_policy")]


# Boosts stand for what they boost.
_boosts = statuses.alias("boosts")
# Each of these is read once and used by several parts. All may name a status twice: to sort that out costs more.
_shown = (
    union_all(
        select(*_traits(statuses)).where(any_of(statuses.c.id, listed("apart_ids"))),
        select(*_traits(statuses))
        .select_from(_boosts.join(statuses, statuses.c.id == _boosts.c.reblog_of_id))
        .where(any_of(_boosts.c.id, listed("apart_ids"))),
    )
    .cte("shown")
    .prefix_with("MATERIALIZED")
)
QUOTED: Final = (
    select(*_traits(statuses))
    .select_from(
        _shown.join(quotes, quotes.c.status_id == _shown.c.id).join(statuses, statuses.c.id == quotes.c.quoted_id)
    )
    .where(_shown.c.quoting, quotes.c.state == QuoteState.ACCEPTED)
    .cte("inside")
    .prefix_with("MATERIALIZED")
)
"""What the statuses `apart_ids` quote."""
_around = union_all(select(_shown), select(QUOTED)).cte("around").prefix_with("MATERIALIZED")
CARD_AUTHORS: Final = (
    select(accounts.c.id, accounts.c.rev)
    .select_from(
        # Outer joins, since SQLite keeps to their order: else it would begin with all accounts.
        _around.outerjoin(cards, cards.c.id == _around.c.card_id).outerjoin(
            accounts, accounts.c.id == cards.c.author_id
        )
    )
    .where(_around.c.card_id.is_not(None))
    .cte("card_authors")
    .prefix_with("MATERIALIZED")
)
"""Who wrote what their cards lead to; NULL where nobody is known to."""
_quoted_inside = (
    select(quotes.c.quoted_id)
    .select_from(QUOTED.join(quotes, quotes.c.status_id == QUOTED.c.id))
    .where(QUOTED.c.quoting, quotes.c.state == QuoteState.ACCEPTED, quotes.c.quoted_id.is_not(None))
)
_DEPENDS: Final = (FOLLOWERS | FOLLOWING) * 0x10001  # in either half of a policy
APART: Final[Mapping[str, Select[Any]]] = {
    "votes": select(poll_votes.c.poll_id, poll_votes.c.choice)
    .select_from(_around.join(poll_votes, poll_votes.c.poll_id == _around.c.poll_id))
    .where(_around.c.poll_id.is_not(None), poll_votes.c.account_id == VIEWER)
    .distinct()
    .order_by(poll_votes.c.poll_id, poll_votes.c.choice),
    "quoted": select_quoted(select(QUOTED.c.id)),
    "standings": select_standings(union_all(select(QUOTED.c.id), _quoted_inside)),
    "card_authors": select(CARD_AUTHORS.c.id, CARD_AUTHORS.c.rev),
    "follows": select(
        _around.c.account_id, is_followed(_around.c.account_id, VIEWER), is_followed(VIEWER, _around.c.account_id)
    ).where(_around.c.quote_policy.bitwise_and(_DEPENDS) != 0),
}
"""For a statement of `Together`; `apart_ids`, `viewer` and `now` are its parameters."""

_APART = Together(APART)


async def load_apart(session: ReadSession, ids: Sequence[int], viewer: int | None) -> Known:
    """What has to be known of statuses beside their fragments."""
    return read_apart(await _APART.ask(session, apart_ids=list(ids), viewer=viewer or NOBODY, now=now_ms()))


def read_apart(found: Mapping[str, Sequence[Sequence[Any]]]) -> Known:
    """What the parts `APART` of a statement gave."""
    votes: dict[int, list[int]] = {}
    for poll_id, choice in found["votes"]:
        votes.setdefault(poll_id, []).append(choice)
    return Known(
        votes,
        [FeedRow(*row) for row in found["quoted"]],
        {row[0]: Standing(row[1]) for row in found["standings"]},
        {row[0]: row[1] for row in found["card_authors"] if row[0] is not None},
        {row[0]: (bool(row[1]), bool(row[2])) for row in found["follows"]},
    )
