"""Which user names a local account may have."""

import re
from typing import Final

from phiomia.platform.limits import USERNAME

_PATTERN: Final = re.compile(r"[A-Za-z0-9_]+")

# Names that people would take for the server itself or for those who run it.
RESERVED: Final = frozenset(
    "abuse about account accounts actor admin administrator administrators admins api billing bot contact everyone"  # noqa: SIM905
    " help helpdesk here host hostmaster info instance legal mail mailer_daemon mastodon mod moderation moderator"
    " moderators mods news noreply official operator owner phiomia postmaster privacy relay root rules security"
    " server site staff status support sysadmin system team terms webmaster".split()
)


def find_username_fault(username: str, *, allow_reserved: bool = False) -> tuple[str, str] | None:
    """What is wrong with a user name, as (code, words); None when nothing is."""
    if not username:
        return ("ERR_BLANK", "can't be empty")
    if not _PATTERN.fullmatch(username):
        return ("ERR_INVALID", "may have letters without accents, digits and underscores only")
    if len(username) > USERNAME:
        return ("ERR_TOO_LONG", f"may have {USERNAME} characters at most")
    if not allow_reserved and username.lower() in RESERVED:
        return ("ERR_RESERVED", "is reserved")
    return None
