"""The thread around a status: what it answers, and the tree of what answers it, in one statement.

Both directions are followed whether or not the viewer may see each step: an answer does not vanish with the one that it
answers. What is not for the viewer is marked, and left out at the end.
"""

from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, literal, or_, select, union_all
from sqlalchemy.sql.selectable import FromClause

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.conditions import exists_pair, is_followed, not_muted
from phiomia.domain.relationships.models import blocks
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.policy import visible_to, visible_to_anybody
from phiomia.domain.statuses.queries import NOBODY, VIEWER, page_query
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.db.session import Row


class Thread(NamedTuple):
    """What stands above a status, from the root down, and what stands below, each answer under what it answers."""

    ancestors: list[FeedRow]
    descendants: list[FeedRow]


_FLAGS: Final = len(FeedRow._fields)
_ID, _AUTHOR, _PARENT, _SHOWN = 1, 3, _FLAGS, _FLAGS + 1


def _is_welcome(status: FromClause) -> ColumnElement[bool]:
    """The viewer has neither blocked nor muted the author, who is not limited either unless followed."""
    author = status.c.account_id
    return or_(
        author == VIEWER,
        and_(
            ~exists_pair(blocks, VIEWER, author),
            not_muted(author, VIEWER),
            or_(~_is_limited(author), is_followed(author, VIEWER)),
        ),
    )


def _is_limited(account: ColumnElement[int]) -> ColumnElement[bool]:
    limited = select(accounts.c.id).where(accounts.c.id == account, accounts.c.state == AccountState.LIMITED)
    return limited.correlate_except(accounts).exists()


def _query(*, anonymous: bool) -> Query:
    """Rows with the way from the status as cursor: negative above it, 0 itself, positive below."""
    columns = statuses.c.id, statuses.c.in_reply_to_id.label("parent")
    start = select(*columns, literal(0).label("way")).where(statuses.c.id == P("status"))
    above = start.cte("above", recursive=True)
    above = above.union_all(
        select(*columns, above.c.way - 1)
        .select_from(above.join(statuses, statuses.c.id == above.c.parent))
        .where(above.c.way > -P("height"))
    )
    below = start.cte("below", recursive=True)
    below = below.union_all(
        select(*columns, below.c.way + 1)
        .select_from(below.join(statuses, statuses.c.in_reply_to_id == below.c.id))
        .where(below.c.way < P("depth"))
    )
    nearest = select(below).limit(P("most")).subquery()
    both = union_all(select(above).where(above.c.way < 0), select(nearest)).subquery()
    may = visible_to_anybody(statuses) if anonymous else visible_to(statuses, VIEWER)
    wants = ~_is_limited(statuses.c.account_id) if anonymous else _is_welcome(statuses)
    shown = and_(may, or_(both.c.way == 0, wants))
    ids = select(both.c.way.label("cursor"), both.c.id, both.c.parent, shown.label("shown")).select_from(
        both.join(statuses, statuses.c.id == both.c.id)
    )
    return page_query(ids, oldest_first=True, anonymous=anonymous, more=("parent", "shown"))


_OF_ANYBODY, _OF_VIEWER = _query(anonymous=True), _query(anonymous=False)


async def load_thread(session: ReadSession, status_id: int, viewer: int | None) -> Thread:
    """The thread around a status as far as the viewer may see it. Raises NotFound."""
    rows = await _load(session, status_id, viewer)
    above = [row for row in rows if row[0] < 0]
    itself = next((row for row in rows if row[0] == 0), None)
    if itself is None or not itself[_SHOWN]:
        raise NotFound
    below = [row for row in rows if row[0] > 0]
    return Thread(
        [FeedRow(*row[:_FLAGS]) for row in above if row[_SHOWN]],
        [FeedRow(*row[:_FLAGS]) for row in _in_order(itself, below) if row[_SHOWN]],
    )


async def _load(session: ReadSession, status_id: int, viewer: int | None) -> Any:
    now = now_ms()
    if viewer is None:
        return await session.all(
            _OF_ANYBODY,
            status=status_id,
            viewer=NOBODY,
            now=now,
            height=limits.CONTEXT_ANCESTORS,
            depth=limits.CONTEXT_DEPTH,
            most=limits.CONTEXT_DESCENDANTS + 1,
        )
    most = limits.CONTEXT_SIGNED_IN
    return await session.all(
        _OF_VIEWER, status=status_id, viewer=viewer, now=now, height=most, depth=most, most=most + 1
    )


def _in_order(itself: Row, below: list[Row]) -> list[Row]:
    """Each answer followed by those it got. First what authors answer themselves, so that a story stays whole."""
    children: dict[int, list[Row]] = {}
    for row in sorted(below, key=itemgetter(_ID), reverse=True):
        children.setdefault(row[_PARENT], []).append(row)
    ordered: list[Row] = []
    waiting = [itself]
    while waiting:
        row = waiting.pop()
        ordered.append(row)
        answers = children.get(row[_ID])
        if answers:
            if len(answers) > 1:
                answers.sort(key=lambda answer, author=row[_AUTHOR]: answer[_AUTHOR] == author)  # type: ignore[misc]
            waiting += answers
    return ordered[1:]
