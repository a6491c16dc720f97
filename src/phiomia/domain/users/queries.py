"""Reading those who may sign in."""

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import NotFound
from phiomia.domain.users.emails import key_of
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, ReadSession


class UserView(msgspec.Struct, frozen=True):
    """Somebody who may sign in, for themselves and for operators. The order is that of the columns below."""

    id: int
    account_id: int
    username: str
    email: str
    role: int
    state: int
    created_at: int
    confirmed_at: int | None
    approved_at: int | None
    disabled_at: int | None
    last_active_at: int | None
    locale: str
    reason: str
    created_by_app_id: int | None


class Credentials(msgspec.Struct, frozen=True):
    """What a sign-in is judged by."""

    user_id: int
    password_hash: str
    confirmed: bool
    approved: bool
    disabled: bool
    state: int


_joined = users.join(accounts, accounts.c.id == users.c.account_id)
_VIEW = select(
    users.c.id,
    users.c.account_id,
    accounts.c.username,
    users.c.email,
    users.c.role,
    accounts.c.state,
    users.c.created_at,
    users.c.confirmed_at,
    users.c.approved_at,
    users.c.disabled_at,
    users.c.last_active_at,
    users.c.locale,
    users.c.reason,
    users.c.created_by_app_id,
).select_from(_joined)

_NEW_EMAIL = Query(select(users.c.new_email).where(users.c.id == P("user")))
_BY_ID = Query(_VIEW.where(users.c.id == P("id")))
_BY_NAME = Query(_VIEW.where(accounts.c.username_key == P("key", str), accounts.c.domain == ""))
_BY_EMAIL = Query(_VIEW.where(users.c.email_key == P("key", str)))
_PAGE = Query(_VIEW.where(users.c.id > P("after")).order_by(users.c.id).limit(P("limit")))
_CREDENTIALS = Query(
    select(
        users.c.id,
        users.c.password_hash,
        users.c.confirmed_at.is_not(None),
        users.c.approved_at.is_not(None),
        users.c.disabled_at.is_not(None),
        accounts.c.state,
    )
    .select_from(_joined)
    .where(users.c.email_key == P("key", str))
)


async def load_user(session: ReadSession, user_id: int) -> UserView:
    """One user. Raises NotFound."""
    found = await session.views(UserView, _BY_ID, id=user_id)
    if not found:
        raise NotFound("There is no such user.")
    return found[0]


async def find_user(session: ReadSession, username: str) -> UserView | None:
    """The user with that name, in whatever case."""
    return await session.view(UserView, _BY_NAME, key=username.removeprefix("@").lower())


async def find_by_email(session: ReadSession, email: str) -> UserView | None:
    """The user with that address, in whatever case."""
    return await session.view(UserView, _BY_EMAIL, key=key_of(email))


async def list_users(session: ReadSession, after: int = 0, limit: int = 500) -> list[UserView]:
    """Users in the order of their joining, after a given one."""
    return await session.views(UserView, _PAGE, after=after, limit=limit)


async def find_credentials(session: ReadSession, email: str) -> Credentials | None:
    """What a sign-in with that address is judged by."""
    return await session.view(Credentials, _CREDENTIALS, key=key_of(email))


async def find_new_email(session: ReadSession, user_id: int) -> str:
    """The address that somebody wants to use and has not confirmed; empty if there is none."""
    return await session.value(_NEW_EMAIL, user=user_id) or ""
