"""What a page of statuses lacks, in one statement: what differs between viewers, and what has to be rendered anew."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import select, union_all

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.queries import ShownAccount, is_kept, read_shown_accounts, select_shown
from phiomia.domain.filters.known import Asking
from phiomia.domain.filters.queries import CHANGED
from phiomia.domain.statuses.apart import APART, CARD_AUTHORS, QUOTED, Known, read_apart
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.rows import NOBODY
from phiomia.domain.statuses.views import StatusView
from phiomia.domain.statuses.whole import read_statuses, select_whole
from phiomia.platform.clock import now_ms
from phiomia.platform.db import ReadSession, any_of, listed
from phiomia.platform.db.together import Together


class Wanted(NamedTuple):
    """Ids, and how the caller has what it may turn out to need besides (see `revision_of`), so that it isn't loaded."""

    apart: Sequence[int] = ()
    statuses: Sequence[int] = ()
    people: Sequence[int] = ()  # beside the authors of `statuses`
    kept: Sequence[str] = ()
    kept_people: Sequence[str] = ()


class Found(NamedTuple):
    """What was wanted, and likewise what of it is quoted, with authors and the authors of links."""

    known: Known
    statuses: dict[int, StatusView]
    people: dict[int, ShownAccount]
    filters: Mapping[str, Sequence[Sequence[Any]]]  # for `KnownFilters.learn`


_lacking = (
    union_all(
        select(statuses.c.id, statuses.c.account_id).where(any_of(statuses.c.id, listed("ids"))),
        select(QUOTED.c.id, QUOTED.c.account_id).where(~is_kept(QUOTED, "kept")),
    )
    .cte("lacking")
    .prefix_with("MATERIALIZED")
)
_beside = union_all(select(QUOTED.c.account_id), select(CARD_AUTHORS.c.id))
_people = (
    union_all(
        # The author's own columns are needed for rendering a status, too.
        select(_lacking.c.account_id.label("id")),
        select(accounts.c.id).where(any_of(accounts.c.id, listed("account_ids"))),
        select(accounts.c.id).where(accounts.c.id.in_(_beside), ~is_kept(accounts, "kept_people")),
    )
    .cte("people")
    .prefix_with("MATERIALIZED")
)
LACKING: Final = Together(
    {
        **APART,
        **select_whole(lambda id_: id_.in_(select(_lacking.c.id))),
        **select_shown(lambda id_: id_.in_(select(_people.c.id))),
        **CHANGED,
    }
)


async def load_lacking(session: ReadSession, wanted: Wanted, viewer: int | None, asking: Asking) -> Found:
    """What is wanted of statuses and accounts, and whose filters are asked for."""
    found = await LACKING.ask(
        session,
        apart_ids=list(wanted.apart),
        ids=list(wanted.statuses),
        account_ids=list(wanted.people),
        kept=list(wanted.kept),
        kept_people=list(wanted.kept_people),
        filters_of=list(asking.accounts),
        kept_filters=asking.kept,
        viewer=viewer or NOBODY,
        now=now_ms(),
    )
    return Found(read_apart(found), read_statuses(found), read_shown_accounts(found), found)
