"""A member leaves for ever."""

from sqlalchemy import delete, select, update

from phiomia.domain.accounts.events import AccountDeleted
from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.pictures import remove_picture
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.errors import NotFound
from phiomia.domain.oauth.tokens import revoke_user_tokens
from phiomia.domain.users.models import users
from phiomia.domain.users.sessions import close_sessions
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.events import record

_MEMBER = Query(
    select(users.c.id, accounts.c.username)
    .join(accounts, accounts.c.id == users.c.account_id)
    .where(users.c.account_id == P("account_id"))
)
_DELETE_USER = Query(delete(users).where(users.c.id == P("id")))
_EMPTY = Query(
    update(accounts)
    .where(accounts.c.id == P("id"), accounts.c.domain == "")
    .values(
        state=AccountState.SUSPENDED,
        state_origin=StateOrigin.LEFT,
        display_name="",
        note="",
        note_source="",
        fields="[]",
        emojis="[]",
        attribution_domains="[]",
        also_known_as="[]",
        shown_role=0,
        discoverable=False,
        indexable=False,
    )
)


async def leave(session: WriteSession, account_id: int) -> None:
    """Signs a member out everywhere and takes them out of sight at once; the rest goes bit by bit.

    The name stays taken and the key stays usable: nobody shall become somebody else, and other servers have to be
    told. Raises NotFound.
    """
    row = await session.one(_MEMBER, account_id=account_id)
    if row is None:
        raise NotFound
    user_id, username = row
    await revoke_user_tokens(session, user_id)
    await close_sessions(session, user_id)
    await session.execute(_DELETE_USER, id=user_id)
    await session.execute(_EMPTY, id=account_id)
    await remove_picture(session, account_id, "avatar")
    await remove_picture(session, account_id, "header")
    await record(session, AccountDeleted(account_id, username))
