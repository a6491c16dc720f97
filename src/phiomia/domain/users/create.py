"""Creates somebody who may sign in, with the account that is theirs."""

from typing import NamedTuple

from phiomia.domain.accounts.create_local import create_local_account
from phiomia.domain.users.emails import key_of
from phiomia.domain.users.models import users
from phiomia.domain.users.roles import Role, set_role
from phiomia.platform.clock import now_ms
from phiomia.platform.db import WriteSession, insert_into
from phiomia.platform.ids import new_id


class UserDraft(NamedTuple):
    """A user with everything decided; `sign_up` and the command line make it."""

    username: str
    email: str
    password_hash: str
    confirmed: bool = False
    approved: bool = False
    role: Role = Role.NONE
    locale: str = "en"
    time_zone: str = ""
    reason: str = ""
    app_id: int | None = None
    created_at: int | None = None  # for somebody who joined elsewhere, or long ago


class CreatedUser(NamedTuple):
    """The ids of both."""

    user_id: int
    account_id: int


_INSERT = insert_into(
    users,
    "id",
    "account_id",
    "email",
    "email_key",
    "password_hash",
    "created_at",
    "confirmed_at",
    "approved_at",
    "locale",
    "time_zone",
    "reason",
    "created_by_app_id",
)


async def create_user(session: WriteSession, draft: UserDraft) -> CreatedUser:
    """Writes account and user. Raises Conflict when the name or the address is taken."""
    now = draft.created_at or now_ms()
    account_id = await create_local_account(session, draft.username, created_at=draft.created_at)
    user_id = new_id(draft.created_at)
    await session.execute(
        _INSERT,
        id=user_id,
        account_id=account_id,
        email=draft.email,
        email_key=key_of(draft.email),
        password_hash=draft.password_hash,
        created_at=now,
        confirmed_at=now if draft.confirmed else None,
        approved_at=now if draft.approved else None,
        locale=draft.locale,
        time_zone=draft.time_zone,
        reason=draft.reason,
        created_by_app_id=draft.app_id,
    )
    if draft.role != Role.NONE:
        await set_role(session, user_id, draft.role)
    return CreatedUser(user_id, account_id)
