"""Copies of what other servers show: where they lie, and that they stay within their room."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import delete, func, select, update

from phiomia.domain.accounts.models import account_pictures
from phiomia.domain.instance.files import defer_deletion
from phiomia.domain.media.models import media, remote_files
from phiomia.platform.clock import DAY, HOUR, MINUTE, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.ids import new_id
from phiomia.platform.settings import Media

_BATCH: Final = 100
_MB: Final = 1024 * 1024


class Copy(msgspec.Struct, frozen=True):
    """A copy, or the memory of why there is none."""

    id: int
    kind: int
    owner_id: int
    digest: str
    host: str
    key: str
    small_key: str
    bytes: int
    failure: str
    attempts: int
    retry_at: int | None
    fetched_at: int
    used_at: int


class Amount(msgspec.Struct, frozen=True):
    """How many files of a kind there are, and how large they are together."""

    kind: int
    files: int
    bytes: int


_COLUMNS = [remote_files.c[name] for name in Copy.__struct_fields__]
_FIND = Query(select(*_COLUMNS).where(remote_files.c.kind == P("of_kind"), remote_files.c.owner_id == P("owner")))
_KEEP = Query(
    lambda insert: (
        insert(remote_files)
        .values(
            id=P("id"),
            kind=P("kind"),
            owner_id=P("owner"),
            digest=P("digest", str),
            host=P("host", str),
            key=P("key", str),
            small_key=P("small", str),
            bytes=P("size"),
            failure=P("failure", str),
            attempts=P("attempts"),
            retry_at=P("retry"),
            fetched_at=P("now"),
            used_at=P("now"),
        )
        .on_conflict_do_update(
            index_elements=["kind", "owner_id"],
            set_={
                "digest": P("digest", str),
                "host": P("host", str),
                "key": P("key", str),
                "small_key": P("small", str),
                "bytes": P("size"),
                "failure": P("failure", str),
                "attempts": P("attempts"),
                "retry_at": P("retry"),
                "fetched_at": P("now"),
                "used_at": P("now"),
            },
        )
    )
)
_TOUCH = Query(update(remote_files).where(remote_files.c.id == P("of_id")).values(used_at=P("now")))
_USED = Query(select(func.coalesce(func.sum(remote_files.c.bytes), 0)))
_OURS = Query(
    select(func.count(), func.coalesce(func.sum(media.c.bytes + media.c.preview_bytes), 0)).where(
        media.c.remote_url.is_(None)
    )
)
_PICTURES = Query(select(func.count(), func.coalesce(func.sum(account_pictures.c.bytes), 0)))
_OLDEST = Query(select(*_COLUMNS).order_by(remote_files.c.used_at).limit(P("limit")))
_UNUSED = Query(select(*_COLUMNS).where(remote_files.c.used_at < P("before")).limit(P("limit")))
_OF_HOSTS = Query(select(*_COLUMNS).where(any_of(remote_files.c.host, listed("hosts", str))).limit(P("limit")))
_HOSTS = Query(select(remote_files.c.host).distinct().order_by(remote_files.c.host))
_AFTER = Query(select(*_COLUMNS).where(remote_files.c.id > P("after")).order_by(remote_files.c.id).limit(P("limit")))
_DELETE = Query(delete(remote_files).where(any_of(remote_files.c.id, listed("ids"))))
_AMOUNTS = Query(
    select(remote_files.c.kind, func.count(), func.coalesce(func.sum(remote_files.c.bytes), 0))
    .where(remote_files.c.key != "")
    .group_by(remote_files.c.kind)
    .order_by(remote_files.c.kind)
)
# Two that make room at once would each count the other's as free.
_IN_TURN = Query.raw(sqlite="SELECT 1", postgresql="SELECT pg_advisory_xact_lock(7417002)")


async def find_copy(session: ReadSession, kind: int, owner_id: int) -> Copy | None:
    """The copy of something's file, or what is known of attempts to get it."""
    return await session.view(Copy, _FIND, of_kind=kind, owner=owner_id)


async def touch_copy(session: WriteSession, copy: Copy) -> None:
    """Notes that somebody looked at it: what was looked at last goes last."""
    await session.execute(_TOUCH, of_id=copy.id, now=now_ms())


