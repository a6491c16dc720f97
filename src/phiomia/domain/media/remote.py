"""Media that lie on other servers: a row with their addresses, and no file of ours."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select, update

from phiomia.domain.media.kinds import MediaKind, MediaState
from phiomia.domain.media.models import media
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.ids import new_id
from phiomia.platform.json import encode


class RemoteMedia(msgspec.Struct, frozen=True):
    """An attachment of a status that was written elsewhere."""

    url: str
    kind: MediaKind = MediaKind.UNKNOWN
    preview_url: str = ""
    content_type: str = ""
    description: str | None = None
    blurhash: str | None = None
    meta: dict[str, dict[str, float | str]] = {}  # as the entity shows it


_DESCRIBED = ("kind", "remote_preview_url", "content_type", "meta", "description", "blurhash")
_INSERT = insert_into(
    media, "id", "account_id", "status_id", "position", "state", "remote_url", "created_at", *_DESCRIBED
)
_PRESENT = Query(
    select(media.c.id, media.c.remote_url, *(media.c[name] for name in _DESCRIBED)).where(
        media.c.status_id == P("of_status")
    )
)
_CHANGE = Query(
    update(media)
    .where(media.c.id == P("of_id"))
    .values({name: column_parameter(media, name, f"new_{name}") for name in _DESCRIBED})
)


async def write_remote_media(
    session: WriteSession, account_id: int, status_id: int, drafts: Sequence[RemoteMedia]
) -> list[int]:
    """Writes attachments of a status, in their order; gives their ids."""
    now = now_ms()
    rows = [
        {
            "id": new_id(),
            "account_id": account_id,
            "status_id": status_id,
            "position": place,
            "state": int(MediaState.READY),
            "remote_url": draft.url,
            "created_at": now,
            **_description(draft),
        }
        for place, draft in enumerate(drafts)
    ]
    await session.execute_many(_INSERT, rows)
    return [row["id"] for row in rows]


async def renew_remote_media(
    session: WriteSession, account_id: int, status_id: int, drafts: Sequence[RemoteMedia]
) -> tuple[list[int], bool]:
    """The ids of a status's attachments from now on, and whether one of them is new or described otherwise.

    What is no longer among them stays attached until somebody detaches it.
    """
    present = {row[1]: (row[0], tuple(row[2:])) for row in await session.all(_PRESENT, of_status=status_id)}
    ids, changed = [], False
    for draft in drafts:
        id_, before = present.get(draft.url, (None, ()))
        described = _description(draft)
        if id_ is None:
            ids += await write_remote_media(session, account_id, status_id, [draft])
            changed = True
            continue
        ids.append(id_)
        if before != tuple(described.values()):
            await session.execute(_CHANGE, of_id=id_, **{f"new_{name}": value for name, value in described.items()})
            changed = True
    return ids, changed


def _description(draft: RemoteMedia) -> dict[str, Any]:
    return {
        "kind": int(draft.kind),
        "remote_preview_url": draft.preview_url,
        "content_type": draft.content_type,
        "meta": encode(draft.meta),
        "description": draft.description,
        "blurhash": draft.blurhash,
    }
