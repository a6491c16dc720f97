"""The question of `compat.check_start`, asked by a process that has the database open anyway."""

from phiomia import __version__
from phiomia.platform.db import Query, ReadSession
from phiomia.upgrade.min_code import Compat, refuse_if_too_old

_COMPAT = Query.raw(sqlite="SELECT expand_head, contract_head, min_code FROM schema_compat")


async def check_session(session: ReadSession, version: str = __version__) -> None:
    """Does nothing when this release may run on the open database, which has tables. Raises TooOld."""
    for row in await session.all(_COMPAT):
        refuse_if_too_old(Compat(*row), version)
