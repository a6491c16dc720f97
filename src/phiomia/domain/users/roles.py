"""What those who run the server may do. The numbers are stored, the bits are Mastodon's."""

from enum import IntEnum, IntFlag
from typing import Final

from sqlalchemy import select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, WriteSession
from phiomia.platform.db.query import column_parameter


class Role(IntEnum):
    """The roles there are."""

    NONE = 0
    MODERATOR = 1
    ADMIN = 2
    OWNER = 3


class Permission(IntFlag):
    """Single permissions; ADMINISTRATOR stands for all of them."""

    ADMINISTRATOR = 1 << 0
    VIEW_DEVOPS = 1 << 1
    VIEW_AUDIT_LOG = 1 << 2
    VIEW_DASHBOARD = 1 << 3
    MANAGE_REPORTS = 1 << 4
    MANAGE_FEDERATION = 1 << 5
    MANAGE_SETTINGS = 1 << 6
    MANAGE_BLOCKS = 1 << 7
    MANAGE_TAXONOMIES = 1 << 8
    MANAGE_APPEALS = 1 << 9
    MANAGE_USERS = 1 << 10
    MANAGE_INVITES = 1 << 11
    MANAGE_RULES = 1 << 12
    MANAGE_ANNOUNCEMENTS = 1 << 13
    MANAGE_CUSTOM_EMOJIS = 1 << 14
    MANAGE_WEBHOOKS = 1 << 15
    INVITE_USERS = 1 << 16
    MANAGE_ROLES = 1 << 17
    MANAGE_USER_ACCESS = 1 << 18
    DELETE_USER_DATA = 1 << 19
    VIEW_FEEDS = 1 << 20
    INVITE_BYPASS_APPROVAL = 1 << 21
    MANAGE_EMAIL_SUBSCRIPTIONS = 1 << 22


EVERY: Final = Permission((1 << 23) - 1)
NAMES: Final = {Role.NONE: "", Role.MODERATOR: "Moderator", Role.ADMIN: "Admin", Role.OWNER: "Owner"}
PERMISSIONS: Final = {
    Role.NONE: Permission.INVITE_USERS,
    Role.MODERATOR: Permission.INVITE_USERS
    | Permission.VIEW_AUDIT_LOG
    | Permission.VIEW_DASHBOARD
    | Permission.MANAGE_REPORTS
    | Permission.MANAGE_TAXONOMIES
    | Permission.MANAGE_USERS,
    Role.ADMIN: EVERY & ~Permission.ADMINISTRATOR,
    Role.OWNER: EVERY,
}

_SET = Query(update(users).values(role=column_parameter(users, "role")).where(users.c.id == P("user")))
_SHOW = Query(
    update(accounts)
    .values(shown_role=column_parameter(accounts, "shown_role"))
    .where(accounts.c.id == select(users.c.account_id).where(users.c.id == P("user")).scalar_subquery())
)


def can(role: int, permission: Permission) -> bool:
    """Whether a holder of the role has the permission."""
    return permission in PERMISSIONS.get(Role(role), Permission(0))


def parse_role(name: str) -> Role:
    """The role of that name, in whatever case. Raises Invalid that names those which exist."""
    for role, known in NAMES.items():
        if known and known.lower() == name.strip().lower():
            return role
    raise Invalid(f"There is no role {name!r}. Roles are {', '.join(filter(None, NAMES.values()))}.")


async def set_role(session: WriteSession, user_id: int, role: Role) -> None:
    """Gives somebody a role, which their profile shows from now on. Raises NotFound."""
    if not await session.execute(_SET, user=user_id, role=int(role)):
        raise NotFound
    await session.execute(_SHOW, user=user_id, shown_role=int(role))
