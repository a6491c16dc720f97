"""Words from the moderators to a member about what they did."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.moderation.events import AccountWarned
from phiomia.domain.moderation.models import account_warnings
from phiomia.domain.users.jobs import SendWarning
from phiomia.domain.users.models import users
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, any_of, insert_into, listed
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job
from phiomia.platform.json import decode


class NewWarning(NamedTuple):
    """What a member is told. `action`: what was done beside it, as the entity spells it."""

    account_id: int
    text: str
    action: str = "none"
    status_ids: Sequence[int] = ()
    by_id: int | None = None


class WarningView(NamedTuple):
    """A warning as it is shown. The order is that of the columns in the statement."""

    id: int
    account_id: int
    action: str
    text: str
    status_ids: list[int]
    created_at: int


BY_ID: Final = select(*[account_warnings.c[name] for name in WarningView._fields]).where(
    any_of(account_warnings.c.id, listed("warning_ids"))
)
"""Warnings for a statement of `Together`, of `warning_ids`; `read_warnings` takes the rows."""
PEOPLE: Final = select(accounts.c.id, accounts.c.rev).where(
    accounts.c.id.in_(select(account_warnings.c.account_id).where(any_of(account_warnings.c.id, listed("warning_ids"))))
)
"""Who got them, with revisions."""
_INSERT = insert_into(account_warnings, "id", "account_id", "by_id", "action", "text", "status_ids", "created_at")
_USER = Query(select(users.c.id).where(users.c.account_id == P("account")))


async def warn_account(session: WriteSession, new: NewWarning) -> int:
    """Tells a member something, in a notification and a mail; gives the id. Raises NotFound, Invalid."""
    user_id = await session.value(_USER, account=new.account_id)
    if user_id is None:
        raise NotFound
    text = new.text.strip()
    if not text or len(text) > limits.WARNING_TEXT:
        raise Invalid(f"A warning needs between 1 and {limits.WARNING_TEXT} characters")
    warning_id = new_id()
    await session.execute(
        _INSERT,
        id=warning_id,
        account_id=new.account_id,
        by_id=new.by_id,
        action=new.action,
        text=text,
        status_ids=msgspec.json.encode(list(new.status_ids)).decode(),
        created_at=now_ms(),
    )
    await record(session, AccountWarned(warning_id, new.account_id, user_id, text))
    return warning_id


def mail_warning(event: AccountWarned) -> Iterable[Job]:
    """What follows a warning: a mail, whatever else somebody is mailed."""
    yield SendWarning(event.user_id, event.text)


def read_warnings(rows: Sequence[Sequence[Any]]) -> dict[int, WarningView]:
    """Warnings by id, of rows of `BY_ID`."""
    return {row[0]: _view(row) for row in rows}


def _view(row: Sequence[Any]) -> WarningView:
    view = WarningView(*row)
    return view._replace(status_ids=decode(row[WarningView._fields.index("status_ids")]))
