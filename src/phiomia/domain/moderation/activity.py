"""How much happens on the server, week by week."""

from typing import Any, NamedTuple

from sqlalchemy import func, select, union

from phiomia.domain.accounts.models import accounts
from phiomia.domain.instance.models import activity_weeks
from phiomia.domain.oauth.models import access_tokens
from phiomia.domain.statuses.models import statuses
from phiomia.domain.users.models import sessions, users
from phiomia.platform.clock import DAY, HOUR, now_ms
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession
from phiomia.platform.ids import id_at
from phiomia.platform.jobs import Job
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.jobs.periodic import Periodic

WEEKS = 12
_WEEK = 7 * DAY
# The epoch was a Thursday.
_FIRST_MONDAY = 4 * DAY


class WeekView(NamedTuple):
    """One week, by its Monday (UTC) in milliseconds."""

    week: int
    statuses: int
    logins: int
    registrations: int


class NoteLogins(Job, frozen=True):
    """Write down how many members were here this week: nothing else tells that later."""

    TYPE = "instance.note_logins"
    QUEUE = "scheduled"


_STATUSES = Query(
    select(func.count())
    .select_from(statuses)
    .where(statuses.c.id >= P("from_id"), statuses.c.id < P("to_id"), statuses.c.local)
)
_REGISTRATIONS = Query(
    select(func.count()).select_from(users).where(users.c.created_at >= P("since"), users.c.created_at < P("until"))
)
_LOGINS = Query(select(activity_weeks.c.week, activity_weeks.c.logins).where(activity_weeks.c.week >= P("since")))
_here = union(
    select(access_tokens.c.user_id).where(
        access_tokens.c.last_used_at >= P("since"), access_tokens.c.user_id.is_not(None)
    ),
    select(sessions.c.user_id).where(sessions.c.used_at >= P("since")),
).subquery()
_HERE = Query(select(func.count()).select_from(_here))
_active = union(
    select(access_tokens.c.user_id).where(
        access_tokens.c.last_used_at >= P("since"), access_tokens.c.user_id.is_not(None)
    ),
    select(sessions.c.user_id).where(sessions.c.used_at >= P("since")),
    select(users.c.id)
    .join(accounts, accounts.c.id == users.c.account_id)
    .where(accounts.c.last_status_at > P("since")),
).subquery()
_ACTIVE = Query(select(func.count()).select_from(_active))
_NOTE = Query(
    lambda insert: (
        insert(activity_weeks)
        .values(week=P("week"), logins=P("logins"))
        .on_conflict_do_update(
            index_elements=["week"],
            set_={"logins": P("logins")},
            # Tokens and sessions that were given up are not counted any more, but were here.
            where=activity_weeks.c.logins < P("logins"),
        )
    )
)


def week_of(moment: int) -> int:
    """The Monday, midnight UTC, of a moment's week."""
    return (moment - _FIRST_MONDAY) // _WEEK * _WEEK + _FIRST_MONDAY


async def load_activity(session: ReadSession) -> list[WeekView]:
    """The last twelve weeks, this one first. Looks through the statuses of that time."""
    this = week_of(now_ms())
    logins = {row[0]: row[1] for row in await session.all(_LOGINS, since=this - WEEKS * _WEEK)}
    logins[this] = max(logins.get(this, 0), await session.value(_HERE, since=this) or 0)
    found = []
    for week in (this - back * _WEEK for back in range(WEEKS)):
        written = await session.value(_STATUSES, from_id=id_at(week), to_id=id_at(week + _WEEK))
        joined = await session.value(_REGISTRATIONS, since=week, until=week + _WEEK)
        found.append(WeekView(week, written, logins.get(week, 0), joined))
    return found


async def count_active(session: ReadSession, since: int) -> int:
    """How many members were here since a moment, whether they wrote or only read."""
    return int(await session.value(_ACTIVE, since=since) or 0)


async def note_logins(session: WriteSession) -> None:
    """Writes down how many were here this week."""
    week = week_of(now_ms())
    await session.execute(_NOTE, week=week, logins=await session.value(_HERE, since=week) or 0)


async def run_note_logins(context: Any, _job: NoteLogins) -> None:
    """Handler of NoteLogins."""
    db: Database = context.db
    await db.write(note_logins)


HANDLERS = (Handler(NoteLogins, run_note_logins),)
PERIODIC = (Periodic("instance.note_logins", HOUR, NoteLogins),)
