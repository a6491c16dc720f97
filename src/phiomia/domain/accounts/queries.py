"""Reading accounts."""

from collections.abc import Sequence

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.session import Row

_VIEW = select(*[accounts.c[name] for name in AccountView.__struct_fields__])

_BY_IDS = Query(_VIEW.where(any_of(accounts.c.id, listed("ids"))))
_BY_HANDLE = Query(_VIEW.where(accounts.c.username_key == P("username", str), accounts.c.domain == P("domain", str)))

_REVISIONS = Query(select(accounts.c.id, accounts.c.rev).where(any_of(accounts.c.id, listed("ids"))))


async def load_revisions(session: ReadSession, ids: Sequence[int]) -> Sequence[Row]:
    """(id, revision) of those accounts that exist."""
    return await session.all(_REVISIONS, ids=list(ids)) if ids else []


async def load_accounts(session: ReadSession, ids: Sequence[int]) -> dict[int, AccountView]:
    """The accounts among `ids` that exist, by id."""
    if not ids:
        return {}
    return {view.id: view for view in await session.views(AccountView, _BY_IDS, ids=list(ids))}


async def load_account(session: ReadSession, account_id: int) -> AccountView:
    """One account. Raises NotFound."""
    found = await load_accounts(session, [account_id])
    if account_id not in found:
        raise NotFound
    return found[account_id]


async def find_by_handle(session: ReadSession, username: str, domain: str = "") -> AccountView | None:
    """The account of a handle; an empty domain is this server."""
    found = await session.views(AccountView, _BY_HANDLE, username=username.lower(), domain=domain.lower())
    return found[0] if found else None
