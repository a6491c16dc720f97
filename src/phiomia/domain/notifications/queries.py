"""Reading notifications. Those of suspended accounts are left out, and filtered ones unless asked for."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, not_, or_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.notifications.models import notifications
from phiomia.domain.notifications.views import NotificationRow
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.paging import Page, Paged

_COLUMNS = tuple(notifications.c[name] for name in NotificationRow._fields)
_sender = accounts.alias("sender")


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


class _Variant(NamedTuple):
    """The conditions on types are left out of the statement where nobody asks for them."""

    paged: Paged
    unread: Query


def _variant(*conditions: ColumnElement[bool]) -> _Variant:
    some = _of_account(notifications.c.id).where(notifications.c.id > P("after"), _unfiltered, *conditions)
    few = some.limit(P("limit")).subquery()
    return _Variant(
        Paged(_of_account(*_COLUMNS).where(_unfiltered, *conditions), notifications.c.id),
        Query(select(func.count()).select_from(few)),
    )


# By (are there types, is there one sender).
_VARIANTS = {
    (False, False): _variant(),
    (True, False): _variant(or_(P("any_type", bool), _wanted), not_(_unwanted)),
    (False, True): _variant(_from),
    (True, True): _variant(_from, or_(P("any_type", bool), _wanted), not_(_unwanted)),
}
_FIND = Query(_of_account(*_COLUMNS).where(notifications.c.id == P("id")))
_GROUP = Paged(
    _of_account(*_COLUMNS).where(notifications.c.group_key == P("key", str), _unfiltered), notifications.c.id
)


async def list_notifications(
    session: ReadSession,
    account_id: int,
    page: Page,
    types: Collection[str] = (),
    exclude_types: Collection[str] = (),
    from_account_id: int | None = None,
    *,
    include_filtered: bool = False,
) -> list[NotificationRow]:
    """The account's notifications, newest first; no `types` mean all of them."""
    variant, parameters = _choose(types, exclude_types, from_account_id)
    return await variant.paged.views(
        session, _row, page, account=account_id, include_filtered=include_filtered, **parameters
    )


async def count_unread(
    session: ReadSession,
    account_id: int,
    after_id: int = 0,
    limit: int = 100,
    types: Collection[str] = (),
    exclude_types: Collection[str] = (),
    from_account_id: int | None = None,
) -> int:
    """How many notifications came after one, at most `limit`."""
    variant, parameters = _choose(types, exclude_types, from_account_id)
    counted = await session.value(
        variant.unread, account=account_id, after=after_id, limit=limit, include_filtered=False, **parameters
    )
    return int(counted)


async def find_notification(session: ReadSession, account_id: int, notification_id: int) -> NotificationRow:
    """One of the account's notifications. Raises NotFound."""
    row = await session.one(_FIND, account=account_id, id=notification_id)
    if row is None:
        raise NotFound()
    return _row(*row)


async def list_group(session: ReadSession, account_id: int, key: str, page: Page) -> list[NotificationRow]:
    """The members of one group of the account's notifications, newest first."""
    return await _GROUP.views(session, _row, page, account=account_id, key=key, include_filtered=True)


def _choose(
    types: Collection[str], exclude_types: Collection[str], from_account_id: int | None
) -> tuple[_Variant, dict[str, object]]:
    parameters: dict[str, object] = {}
    by_type = bool(types or exclude_types)
    if by_type:
        parameters = {"any_type": not types, "types": list(types), "exclude_types": list(exclude_types)}
    if from_account_id is not None:
        parameters["sender"] = from_account_id
    return _VARIANTS[by_type, from_account_id is not None], parameters


def _row(
    id_: int, type_: str, sender_id: int, status_id: int | None, created_at: int, key: str, filtered: bool
) -> NotificationRow:
    # SQLite gives 0 and 1.
    return NotificationRow(id_, type_, sender_id, status_id, created_at, key, bool(filtered))
