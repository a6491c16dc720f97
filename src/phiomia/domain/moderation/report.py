"""Reports: filed by members or from other servers, listed, resolved."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import and_, or_, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.events import ReportFiled
from phiomia.domain.moderation.models import reports
from phiomia.domain.moderation.report_category import ReportCategory
from phiomia.domain.statuses.models import statuses
from phiomia.domain.statuses.policy import visible_to
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.json import decode

_MOST_LISTED = 200


class NewReport(NamedTuple):
    """What is reported. `forward_to`: the servers that shall hear of it; None: none, empty: the target's own."""

    target_id: int
    category: ReportCategory = ReportCategory.OTHER
    comment: str = ""
    status_ids: Sequence[int] = ()
    collection_ids: Sequence[int] = ()
    rule_ids: Sequence[int] | None = None
    forward_to: Sequence[str] | None = None


class RemoteReport(NamedTuple):
    """A report from another server. `account_id` is its actor, as far as it is known."""

    uri: str
    account_id: int | None
    from_domain: str
    target_id: int
    comment: str
    status_ids: Sequence[int]


class ReportView(NamedTuple):
    """A report as it is shown. The order is that of the columns in the statements."""

    id: int
    account_id: int | None
    from_domain: str
    target_id: int
    category: int
    comment: str
    status_ids: list[int]
    collection_ids: list[int]
    rule_ids: list[int] | None
    forwarded: bool
    created_at: int
    resolved_at: int | None


_COLUMNS = [reports.c[name] for name in ReportView._fields]
_LISTS = ("status_ids", "collection_ids", "rule_ids")
_ONE = Query(select(*_COLUMNS).where(reports.c.id == P("id")))
BY_ID: Final = select(*_COLUMNS).where(any_of(reports.c.id, listed("report_ids")))
"""Reports for a statement of `Together`, of `report_ids`; `read_reports` takes the rows."""
PEOPLE: Final = select(accounts.c.id, accounts.c.rev).where(
    accounts.c.id.in_(select(reports.c.target_id).where(any_of(reports.c.id, listed("report_ids"))))
)
"""Whom they are about, with revisions."""
_WAITING = Query(
    select(reports.c.id)
    .where(reports.c.target_id == P("target"), reports.c.resolved_at.is_(None), reports.c.id != P("but"))
    .limit(1)
)
_OPEN = Query(
    select(*_COLUMNS).where(reports.c.resolved_at.is_(None)).order_by(reports.c.id.desc()).limit(_MOST_LISTED)
)
_ALL = Query(select(*_COLUMNS).order_by(reports.c.id.desc()).limit(_MOST_LISTED))
_STORED = (*ReportView._fields[:-1], "uri")
_INSERT = Query(
    lambda insert: (
        insert(reports).values({name: column_parameter(reports, name) for name in _STORED}).on_conflict_do_nothing()
    )
)
_RESOLVE = Query(
    update(reports)
    .where(reports.c.id == P("of_id"), reports.c.resolved_at.is_(None))
    .values(resolved_at=P("now"), resolved_by_id=P("by"))
)
_TARGET = Query(select(accounts.c.domain).where(accounts.c.id == P("id"), accounts.c.state != AccountState.SUSPENDED))
_OF_TARGET = and_(statuses.c.account_id == P("target"), any_of(statuses.c.id, listed("ids")))
_VISIBLE = Query(select(statuses.c.id).where(_OF_TARGET, visible_to(statuses, P("viewer"))))
_WRITTEN = Query(select(statuses.c.id).where(_OF_TARGET))
_replied = accounts.alias("replied")
_ANSWERED = Query(
    select(_replied.c.domain)
    .distinct()
    .select_from(statuses.join(_replied, _replied.c.id == statuses.c.in_reply_to_account_id))
    .where(any_of(statuses.c.id, listed("ids")), _replied.c.domain != "")
)
_OF_DOMAINS = Query(
    select(_replied.c.id)
    .select_from(_replied)
    .where(
        any_of(_replied.c.domain, listed("domains", str)),
        or_(
            _replied.c.id == P("target"),
            _replied.c.id.in_(select(statuses.c.in_reply_to_account_id).where(any_of(statuses.c.id, listed("ids")))),
        ),
    )
)


