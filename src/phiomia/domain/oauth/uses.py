"""When tokens were last used, to the day: written in passing, many at a time, and never while somebody waits."""

import asyncio

from sqlalchemy import or_, update

from phiomia.domain.oauth.models import access_tokens
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import Database, P, Query, Unavailable, WriteSession, any_of, listed
from phiomia.platform.log import get_logger

log = get_logger("oauth")

_SOON_SECONDS = 2.0
_MARK = Query(
    update(access_tokens)
    .where(
        any_of(access_tokens.c.id, listed("ids")),
        or_(access_tokens.c.last_used_at.is_(None), access_tokens.c.last_used_at < P("before")),
    )
    .values(last_used_at=P("at"))
)


async def mark_used(session: WriteSession, token_ids: list[int], at: int) -> None:
    """Notes the use of tokens that were not used for a day."""
    await session.execute(_MARK, ids=sorted(token_ids), at=at, before=at - DAY)


class Uses:
    """Tokens whose use is still to be written by this process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: set[int] = set()
        self._clock: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def note(self, token_id: int, last_used_at: int | None) -> None:
        """Notes that a token is being used; written soon, at most once a day."""
        if last_used_at is not None and last_used_at > now_ms() - DAY:
            return
        self._waiting.add(token_id)
        if self._clock is None:
            self._clock = asyncio.get_running_loop().call_later(_SOON_SECONDS, self._begin)

    def _begin(self) -> None:
        self._clock = None
        self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        ids, self._waiting = list(self._waiting), set()
        try:
            await self._db.write(lambda session: mark_used(session, ids, now_ms()))
        except Unavailable as error:
            # The next use will be noted again; nobody waits for this one.
            log.warning("the use of tokens could not be noted", reason=str(error))
