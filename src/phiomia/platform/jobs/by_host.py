"""Claims jobs that speak with other servers: of each host only a few, and none waits behind another's many.

The longest waiting jobs are looked at first, and no more than a window of them. When hosts that have enough to do fill
the window, the hosts themselves are looked through instead, from one to the next along their index and in turn: so a
look costs the same behind a hundred jobs of one host as behind a hundred thousand.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from phiomia.platform.db import Query, WriteSession
from phiomia.platform.jobs.claims import Claimed, claim_these

# Due jobs, and hosts, that one look goes through.
WINDOW = 256

_DUE = "SELECT id, host FROM jobs WHERE queue = :queue AND priority = :priority AND run_at <= :now"
_LONGEST_WAITING = Query.raw(
    sqlite=f"{_DUE} ORDER BY run_at LIMIT :window",
    postgresql=f"{_DUE} ORDER BY run_at LIMIT :window FOR UPDATE SKIP LOCKED",
)
# The index of hosts holds only what has one: it is used where that is said. The other index must not be taken for the
# inner question, as PostgreSQL does before it has counted the rows: it would lead through all that are due.
_HOSTS = """
    WITH RECURSIVE hosts (host, place) AS (
        SELECT min(host), 1 FROM jobs WHERE host > :after AND host <> ''
        UNION ALL
        SELECT (SELECT min(jobs.host) FROM jobs WHERE jobs.host > hosts.host AND jobs.host <> ''), place + 1
        FROM hosts WHERE hosts.host IS NOT NULL AND place < :window
    )
    SELECT hosts.host, CASE WHEN {full} THEN NULL ELSE (
        SELECT jobs.id FROM jobs
        WHERE jobs.host = hosts.host AND jobs.host <> ''
            AND jobs.queue || '' = :queue AND jobs.priority = :priority AND jobs.run_at <= :now
        ORDER BY jobs.run_at LIMIT 1
    ) END AS id
    FROM hosts WHERE hosts.host IS NOT NULL ORDER BY place
"""
_FIRST_OF_EACH_HOST = Query.raw(
    sqlite=_HOSTS.format(full="hosts.host IN (SELECT value FROM json_each(:full_list))"),
    postgresql=_HOSTS.format(full="hosts.host = ANY(:full_list)"),
)


class Places(NamedTuple):
    """What one worker may take of a lane.

    `running` says how many jobs of each host run already, of which `per_host` may; `after` is the host that was looked
    at last when the hosts were looked through.
    """

    limit: int
    per_host: int
    running: Mapping[str, int]
    after: str = ""


class Taken(NamedTuple):
    """What was claimed, and `after` for the next time."""

    rows: list[Claimed]
    after: str


async def claim_by_host(
    session: WriteSession, queue: str, priority: int, places: Places, *, owner: str, now: int, until: int
) -> Taken:
    """Takes jobs that are due, until the lease ends: no more than there are places, of all and of each host."""
    lane = {"queue": queue, "priority": priority, "now": now, "window": WINDOW}
    counts = Counter(places.running)
    chosen: list[int] = []
    after = ""
    longest = await session.all(_LONGEST_WAITING, **lane)
    for id_, host in longest:
        if len(chosen) < places.limit and (not host or counts[host] < places.per_host):
            counts[host] += 1
            chosen.append(id_)
    if len(longest) == WINDOW and len(chosen) < places.limit:
        full = {host for _, host in longest}.union(host for host in counts if counts[host] >= places.per_host)
        hosts = await session.all(_FIRST_OF_EACH_HOST, **lane, after=places.after, full_list=sorted(full))
        found = [(id_, host) for host, id_ in hosts if id_ is not None][: places.limit - len(chosen)]
        chosen += [id_ for id_, _ in found]
        if len(chosen) == places.limit:
            after = found[-1][1]
        elif len(hosts) == WINDOW:
            after = hosts[-1][0]
    rows = await claim_these(session, chosen, owner=owner, now=now, until=until) if chosen else []
    return Taken(rows, after)