async def file_report(session: WriteSession, account_id: int, new: NewReport) -> int:
    """A member's report; gives its id. Raises NotFound (account or posts), Invalid."""
    domain = await session.value(_TARGET, id=new.target_id)
    if domain is None:
        raise NotFound
    if len(new.comment) > limits.REPORT_COMMENT:
        raise Invalid(
            f"Validation failed: Comment is too long (maximum is {limits.REPORT_COMMENT} characters)",
            {"comment": [("ERR_TOO_LONG", "is too long")]},
        )
    seen = await session.column(_VISIBLE, target=new.target_id, ids=list(new.status_ids), viewer=account_id)
    if set(seen) != set(new.status_ids):
        raise NotFound
    domains = await _choose_domains(session, domain, new)
    report_id = await _insert(session, account_id, new, forwarded=bool(domains))
    first = await _is_first(session, new.target_id, report_id)
    await record(session, ReportFiled(report_id, account_id, new.target_id, domains=domains, first=first))
    return report_id


async def file_remote_report(session: WriteSession, new: RemoteReport) -> bool:
    """A report from another server about one of ours; False if it was filed before or is about nobody here."""
    if await session.value(_TARGET, id=new.target_id) is None:
        return False
    written = await session.column(_WRITTEN, target=new.target_id, ids=list(new.status_ids))
    report_id = new_id()
    added = await session.execute(
        _INSERT,
        id=report_id,
        account_id=new.account_id,
        from_domain=new.from_domain,
        target_id=new.target_id,
        category=int(ReportCategory.OTHER),
        comment=new.comment,
        status_ids=_encode(written),
        collection_ids="[]",
        rule_ids=None,
        forwarded=False,
        created_at=now_ms(),
        uri=new.uri,
    )
    if added:
        first = await _is_first(session, new.target_id, report_id)
        await record(session, ReportFiled(report_id, new.account_id, new.target_id, new.from_domain, first=first))
    return bool(added)


async def load_report(session: ReadSession, report_id: int) -> ReportView:
    """One report. Raises NotFound."""
    row = await session.one(_ONE, id=report_id)
    if row is None:
        raise NotFound
    return _view(row)


def read_reports(rows: Sequence[Sequence[Any]]) -> dict[int, ReportView]:
    """Reports by id, of rows of `BY_ID`."""
    return {row[0]: _view(row) for row in rows}


async def list_reports(session: ReadSession, *, resolved: bool = False) -> list[ReportView]:
    """Those that wait, the newest first; with `resolved` the others, too. No more than 200."""
    return [_view(row) for row in await session.all(_ALL if resolved else _OPEN)]


async def resolve_report(session: WriteSession, report_id: int, by: int | None = None) -> None:
    """Closes a report. Raises NotFound, also for one that is closed already."""
    if not await session.execute(_RESOLVE, of_id=report_id, now=now_ms(), by=by):
        raise NotFound


async def list_forwarded_to(session: ReadSession, view: ReportView, domains: Sequence[str]) -> list[int]:
    """The accounts through which servers hear of a report: who is reported, and whom the posts answer."""
    return await session.column(_OF_DOMAINS, domains=list(domains), target=view.target_id, ids=view.status_ids)


async def _is_first(session: ReadSession, target_id: int, report_id: int) -> bool:
    return await session.value(_WAITING, target=target_id, but=report_id) is None


async def _choose_domains(session: ReadSession, target_domain: str, new: NewReport) -> list[str]:
    """Where it goes: to the target's server, or to the chosen ones among that and those whom the posts answer."""
    if new.forward_to is None:
        return []
    if not new.forward_to:
        return [target_domain] if target_domain else []
    answered = await session.column(_ANSWERED, ids=list(new.status_ids)) if new.status_ids else []
    chosen = {domain.strip().lower() for domain in new.forward_to}
    return sorted(chosen & {target_domain, *answered} - {""})


async def _insert(session: WriteSession, account_id: int, new: NewReport, *, forwarded: bool) -> int:
    report_id = new_id()
    violation = ReportCategory.VIOLATION
    await session.execute(
        _INSERT,
        id=report_id,
        account_id=account_id,
        from_domain="",
        target_id=new.target_id,
        category=int(violation if new.rule_ids else new.category),
        comment=new.comment,
        status_ids=_encode(new.status_ids),
        collection_ids=_encode(new.collection_ids),
        rule_ids=None if new.rule_ids is None else _encode(new.rule_ids),
        forwarded=forwarded,
        created_at=now_ms(),
        uri="",
    )
    return report_id


def _encode(ids: Sequence[int]) -> str:
    return msgspec.json.encode(list(dict.fromkeys(ids))).decode()


def _view(row: Sequence[Any]) -> ReportView:
    read = dict(zip(ReportView._fields, row, strict=True))
    return ReportView(**read | {name: None if read[name] is None else decode(read[name]) for name in _LISTS})
