"""Creates an account that lives here."""

from sqlalchemy import select

from phiomia.domain.accounts.keys import MakeKeys
from phiomia.domain.accounts.models import accounts
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, insert_into
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import defer

_INSERT = insert_into(accounts, "id", "username", "username_key", "domain", "display_name", "created_at")
_TAKEN = Query(select(accounts.c.id).where(accounts.c.username_key == P("key", str), accounts.c.domain == ""))


async def is_username_taken(session: ReadSession, username: str) -> bool:
    """Whether a local account has that name, in whatever case."""
    return await session.value(_TAKEN, key=username.lower()) is not None


async def create_local_account(
    session: WriteSession, username: str, *, display_name: str = "", created_at: int | None = None
) -> int:
    """Writes the account and gives its id; its keys are made later, by a job. Raises Conflict for a taken name.

    Its addresses stay empty in the table: those of local things follow from the server's own.
    """
    account_id = new_id(created_at)
    await session.execute(
        _INSERT,
        id=account_id,
        username=username,
        username_key=username.lower(),
        domain="",
        display_name=display_name,
        created_at=created_at or now_ms(),
    )
    await defer(session, MakeKeys(account_id), unique=f"{MakeKeys.TYPE}:{account_id}")
    return account_id
