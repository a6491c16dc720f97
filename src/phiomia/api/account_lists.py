"""Lists of accounts: pages of entries (cursor, account) become entities with a Link header."""

from collections.abc import Sequence
from typing import Protocol

from phiomia.api.endpoint import Call
from phiomia.api.paging import link
from phiomia.platform.db import ReadSession


class Entry(Protocol):
    """A row of a list of accounts."""

    @property
    def id(self) -> int:
        """The cursor."""
        ...

    @property
    def account_id(self) -> int:
        """Whom it shows."""
        ...


async def show_accounts(call: Call, session: ReadSession, entries: Sequence[Entry], limit: int) -> bytes:
    """A page of accounts with its Link header."""
    if entries:
        link(call, entries[0].id, entries[-1].id, full=len(entries) >= limit)
    found = await call.api.fragments.accounts(session, [entry.account_id for entry in entries])
    return b"[" + b",".join(found[entry.account_id] for entry in entries if entry.account_id in found) + b"]"