def is_touched(copy: Copy) -> bool:
    """Whether its use was noted lately."""
    return copy.used_at > now_ms() - HOUR


async def measure_room(session: ReadSession, settings: Media) -> int:
    """How many bytes all copies together may have: what members posted comes first."""
    room = settings.cache_mb * _MB
    if settings.total_mb:
        ours = (await count_ours(session))[1] + (await count_pictures(session))[1]
        room = min(room, max(0, settings.total_mb * _MB - ours))
    return room


async def reserve_copy(session: WriteSession, copy: Copy, room: int) -> bool:
    """Notes a copy that is about to be stored, when others have made way for it; False if it does not fit at all."""
    await session.all(_IN_TURN)
    before = await find_copy(session, copy.kind, copy.owner_id)
    if copy.bytes > room:
        return False
    if before is not None:
        await _drop(session, [before])
    await make_room(session, room - copy.bytes)
    await _keep(session, copy)
    return True


async def make_room(session: WriteSession, room: int, most: int = 10_000) -> int:
    """Removes copies, those first that nobody has looked at for longest, until the others fit; gives their number."""
    used, removed = int(await session.value(_USED) or 0), 0
    while used > room and removed < most:
        oldest = await session.views(Copy, _OLDEST, limit=_BATCH)
        going: list[Copy] = []
        for one in oldest:
            if used <= room:
                break
            going.append(one)
            used -= one.bytes
        if not going:
            break
        await _drop(session, going)
        removed += len(going)
    return removed


async def note_failure(session: WriteSession, copy: Copy) -> None:
    """Notes why there is no copy, and that it is asked for again only later and later."""
    before = await find_copy(session, copy.kind, copy.owner_id)
    attempts = before.attempts + 1 if before is not None and before.digest == copy.digest else 1
    if before is not None:
        await _drop(session, [before])
    wait = min(DAY, MINUTE << min(attempts - 1, 12))
    await _keep(session, msgspec.structs.replace(copy, attempts=attempts, retry_at=now_ms() + wait))


async def drop_unused(session: WriteSession, before_ms: int) -> list[Copy]:
    """Removes some of the copies that nobody has looked at since a moment; gives them."""
    found = await session.views(Copy, _UNUSED, before=before_ms, limit=_BATCH)
    await _drop(session, found)
    return found


async def drop_of_hosts(session: WriteSession, hosts: Sequence[str]) -> list[Copy]:
    """Removes some of the copies of what certain servers have; gives them."""
    found = await session.views(Copy, _OF_HOSTS, hosts=list(hosts), limit=_BATCH)
    await _drop(session, found)
    return found


async def drop_copies(session: WriteSession, copies: Sequence[Copy]) -> None:
    """Removes these copies."""
    await _drop(session, copies)


async def list_hosts(session: ReadSession) -> list[str]:
    """The servers of which there are copies."""
    return await session.column(_HOSTS)


async def list_copies(session: ReadSession, after: int = 0) -> list[Copy]:
    """A page of all copies."""
    return await session.views(Copy, _AFTER, after=after, limit=_BATCH)


async def count_copies(session: ReadSession) -> list[Amount]:
    """How much room the copies of each kind take."""
    return await session.views(Amount, _AMOUNTS)


async def count_ours(session: ReadSession) -> tuple[int, int]:
    """How many attachments members have, and their bytes with those of their previews."""
    row = await session.one(_OURS)
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


async def count_pictures(session: ReadSession) -> tuple[int, int]:
    """How many avatars and headers members have, and their bytes."""
    row = await session.one(_PICTURES)
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


async def _keep(session: WriteSession, copy: Copy) -> None:
    await session.execute(
        _KEEP,
        id=copy.id or new_id(),
        kind=copy.kind,
        owner=copy.owner_id,
        digest=copy.digest,
        host=copy.host,
        key=copy.key,
        small=copy.small_key,
        size=copy.bytes,
        failure=copy.failure,
        attempts=copy.attempts,
        retry=copy.retry_at,
        now=now_ms(),
    )


async def _drop(session: WriteSession, copies: Sequence[Copy]) -> None:
    if copies:
        await session.execute(_DELETE, ids=[one.id for one in copies])
        await defer_deletion(session, *(key for one in copies for key in (one.key, one.small_key)))
