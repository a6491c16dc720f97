"""Making, changing and removing collections."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, func, select, update

from phiomia.domain.collections.events import CollectionChanged, CollectionRemoved
from phiomia.domain.collections.fill import add_to_collection, check_room
from phiomia.domain.collections.models import collections
from phiomia.domain.collections.redescribe import load_description, record_redescribed
from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.tags.normalise import is_valid_tag
from phiomia.platform import limits
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


class CollectionDraft(msgspec.Struct, frozen=True):
    """What a collection shall be; what is None stays as it is. An empty `tag_name` or `language` takes it away."""

    name: str | None = None
    description: str | None = None
    language: str | None = None
    sensitive: bool | None = None
    discoverable: bool | None = None
    tag_name: str | None = None


_COLUMNS = ("name", "description", "language", "sensitive", "discoverable", "tag_name")
_MINE = collections.c.account_id == P("account")
_COUNT = Query(select(func.count()).select_from(collections).where(_MINE))
_INSERT = insert_into(collections, "id", "account_id", *_COLUMNS, "created_at", "updated_at")
_LOAD = Query(select(*[collections.c[name] for name in _COLUMNS]).where(_MINE, collections.c.id == P("id")))
_UPDATE = Query(
    update(collections)
    .where(collections.c.id == P("of_id"))
    .values({name: column_parameter(collections, name, f"new_{name}") for name in _COLUMNS} | {"updated_at": P("now")})
)
_DELETE = Query(delete(collections).where(_MINE, collections.c.id == P("id")))


async def create_collection(
    session: WriteSession, account_id: int, draft: CollectionDraft, account_ids: Sequence[int] = ()
) -> int:
    """A new collection with these accounts in it; gives its id. Raises Invalid, NotFound, NotAllowed (accounts)."""
    values = _check(draft)
    if not values["name"]:
        raise Invalid("Validation failed: Name can't be blank", {"name": [("ERR_BLANK", "can't be blank")]})
    if await session.value(_COUNT, account=account_id) >= limits.COLLECTIONS:
        raise Invalid("Validation failed: You have reached the maximum number of collections")
    check_room(0, len(set(account_ids)))
    now, collection_id = now_ms(), new_id()
    await session.execute(_INSERT, id=collection_id, account_id=account_id, created_at=now, updated_at=now, **values)
    # Others hear of the collection before they hear who is in it.
    await record(session, CollectionChanged(collection_id, account_id, made=True))
    for featured_id in dict.fromkeys(account_ids):
        await add_to_collection(session, account_id, collection_id, featured_id)
    return collection_id


async def update_collection(session: WriteSession, account_id: int, collection_id: int, draft: CollectionDraft) -> None:
    """Changes what is given. Raises NotFound, Invalid."""
    row = await session.one(_LOAD, account=account_id, id=collection_id)
    if row is None:
        raise NotFound
    before = dict(zip(_COLUMNS, row, strict=True))
    given = {name: value for name in _COLUMNS if (value := getattr(draft, name)) is not None}
    values = _check(msgspec.convert(before | given, CollectionDraft, strict=False))
    if not values["name"]:
        raise Invalid("Validation failed: Name can't be blank", {"name": [("ERR_BLANK", "can't be blank")]})
    new: dict[str, Any] = {f"new_{name}": value for name, value in values.items()}
    described = await load_description(session, collection_id)
    await session.execute(_UPDATE, of_id=collection_id, now=now_ms(), **new)
    await record(session, CollectionChanged(collection_id, account_id))
    await record_redescribed(session, account_id, collection_id, described)


async def delete_collection(session: WriteSession, account_id: int, collection_id: int) -> None:
    """Removes a collection. Raises NotFound."""
    if not await session.execute(_DELETE, account=account_id, id=collection_id):
        raise NotFound
    await record(session, CollectionRemoved(collection_id, account_id))


def _check(draft: CollectionDraft) -> dict[str, Any]:
    """The values to store. Raises Invalid."""
    name, description = (draft.name or "").strip(), (draft.description or "").strip()
    tag = (draft.tag_name or "").strip().removeprefix("#")
    for label, text, most in (
        ("name", name, limits.COLLECTION_NAME),
        ("description", description, limits.COLLECTION_DESCRIPTION),
    ):
        if len(text) > most:
            _refuse(label, f"is too long (maximum is {most} characters)", "ERR_TOO_LONG")
    if draft.language and not _LANGUAGE.fullmatch(draft.language):
        _refuse("language", "is invalid")
    if tag and not is_valid_tag(tag):
        _refuse("tag", "is invalid")
    return {
        "name": name,
        "description": description,
        "language": draft.language or None,
        "sensitive": bool(draft.sensitive),
        "discoverable": bool(draft.discoverable),
        "tag_name": tag,
    }


def _refuse(label: str, text: str, code: str = "ERR_INVALID") -> None:
    raise Invalid(f"Validation failed: {label.capitalize()} {text}", {label: [(code, text)]})
