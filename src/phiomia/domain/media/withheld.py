"""Files of suspended accounts: they are kept, since a suspension can end, and nobody is given them."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.media.models import media
from phiomia.platform.db import P, Query, ReadSession
from phiomia.platform.storage import MediaKind, owner_of

_STATE_OF_ACCOUNT = Query(select(accounts.c.state).where(accounts.c.id == P("id")))
_STATES: Final[Mapping[MediaKind, Query]] = {
    "attachment": Query(
        select(accounts.c.state).join(media, media.c.account_id == accounts.c.id).where(media.c.id == P("id"))
    ),
    "avatar": _STATE_OF_ACCOUNT,
    "header": _STATE_OF_ACCOUNT,
}


async def is_withheld(session: ReadSession, key: str) -> bool:
    """Whether the file under a storage key belongs to somebody who is suspended."""
    owner = owner_of(key)
    if owner is None or owner[0] not in _STATES:
        return False
    return bool(await session.value(_STATES[owner[0]], id=owner[1]) == AccountState.SUSPENDED)
