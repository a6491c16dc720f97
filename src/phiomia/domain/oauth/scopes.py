"""OAuth scopes and their nesting (Mastodon 4.6)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

_FOLLOW = ("read:blocks", "read:follows", "read:mutes", "write:blocks", "write:follows", "write:mutes")
_READ = "accounts blocks bookmarks collections favourites filters follows lists mutes notifications search statuses"
_WRITE = (
    "accounts blocks bookmarks collections conversations favourites filters follows lists media mutes notifications"
    " reports statuses"
)
_ADMIN_READ = "accounts canonical_email_blocks domain_allows domain_blocks email_domain_blocks ip_blocks reports"

CHILDREN: dict[str, tuple[str, ...]] = {
    "read": tuple(f"read:{name}" for name in _READ.split()),
    "write": tuple(f"write:{name}" for name in _WRITE.split()),
    "follow": _FOLLOW,
    "push": (),
    "profile": (),
    "admin:read": tuple(f"admin:read:{name}" for name in _ADMIN_READ.split()),
    "admin:write": tuple(f"admin:write:{name}" for name in _ADMIN_READ.split()),
}
SCOPES: tuple[str, ...] = (*CHILDREN, *dict.fromkeys(child for many in CHILDREN.values() for child in many))
DEFAULT = "read"


def split(scopes: str) -> list[str]:
    """The names in a space-separated list (a plus sign separates too)."""
    return scopes.replace("+", " ").split()


def unknown(scopes: Iterable[str]) -> list[str]:
    """Those names that are no scopes."""
    return [name for name in scopes if name not in SCOPES]


@lru_cache(maxsize=1024)
def expand(scopes: str) -> frozenset[str]:
    """The named scopes with everything that they open."""
    names = split(scopes)
    return frozenset(names).union(*(CHILDREN.get(name, ()) for name in names))


def opens(scopes: str, wanted: Sequence[str]) -> bool:
    """Whether any one of `wanted` is open to a holder of `scopes`; True when none is wanted."""
    return not wanted or not expand(scopes).isdisjoint(wanted)


def covers(held: str, asked: str) -> bool:
    """Whether everything asked for is within what is held."""
    return expand(held) >= expand(asked)
