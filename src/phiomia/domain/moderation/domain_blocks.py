"""Blocking other servers, and letting only some in.

A rule holds at once for all that comes and goes. What is here already follows by a job: people of a silenced server
are limited; those of a suspended one are out of sight and follow nobody, until the rule ends or they are purged.
"""

import re
from collections import Counter
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, or_, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.erase import erase_some
from phiomia.domain.peers.models import domain_allows, domain_blocks
from phiomia.domain.peers.rules import levels, note_rules_changed
from phiomia.domain.peers.severity import Severity
from phiomia.domain.relationships.ending import end_follow, end_request
from phiomia.domain.relationships.models import follow_requests, follows
from phiomia.domain.relationships.severance import SeveranceKind, Severed, count_severed, tell_severed
from phiomia.domain.statuses.models import statuses
from phiomia.platform.clock import now_ms
from phiomia.platform.db import Database, P, Query, ReadSession, WriteSession, any_of, listed, put_into
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.handlers import Handler

_BATCH: Final = 200
_DOMAIN: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::[0-9]{1,5})?")


class DomainBlock(msgspec.Struct, frozen=True):
    """A rule for a server and those below it."""

    domain: str
    severity: int = Severity.SILENCE
    reject_media: bool = False
    reject_reports: bool = False
    private_comment: str = ""
    public_comment: str = ""
    obfuscate: bool = False
    created_at: int = 0


class Extent(msgspec.Struct, frozen=True):
    """How much of a server is here."""

    accounts: int
    statuses: int
    follows: int


class ApplyDomainRule(Job, frozen=True):
    """Let the accounts of a server, and of those below it, be as the rules say."""

    TYPE = "moderation.apply_domain_rule"

    domain: str


_COLUMNS: Final = DomainBlock.__struct_fields__
_VIEW = select(*[domain_blocks.c[name] for name in _COLUMNS])
_LIST = Query(_VIEW.order_by(domain_blocks.c.domain))
_PUT = put_into(
    domain_blocks,
    ["domain"],
    ["severity", "reject_media", "reject_reports", "private_comment", "public_comment", "obfuscate"],
    once=["id", "created_at"],
)
_DROP = Query(delete(domain_blocks).where(domain_blocks.c.domain == P("domain", str)))
_ALLOW = Query(
    lambda insert: (
        insert(domain_allows)
        .values(id=P("id"), domain=P("domain", str), created_at=P("now"))
        .on_conflict_do_nothing(index_elements=["domain"])
    )
)
_DISALLOW = Query(delete(domain_allows).where(domain_allows.c.domain == P("domain", str)))
_ALLOWED = Query(select(domain_allows.c.domain).order_by(domain_allows.c.domain))
_SEVERITIES = Query(select(domain_blocks.c.domain, domain_blocks.c.severity))
_KNOWN = Query(select(accounts.c.domain).where(accounts.c.domain != "").distinct())
_OF_DOMAINS = accounts.c.domain != "", any_of(accounts.c.domain, listed("domains", str))
_ACCOUNTS = Query(
    select(accounts.c.id).where(*_OF_DOMAINS, accounts.c.id > P("after")).order_by(accounts.c.id).limit(P("limit"))
)
_TO_SUSPEND = Query(
    select(accounts.c.id).where(*_OF_DOMAINS, accounts.c.state != AccountState.SUSPENDED).limit(P("limit"))
)
_TO_LIMIT = Query(
    select(accounts.c.id)
    .where(
        *_OF_DOMAINS,
        or_(
            accounts.c.state == AccountState.ACTIVE,
            (accounts.c.state == AccountState.SUSPENDED) & (accounts.c.state_origin == StateOrigin.DOMAIN),
        ),
    )
    .limit(P("limit"))
)
_TO_FREE = Query(
    select(accounts.c.id).where(*_OF_DOMAINS, accounts.c.state_origin == StateOrigin.DOMAIN).limit(P("limit"))
)
# What was suspended with its server is erased like what its server has deleted.
_GIVE_UP = Query(
    update(accounts)
    .where(
        accounts.c.id == P("of_id"),
        or_(accounts.c.state != AccountState.SUSPENDED, accounts.c.state_origin != StateOrigin.MODERATION),
    )
    .values(state=AccountState.SUSPENDED, state_origin=StateOrigin.REMOTE)
)
_SET = Query(
    update(accounts).where(any_of(accounts.c.id, listed("ids"))).values(state=P("to_state"), state_origin=P("origin"))
)
_TIES = Query(
    select(follows.c.account_id, follows.c.target_id).where(
        or_(any_of(follows.c.account_id, listed("ids")), any_of(follows.c.target_id, listed("ids")))
    )
)
_WISHES = Query(
    select(follow_requests.c.account_id, follow_requests.c.target_id).where(
        or_(any_of(follow_requests.c.account_id, listed("ids")), any_of(follow_requests.c.target_id, listed("ids")))
    )
)
_STATUS_COUNT = Query(select(func.count()).select_from(statuses).where(any_of(statuses.c.account_id, listed("ids"))))
_FOLLOW_COUNT = Query(
    select(func.count())
    .select_from(follows)
    .where(or_(any_of(follows.c.account_id, listed("ids")), any_of(follows.c.target_id, listed("ids"))))
)


async def block_domain(session: WriteSession, block: DomainBlock) -> None:
    """Makes or changes the rule for a server. Raises Invalid."""
    values: dict[str, Any] = {name: getattr(block, name) for name in _COLUMNS}
    values |= {"domain": clean_domain(block.domain), "severity": int(block.severity), "created_at": now_ms()}
    await session.execute(_PUT, id=new_id(), **values)
    await _note(session, values["domain"])


