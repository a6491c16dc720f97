"""A member wants nothing to do with a whole server."""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, delete, func, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.conditions import is_of_blocked_domain
from phiomia.domain.relationships.ending import end_follow, end_request
from phiomia.domain.relationships.events import DomainBlocked
from phiomia.domain.relationships.models import account_domain_blocks, endorsements, follow_requests, follows
from phiomia.domain.relationships.severance import SeveranceKind, Severed, count_severed, tell_severed
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.handlers import Handler
from phiomia.platform.paging import Page, Paged

_BATCH = 40


class EndTies(Job, frozen=True):
    """End what a member has with the people of a server they have blocked."""

    TYPE = "relationships.end_ties"

    account_id: int
    domain: str


class DomainEntry(NamedTuple):
    """A server that is blocked; `id` is the cursor."""

    id: int
    domain: str


class Cut(NamedTuple):
    """How many follows a block would end."""

    following: int
    followers: int


_MINE = account_domain_blocks.c.account_id == P("account")
_COLUMNS = ("id", "account_id", "domain", "created_at")
_INSERT = Query(
    lambda insert: (
        insert(account_domain_blocks)
        .values({name: column_parameter(account_domain_blocks, name) for name in _COLUMNS})
        .on_conflict_do_nothing(index_elements=["account_id", "domain"])
    )
)
_DELETE = Query(delete(account_domain_blocks).where(_MINE, account_domain_blocks.c.domain == P("domain", str)))
_IS_BLOCKED = Query(select(account_domain_blocks.c.id).where(_MINE, account_domain_blocks.c.domain == P("domain", str)))
_LIST = Paged(
    select(account_domain_blocks.c.id, account_domain_blocks.c.domain).where(_MINE), account_domain_blocks.c.id
)
_BLOCKS_SERVER_OF = Query(select(is_of_blocked_domain(P("other"), P("account"))))


def _there(table: Table, mine: str, other: str) -> tuple[Any, ColumnElement[bool]]:
    joined = table.join(accounts, accounts.c.id == table.c[other])
    return joined, (table.c[mine] == P("account")) & (accounts.c.domain == P("domain", str))


def _others(table: Table, mine: str, other: str) -> Query:
    joined, condition = _there(table, mine, other)
    return Query(select(table.c[other]).select_from(joined).where(condition).limit(_BATCH))


def _count(mine: str, other: str) -> Query:
    joined, condition = _there(follows, mine, other)
    return Query(select(func.count()).select_from(joined).where(condition))


_FOLLOWED, _FOLLOWERS = _others(follows, "account_id", "target_id"), _others(follows, "target_id", "account_id")
_ASKED = _others(follow_requests, "account_id", "target_id")
_ASKING = _others(follow_requests, "target_id", "account_id")
_COUNT_FOLLOWED, _COUNT_FOLLOWERS = _count("account_id", "target_id"), _count("target_id", "account_id")
_END_ENDORSEMENTS = Query(
    delete(endorsements).where(
        endorsements.c.account_id == P("account"),
        endorsements.c.target_id.in_(select(accounts.c.id).where(accounts.c.domain == P("domain", str))),
    )
)


async def block_domain_for(session: WriteSession, account_id: int, domain: str) -> None:
    """Blocks a server for one member: it holds at once, follows end in the background. Nothing happens twice."""
    if await session.execute(_INSERT, id=new_id(), account_id=account_id, domain=domain, created_at=now_ms()):
        await record(session, DomainBlocked(account_id, domain))
        await defer(session, EndTies(account_id, domain))


async def unblock_domain_for(session: WriteSession, account_id: int, domain: str) -> None:
    """Ends it; nothing happens if there was no block."""
    await session.execute(_DELETE, account=account_id, domain=domain)


async def list_blocked_domains(session: ReadSession, account_id: int, page: Page) -> list[DomainEntry]:
    """The servers that a member blocks, the newest block first."""
    return await _LIST.views(session, DomainEntry, page, account=account_id)


async def blocks_server_of(session: ReadSession, account_id: int, other_id: int) -> bool:
    """Whether a member blocks the server where another account lives."""
    return bool(await session.value(_BLOCKS_SERVER_OF, account=account_id, other=other_id))


async def measure_cut(session: ReadSession, account_id: int, domain: str) -> Cut:
    """How many follows a block would end."""
    return Cut(
        await session.value(_COUNT_FOLLOWED, account=account_id, domain=domain) or 0,
        await session.value(_COUNT_FOLLOWERS, account=account_id, domain=domain) or 0,
    )


async def run_end_ties(context: Any, job: EndTies) -> None:
    """Handler of EndTies."""
    db: Database = context.db
    while await db.write(lambda session: _end_some(session, job.account_id, job.domain)):
        pass
    kind = SeveranceKind.USER_DOMAIN_BLOCK
    await db.write(lambda session: tell_severed(session, kind, job.domain, job.account_id))


async def _end_some(session: WriteSession, account_id: int, domain: str) -> bool:
    """Ends some ties; True while there may be more."""
    who: dict[str, Any] = {"account": account_id, "domain": domain}
    if await session.value(_IS_BLOCKED, **who) is None:
        return False  # unblocked meanwhile
    found: dict[Query, list[int]] = {}
    for query in (_FOLLOWED, _FOLLOWERS, _ASKED, _ASKING):
        found[query] = await session.column(query, **who)
    followers = following = 0
    for other_id in found[_FOLLOWED]:
        following += await end_follow(session, account_id, other_id)
    for other_id in found[_FOLLOWERS]:
        followers += await end_follow(session, other_id, account_id, by_target=True)
    if followers or following:
        severed = {account_id: Severed(followers, following)}
        await count_severed(session, SeveranceKind.USER_DOMAIN_BLOCK, domain, severed)
    for other_id in found[_ASKED]:
        await end_request(session, account_id, other_id)
    for other_id in found[_ASKING]:
        await end_request(session, other_id, account_id, by_target=True)
    await session.execute(_END_ENDORSEMENTS, **who)
    return any(len(many) == _BATCH for many in found.values())


HANDLERS = (Handler(EndTies, run_end_ties),)
