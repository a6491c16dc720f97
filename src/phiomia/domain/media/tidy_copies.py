"""Lets copies go: unused, too many, of servers that may not be shown, of things that are no more."""

from functools import partial
from typing import Protocol

from phiomia.domain.media.copies import (
    Copy,
    drop_copies,
    drop_of_hosts,
    drop_unused,
    list_copies,
    list_hosts,
    make_room,
    measure_room,
)
from phiomia.domain.media.count_pictures import count_uncounted
from phiomia.domain.media.proxied import ADDRESSES, RemoteKind, digest_of
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import Database, ReadSession
from phiomia.platform.jobs.context import HasConfig, HasDatabase, HasStorage
from phiomia.platform.jobs.defer import Job


class TidyCopies(Job, frozen=True):
    """Remove copies whose time is over."""

    TYPE = "media.tidy_copies"
    QUEUE = "scheduled"


class Rules(Protocol):
    """What the operator has decided about other servers."""

    async def refresh(self) -> None:
        """Reads them again, if need be."""
        ...

    def rejects_media(self, host: str) -> bool:
        """Whether pictures of a server are not shown."""
        ...


class Context(HasDatabase, HasConfig, HasStorage, Protocol):
    """What the handler needs of the worker's context."""

    @property
    def rules(self) -> Rules:
        """The rules about servers."""
        ...


async def run_tidy_copies(context: Context, _job: TidyCopies) -> None:
    """Handler of TidyCopies."""
    db, settings = context.db, context.config.media
    before = now_ms() - settings.cache_days * DAY
    while await db.write(lambda session: drop_unused(session, before)):
        pass
    await count_uncounted(db, context.storage)
    await context.rules.refresh()
    async with db.read() as session:
        hosts = [host for host in await list_hosts(session) if context.rules.rejects_media(host)]
        room = await measure_room(session, settings)
    while await db.write(partial(drop_of_hosts, hosts=hosts)):
        pass
    while await db.write(lambda session: make_room(session, room, most=500)):
        pass
    await drop_orphans(db)


async def drop_orphans(db: Database) -> int:
    """Removes copies of attachments, accounts and emoji that are no more, or look otherwise now; gives their number."""
    after = removed = 0
    while True:
        async with db.read() as session:
            page = await list_copies(session, after)
            gone = [copy for copy in page if not await is_shown(session, copy)]
        if not page:
            return removed
        after = page[-1].id
        if gone:
            await db.write(partial(drop_copies, copies=gone))
            removed += len(gone)


async def is_shown(session: ReadSession, copy: Copy) -> bool:
    """Whether something still shows the file that this is a copy of."""
    query = ADDRESSES.get(RemoteKind(copy.kind))
    if query is None:
        return True
    url = await session.value(query, id=copy.owner_id)
    return bool(url) and digest_of(url) == copy.digest
