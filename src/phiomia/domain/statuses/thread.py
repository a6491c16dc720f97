"""The thread around a status: what it answers, and the tree of what answers it, in one statement.

The statement takes the whole conversation, which is a range of an index. Only of a very long one, where that would be
much more than what is shown, a second statement follows the answers themselves, from one to the next.

What is not for the viewer is loaded too, marked, and left out at the end: an answer does not vanish with the one that
it answers.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_, literal, or_, select, union_all
from sqlalchemy.sql.selectable import FromClause

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.conditions import exists_pair, is_followed, not_muted
from phiomia.domain.relationships.models import blocks
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.policy import visible_to, visible_to_anybody
from phiomia.domain.statuses.queries import load_row
from phiomia.domain.statuses.rows import NOBODY, VIEWER, page_query
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.db.session import Row


class Thread(NamedTuple):
    """What stands above a status, from the root down, and what stands below, each answer under what it answers."""

    ancestors: list[FeedRow]
    descendants: list[FeedRow]


class _Limits(NamedTuple):
    ancestors: int
    descendants: int
    depth: int
    conversation: int  # a longer one is followed answer by answer


_FOR_ANYBODY: Final = _Limits(limits.CONTEXT_ANCESTORS, limits.CONTEXT_DESCENDANTS, limits.CONTEXT_DEPTH, 200)
_FOR_VIEWER: Final = _Limits(limits.CONTEXT_SIGNED_IN, limits.CONTEXT_SIGNED_IN, limits.CONTEXT_SIGNED_IN, 1_000)

_COLUMNS: Final = len(FeedRow._fields)
_ID, _AUTHOR, _ORIGINAL, _PARENT, _SHOWN = 1, 3, 5, _COLUMNS, _COLUMNS + 1


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


def _shown(*, anonymous: bool) -> ColumnElement[bool]:
    may = visible_to_anybody(statuses) if anonymous else visible_to(statuses, VIEWER)
    wants = ~_is_limited(statuses.c.account_id) if anonymous else _is_welcome(statuses)
    return and_(may, or_(statuses.c.id == P("status"), wants)).label("shown")


def _conversation(*, anonymous: bool) -> Query:
    """Everything in the status's conversation, up to a number."""
    itself = statuses.alias("itself")
    conversation = select(itself.c.conversation_id).where(itself.c.id == P("status")).scalar_subquery()
    ids = (
        select(
            statuses.c.id.label("cursor"),
            statuses.c.id,
            statuses.c.in_reply_to_id.label("parent"),
            _shown(anonymous=anonymous),
        )
        .where(statuses.c.conversation_id == conversation)
        .order_by(statuses.c.id)
        .limit(P("most"))
    )
    return page_query(ids, oldest_first=True, anonymous=anonymous, more=("parent", "shown"))


def _relatives(*, anonymous: bool) -> Query:
    """The status, what it answers, and what answers it: the nearest ones, up to a number and a distance."""
    columns = statuses.c.id, statuses.c.in_reply_to_id.label("parent")
    start = select(*columns, literal(0).label("way")).where(statuses.c.id == P("status"))
    above = start.cte("above", recursive=True)
    above = above.union_all(
        select(*columns, above.c.way + 1)
        .select_from(above.join(statuses, statuses.c.id == above.c.parent))
        .where(above.c.way < P("height"))
    )
    below = start.cte("below", recursive=True)
    below = below.union_all(
        select(*columns, below.c.way + 1)
        .select_from(below.join(statuses, statuses.c.in_reply_to_id == below.c.id))
        .where(below.c.way < P("depth"))
    )
    nearest = select(below).limit(P("most")).subquery()
    both = union_all(select(above).where(above.c.way > 0), select(nearest)).subquery()
    ids = select(both.c.id.label("cursor"), both.c.id, both.c.parent, _shown(anonymous=anonymous)).select_from(
        both.outerjoin(statuses, statuses.c.id == both.c.id)
    )  # outer: planners keep to its order
    return page_query(ids, oldest_first=True, anonymous=anonymous, more=("parent", "shown"))


_CONVERSATION = {anonymous: _conversation(anonymous=anonymous) for anonymous in (False, True)}
_RELATIVES = {anonymous: _relatives(anonymous=anonymous) for anonymous in (False, True)}


async def load_thread(session: ReadSession, status_id: int, viewer: int | None) -> Thread:
    """The thread around a status as far as the viewer may see it. Raises NotFound."""
    most = _FOR_ANYBODY if viewer is None else _FOR_VIEWER
    rows = {row[_ID]: row for row in await _load(session, status_id, viewer, most)}
    itself = rows.get(status_id)
    if itself is None or not itself[_SHOWN]:
        raise NotFound
    if itself[_ORIGINAL] is not None:
        await load_row(session, itself[_ORIGINAL], viewer)  # what a boost shares must be visible as well
    return Thread(_find_ancestors(rows, itself, most), _find_descendants(rows, itself, most))


async def _load(session: ReadSession, status_id: int, viewer: int | None, most: _Limits) -> Sequence[Row]:
    parameters = {"status": status_id, "viewer": viewer or NOBODY, "now": now_ms()}
    rows = await session.all(_CONVERSATION[viewer is None], most=most.conversation, **parameters)
    if len(rows) < most.conversation:
        return rows
    return await session.all(
        _RELATIVES[viewer is None],
        height=most.ancestors,
        depth=most.depth,
        most=most.descendants + 1,
        **parameters,
    )


def _find_ancestors(rows: Mapping[int, Row], itself: Row, most: _Limits) -> list[FeedRow]:
    above: list[Row] = []
    row = rows.get(itself[_PARENT])
    while row is not None and len(above) < most.ancestors:
        above.append(row)
        row = rows.get(row[_PARENT])
    return [FeedRow(*row[:_COLUMNS]) for row in reversed(above) if row[_SHOWN]]


def _find_descendants(rows: Mapping[int, Row], itself: Row, most: _Limits) -> list[FeedRow]:
    """Each answer followed by those it got. First what authors answer themselves, so that a story stays whole."""
    answers: dict[int, list[Row]] = {}
    for row in rows.values():
        answers.setdefault(row[_PARENT], []).append(row)
    found: list[FeedRow] = []
    waiting = _put_off(answers.get(itself[_ID], []), itself[_AUTHOR], 1)
    while waiting and len(found) < most.descendants:
        row, depth = waiting.pop()
        if row[_SHOWN]:
            found.append(FeedRow(*row[:_COLUMNS]))
        if row[_ID] in answers and depth < most.depth:
            waiting += _put_off(answers[row[_ID]], row[_AUTHOR], depth + 1)
    return found


def _put_off(answers: list[Row], author: int, depth: int) -> list[tuple[Row, int]]:
    """Answers (which come the oldest first) in the order of a stack: what shall be first stands last."""
    others = [(row, depth) for row in reversed(answers) if row[_AUTHOR] != author]
    return others + [(row, depth) for row in reversed(answers) if row[_AUTHOR] == author]
