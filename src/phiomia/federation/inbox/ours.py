"""Which of our things an address means."""

import re
from collections.abc import Iterable
from typing import Final

from phiomia.domain.accounts.named import find_ours
from phiomia.domain.statuses import known
from phiomia.domain.statuses.known import Known
from phiomia.entities.links import Links
from phiomia.federation.parse.values import host_of
from phiomia.platform.db import ReadSession

_ACCOUNT: Final = re.compile(r"/(?:users/|@)([A-Za-z0-9_.-]{1,64})/?")
_STATUS: Final = re.compile(
    r"/(?:users/([A-Za-z0-9_.-]{1,64})/statuses|@([A-Za-z0-9_.-]{1,64}))/([0-9]{1,19})(?:/activity)?/?"
)


def is_ours(links: Links, uri: str) -> bool:
    """Whether the address lies on this server."""
    return bool(host := host_of(uri)) and host in (host_of(links.base), links.domain.lower())


def name_in(links: Links, uri: str) -> str:
    """The name of the local account that is meant; empty if it is none."""
    match = _ACCOUNT.fullmatch(_path(links, uri))
    return match[1] if match else ""


async def find_account(session: ReadSession, links: Links, uri: str) -> int | None:
    """The local account that is meant."""
    name = name_in(links, uri)
    return (await find_ours(session, [name])).get(name.lower()) if name else None


async def find_accounts(session: ReadSession, links: Links, uris: Iterable[str]) -> dict[str, int]:
    """The local accounts that are meant, by address."""
    names = {uri: name.lower() for uri in uris if (name := name_in(links, uri))}
    found = await find_ours(session, sorted(set(names.values()))) if names else {}
    return {uri: found[name] for uri, name in names.items() if name in found}


async def find_status(session: ReadSession, links: Links, uri: str) -> Known | None:
    """The status that is meant, ours or a stored one of another server."""
    if not is_ours(links, uri):
        return await known.find_by_uri(session, uri)
    match = _STATUS.fullmatch(_path(links, uri))
    number = int(match[3]) if match else 0
    if match is None or number >= 1 << 63:
        return None
    return await known.find_ours(session, match[1] or match[2], number)


def _path(links: Links, uri: str) -> str:
    if not is_ours(links, uri):
        return ""
    rest = uri.partition("://")[2]
    return "/" + rest.partition("/")[2]
