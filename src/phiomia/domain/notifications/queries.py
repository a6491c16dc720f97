"""Reading notifications. Those of suspended accounts are left out, and filtered ones unless asked for."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, String, case, cast, func, literal, not_, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.notifications.group import SPAN
from phiomia.domain.notifications.models import notifications
from phiomia.domain.notifications.views import GroupView, NotificationRow
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.ids import id_at, moment_of
from phiomia.platform.paging import Page, Paged

GROUPED: Final = ("favourite", "follow", "reblog", "admin.sign_up")
"""The types that can be grouped; apps may ask for fewer."""

_SAMPLES = 8
_SINGLE = "ungrouped-"
# A page of groups is made of no more notifications than this.
_WINDOW = 2_000

_sender = accounts.alias("sender")
_COLUMNS = (
    *(notifications.c[name] for name in NotificationRow._fields if name != "from_rev"),
    _sender.c.rev.label("from_rev"),
)


def _of_account(*columns: ColumnElement[Any]) -> Select[Any]:
    return (
        select(*columns)
        .select_from(notifications.join(_sender, _sender.c.id == notifications.c.from_account_id))
        .where(notifications.c.account_id == P("account"), _sender.c.state != AccountState.SUSPENDED)
    )


_unfiltered = or_(not_(notifications.c.filtered), P("include_filtered", bool))
_wanted = any_of(notifications.c.type, listed("types", str))
_unwanted = any_of(notifications.c.type, listed("exclude_types", str))
_from = notifications.c.from_account_id == P("sender")
_group = case(
    (any_of(notifications.c.type, listed("grouped_types", str)), notifications.c.group_key),
    else_=literal(_SINGLE, String).concat(cast(notifications.c.id, String)),
)


class Selection(NamedTuple):
    """Which notifications are meant; no `types` mean all of them."""

    types: Collection[str] = ()
    exclude_types: Collection[str] = ()
    from_account_id: int | None = None
    include_filtered: bool = False


EVERYTHING: Final = Selection()


class _Variant(NamedTuple):
    """The conditions on types are left out of the statement where nobody asks for them."""

    paged: Paged
    unread: Query
    newest_groups: Query
    nearest_groups: Query
    unread_groups: Query


def _variant(*conditions: ColumnElement[bool]) -> _Variant:
    some = _of_account(notifications.c.id).where(notifications.c.id > P("after"), _unfiltered, *conditions)
    few = some.limit(P("limit")).subquery()
    keys = _of_account(_group.label("key")).where(notifications.c.id > P("after"), _unfiltered, *conditions)
    few_keys = keys.distinct().limit(P("limit")).subquery()
    return _Variant(
        Paged(_of_account(*_COLUMNS).where(_unfiltered, *conditions), notifications.c.id),
        Query(select(func.count()).select_from(few)),
        _window(conditions, upwards=False),
        _window(conditions, upwards=True),
        Query(select(func.count()).select_from(few_keys)),
    )


def _window(conditions: tuple[ColumnElement[bool], ...], *, upwards: bool) -> Query:
    """What the groups of a page are made of. Grouping is cheaper outside of the database, for these are few rows."""
    id_ = notifications.c.id
    return Query(
        _of_account(*_COLUMNS)
        .where(_unfiltered, id_ < P("page_below"), id_ > P("group_above"), *conditions)
        .order_by(id_.asc() if upwards else id_.desc())
        .limit(literal(_WINDOW))
    )


# By (are there types, is there one sender).
_VARIANTS = {
    (False, False): _variant(),
    (True, False): _variant(or_(P("any_type", bool), _wanted), not_(_unwanted)),
    (False, True): _variant(_from),
    (True, True): _variant(_from, or_(P("any_type", bool), _wanted), not_(_unwanted)),
}
_FIND = Query(_of_account(*_COLUMNS).where(notifications.c.id == P("id")))
_SIZE = Query(_of_account(func.count(), func.min(notifications.c.id)).where(notifications.c.group_key == P("key", str)))
_GROUP = Paged(
    _of_account(*_COLUMNS).where(notifications.c.group_key == P("key", str), _unfiltered), notifications.c.id
)


async def list_notifications(
    session: ReadSession,
    account_id: int,
    page: Page,
    wanted: Selection = EVERYTHING,
) -> list[NotificationRow]:
    """The account's notifications, newest first."""
    variant, parameters = _choose(wanted)
    return await variant.paged.views(session, _row, page, account=account_id, **parameters)