async def unblock_domain(session: WriteSession, domain: str) -> None:
    """Ends the rule for a server. Raises NotFound, Invalid."""
    domain = clean_domain(domain)
    if not await session.execute(_DROP, domain=domain):
        raise NotFound
    await _note(session, domain)


async def allow_domain(session: WriteSession, domain: str) -> None:
    """Lets a server in where only those allowed are. Raises Invalid."""
    await session.execute(_ALLOW, id=new_id(), domain=clean_domain(domain), now=now_ms())
    await note_rules_changed(session)


async def disallow_domain(session: WriteSession, domain: str) -> None:
    """Takes that back. Raises NotFound, Invalid."""
    if not await session.execute(_DISALLOW, domain=clean_domain(domain)):
        raise NotFound
    await note_rules_changed(session)


async def list_blocks(session: ReadSession) -> list[DomainBlock]:
    """Every rule, by domain."""
    return await session.views(DomainBlock, _LIST)


async def list_allowed(session: ReadSession) -> list[str]:
    """The servers that are allowed, by domain."""
    return await session.column(_ALLOWED)


async def list_below(session: ReadSession, domain: str) -> list[str]:
    """The servers with known accounts that a rule for `domain` would hold for."""
    return [known for known in await session.column(_KNOWN) if domain in levels(known)]


async def measure(session: ReadSession, domain: str) -> Extent:
    """How much of a server, and of those below it, is here."""
    domains, found = await list_below(session, domain), Extent(0, 0, 0)
    after = 0
    while ids := await session.column(_ACCOUNTS, domains=domains, after=after, limit=_BATCH):
        of_accounts = len(ids)
        of_statuses = await session.value(_STATUS_COUNT, ids=ids)
        of_follows = await session.value(_FOLLOW_COUNT, ids=ids)
        found = Extent(found.accounts + of_accounts, found.statuses + of_statuses, found.follows + of_follows)
        after = ids[-1]
    return found


async def purge_some(db: Database, domain: str, after: int = 0) -> int | None:
    """Erases one more account of a server with all it left here; gives its number, to go on after, or None at the end.

    Of those whom moderators have suspended one by one the name stays, so that nobody comes back without it.
    """
    async with db.read() as session:
        domains = await list_below(session, domain)
        ids = await session.column(_ACCOUNTS, domains=domains, after=after, limit=1)
    if not ids:
        return None
    await db.write(lambda session: session.execute(_GIVE_UP, of_id=ids[0]))
    while await db.write(lambda session: erase_some(session, ids[0])):
        pass
    erased: int = ids[0]
    return erased


async def run_apply_domain_rule(context: Any, job: ApplyDomainRule) -> None:
    """Handler of ApplyDomainRule."""
    db: Database = context.db
    async with db.read() as session:
        domains = await list_below(session, job.domain)
        severities = dict(await _load_severities(session))
    for domain in domains:
        severity = next((severities[level] for level in levels(domain) if level in severities), Severity.NOOP)
        while await db.write(partial(_apply_some, domain=domain, severity=severity)):
            pass
        while await db.write(partial(tell_severed, kind=SeveranceKind.DOMAIN_BLOCK, name=domain)):
            pass


async def _load_severities(session: ReadSession) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in await session.all(_SEVERITIES)]


async def _apply_some(session: WriteSession, domain: str, severity: int) -> bool:
    """Brings some accounts of a server in line; True while there may be more."""
    if severity >= Severity.SUSPEND:
        ids = await session.column(_TO_SUSPEND, domains=[domain], limit=_BATCH)
        await session.execute(_SET, ids=ids, to_state=int(AccountState.SUSPENDED), origin=int(StateOrigin.DOMAIN))
        await _cut_ties(session, domain, ids)
    elif severity == Severity.SILENCE:
        ids = await session.column(_TO_LIMIT, domains=[domain], limit=_BATCH)
        await session.execute(_SET, ids=ids, to_state=int(AccountState.LIMITED), origin=int(StateOrigin.DOMAIN))
    else:
        ids = await session.column(_TO_FREE, domains=[domain], limit=_BATCH)
        await session.execute(_SET, ids=ids, to_state=int(AccountState.ACTIVE), origin=int(StateOrigin.MODERATION))
    return len(ids) == _BATCH


async def _cut_ties(session: WriteSession, domain: str, ids: list[int]) -> None:
    followers: Counter[int] = Counter()
    following: Counter[int] = Counter()
    for follower_id, target_id in await session.all(_TIES, ids=ids):
        if await end_follow(session, follower_id, target_id):
            followers[target_id] += 1
            following[follower_id] += 1
    members = {*followers, *following} - set(ids)
    severed = {account_id: Severed(followers[account_id], following[account_id]) for account_id in members}
    await count_severed(session, SeveranceKind.DOMAIN_BLOCK, domain, severed)
    for follower_id, target_id in await session.all(_WISHES, ids=ids):
        await end_request(session, follower_id, target_id)


async def _note(session: WriteSession, domain: str) -> None:
    await note_rules_changed(session)
    await defer(session, ApplyDomainRule(domain))


def clean_domain(text: str) -> str:
    """A domain in ASCII and lower case, without scheme, path and wildcard. Raises Invalid."""
    domain = re.sub(r"\A(?:https?://)?(?:\*\.)?@?", "", text.strip().lower()).partition("/")[0].rstrip(".")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise Invalid(f"{text.strip()[:80]!r} is no domain")
    return domain


HANDLERS = (Handler(ApplyDomainRule, run_apply_domain_rule),)
