"""Lines of lists that show statuses among other things."""

from collections.abc import Mapping, Sequence
from typing import Any

from phiomia.domain.accounts.queries import REVISIONS
from phiomia.domain.statuses.queries import GIVEN
from phiomia.domain.statuses.rows import NOBODY
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.db import ReadSession
from phiomia.platform.db.together import Together

_LINES_AND_PEOPLE = Together({"lines": GIVEN, "people": REVISIONS})


async def load_lines_and_people(
    session: ReadSession, ids: Sequence[int], viewer: int | None, account_ids: Sequence[int]
) -> tuple[dict[int, FeedRow], dict[int, int]]:
    """Page rows of statuses whose visibility somebody else has established, and accounts with their revisions."""
    asked = {"ids": list(ids), "account_ids": list(account_ids)}
    found = await _LINES_AND_PEOPLE.ask(session, **asked, viewer=viewer or NOBODY)
    return read_lines(found), {row[0]: row[1] for row in found["people"]}


def read_lines(found: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, FeedRow]:
    """What the part `lines` of a statement gave, by id."""
    return {row[1]: FeedRow(*row) for row in found["lines"]}