async def count_unread(
    session: ReadSession,
    account_id: int,
    after_id: int = 0,
    limit: int = 100,
    wanted: Selection = EVERYTHING,
) -> int:
    """How many notifications came after one, at most `limit`."""
    variant, parameters = _choose(wanted)
    return int(await session.value(variant.unread, account=account_id, after=after_id, limit=limit, **parameters))


async def list_groups(
    session: ReadSession,
    account_id: int,
    page: Page,
    wanted: Selection = EVERYTHING,
    grouped_types: Collection[str] = GROUPED,
) -> list[GroupView]:
    """The account's notifications in groups, the group with the newest first; in one statement."""
    variant, parameters = _choose(wanted)
    bounds = page.bounds()
    # What belongs to the groups on this page but lies below its lower bound counts as well: it is of the same span.
    above = bounds["page_above"]
    rows = await session.all(
        variant.nearest_groups if page.upwards else variant.newest_groups,
        account=account_id,
        group_above=id_at(max(0, moment_of(above) - SPAN)) if above else 0,
        page_below=bounds["page_below"],
        **parameters,
    )
    groups = _group_rows(reversed(rows) if page.upwards else rows, above, frozenset(grouped_types))
    return groups[-page.limit :] if page.upwards else groups[: page.limit]


def _group_rows(rows: Iterable[Sequence[Any]], above: int, grouped_types: Collection[str]) -> list[GroupView]:
    """The groups of which something is above an id; the rows begin with the newest, and so do the groups."""
    found: dict[str, tuple[list[int], list[Sequence[Any]]]] = {}
    for row in rows:
        id_, type_, key = row[0], row[1], row[5]
        ids, samples = found.setdefault(key if type_ in grouped_types else f"{_SINGLE}{id_}", ([], []))
        ids.append(id_)
        if len(samples) < _SAMPLES:
            samples.append(row)
    return [
        GroupView(key, len(ids), min(id_ for id_ in ids if id_ > above), [_row(*row) for row in samples])
        for key, (ids, samples) in found.items()
        if ids[0] > above
    ]


async def count_unread_groups(
    session: ReadSession,
    account_id: int,
    after_id: int = 0,
    limit: int = 100,
    wanted: Selection = EVERYTHING,
    *,
    grouped_types: Collection[str] = GROUPED,
) -> int:
    """How many groups have something that came after one notification, at most `limit`."""
    variant, parameters = _choose(wanted)
    counted = await session.value(
        variant.unread_groups,
        account=account_id,
        after=after_id,
        limit=limit,
        grouped_types=list(grouped_types),
        **parameters,
    )
    return int(counted)


async def find_notification(session: ReadSession, account_id: int, notification_id: int) -> NotificationRow:
    """One of the account's notifications. Raises NotFound."""
    row = await session.one(_FIND, account=account_id, id=notification_id)
    if row is None:
        raise NotFound()
    return _row(*row)


async def find_group(session: ReadSession, account_id: int, key: str) -> GroupView:
    """One group of the account's notifications, or a single one under a key of its own. Raises NotFound."""
    single = single_of(key)
    if single is not None:
        row = await find_notification(session, account_id, single)
        return GroupView(key, 1, row.id, [row])
    rows = await list_group(session, account_id, key, Page(limit=_SAMPLES))
    if not rows:
        raise NotFound()
    size, oldest = (await session.all(_SIZE, account=account_id, key=key))[0]
    return GroupView(key, size, oldest, rows)


def single_of(key: str) -> int | None:
    """The id of the one notification that is shown under a key, None for the key of a group."""
    number = key.removeprefix(_SINGLE)
    if number == key or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    return int(number)


async def list_group(session: ReadSession, account_id: int, key: str, page: Page) -> list[NotificationRow]:
    """The members of one group of the account's notifications, newest first."""
    return await _GROUP.views(session, _row, page, account=account_id, key=key, include_filtered=True)


def _choose(wanted: Selection) -> tuple[_Variant, dict[str, object]]:
    types, exclude_types, sender, include_filtered = wanted
    parameters: dict[str, object] = {"include_filtered": include_filtered}
    by_type = bool(types or exclude_types)
    if by_type:
        parameters |= {"any_type": not types, "types": list(types), "exclude_types": list(exclude_types)}
    if sender is not None:
        parameters["sender"] = sender
    return _VARIANTS[by_type, sender is not None], parameters


def _row(
    id_: int,
    type_: str,
    sender_id: int,
    status_id: int | None,
    created_at: int,
    key: str,
    filtered: bool,
    event_id: int | None,
    from_rev: int,
) -> NotificationRow:
    # SQLite gives 0 and 1.
    return NotificationRow(id_, type_, sender_id, status_id, created_at, key, bool(filtered), event_id, from_rev)
