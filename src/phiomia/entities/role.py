"""The entities Role and AccountRole."""

from typing import Any, NamedTuple


class RoleFacts(NamedTuple):
    """What a role is called and may do. `permissions` are Mastodon's bits."""

    id: int
    name: str
    permissions: int
    highlighted: bool


# The numbers are those stored in users.role and accounts.shown_role.
ROLES = {
    0: RoleFacts(-99, "", 1 << 16, False),
    1: RoleFacts(1, "Moderator", (1 << 16) | (1 << 3) | (1 << 4) | (1 << 10) | (1 << 2), True),
    2: RoleFacts(2, "Admin", (1 << 16) | 0xFFFFE, True),
    3: RoleFacts(3, "Owner", 1, True),
}


def render_role(number: int) -> dict[str, Any]:
    """The role of the signed-in person."""
    role = ROLES.get(number, ROLES[0])
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(role.permissions),
        "color": "",
        "highlighted": role.highlighted,
        "collection_limit": 10,
    }


def render_account_role(number: int) -> dict[str, Any]:
    """The role shown on a profile."""
    role = ROLES[number]
    return {"id": str(role.id), "name": role.name, "color": ""}
