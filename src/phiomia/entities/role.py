"""The entities Role and AccountRole."""

from typing import Any

from phiomia.domain.users.roles import EVERY, NAMES, PERMISSIONS, Permission, Role


def render_role(number: int) -> dict[str, Any]:
    """The role of the signed-in person."""
    role = Role(number)
    allowed = PERMISSIONS[role]
    return {
        "id": _id(role),
        "name": NAMES[role],
        # Apps test single bits: who may do everything has them all.
        "permissions": str(int(EVERY if allowed & Permission.ADMINISTRATOR else allowed)),
        "color": "",
        "highlighted": role is not Role.NONE,
        "collection_limit": 10,
    }


def render_account_role(number: int) -> dict[str, Any]:
    """The role shown on a profile."""
    role = Role(number)
    return {"id": _id(role), "name": NAMES[role], "color": ""}


def _id(role: Role) -> str:
    return "-99" if role is Role.NONE else str(int(role))  # -99 is everybody's role at Mastodon's
