"""Avatars and headers: decoded in the jail, stored, put in their place, removed."""

import tempfile
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sqlalchemy import delete, select, update

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.accounts.models import account_pictures, accounts
from phiomia.domain.errors import Invalid
from phiomia.domain.instance.files import defer_deletion
from phiomia.platform.db import P, Query, WriteSession, put_into
from phiomia.platform.events import record
from phiomia.platform.jail.process import process_image
from phiomia.platform.jail.result import AVATAR_LIMITS, HEADER_LIMITS, JailError, Picture, Reason
from phiomia.platform.storage import Storage, media_key

Place = Literal["avatar", "header"]

_LIMITS: Final = {"avatar": AVATAR_LIMITS, "header": HEADER_LIMITS}
_FAILURES: Final[dict[Reason, str]] = {
    "unsupported_type": "content type is invalid",
    "too_many_pixels": "has too many pixels",
    "too_many_layers": "has too many layers",
    "too_long": "lasts too long",
    "too_fast": "moves too fast",
    "as_it_is": "can't be processed",
    "too_large": "file size must be less than 8 MB",
    "corrupt": "is damaged",
    "timeout": "takes too long to process",
    "crashed": "can't be processed",
}


class StoredPicture(NamedTuple):
    """Keys of a stored avatar or header, and how large it is; `still` differs from `key` when the picture moves."""

    key: str
    still: str
    bytes: int = 0


def _places(place: Place) -> tuple[Query, Query]:
    key, still = accounts.c[place], accounts.c[f"{place}_static"]
    keys = Query(select(key, still).where(accounts.c.id == P("of_id")).with_for_update())
    put = Query(
        update(accounts).where(accounts.c.id == P("of_id")).values({key: P("new_key", str), still: P("new_still", str)})
    )
    return keys, put


_OF: Final[dict[Place, tuple[Query, Query]]] = {"avatar": _places("avatar"), "header": _places("header")}
_UNDESCRIBE: Final[dict[Place, Query]] = {
    "avatar": Query(update(accounts).where(accounts.c.id == P("of_id")).values(avatar_description="")),
    "header": Query(update(accounts).where(accounts.c.id == P("of_id")).values(header_description="")),
}


_COUNT = put_into(account_pictures, ["account_id", "place"], ["key", "bytes"])
_FORGET = Query(
    delete(account_pictures).where(
        account_pictures.c.account_id == P("of_account"), account_pictures.c.place == P("place", str)
    )
)


async def store_picture(
    storage: Storage, temporary: Path, place: Place, account_id: int, source: Path
) -> StoredPicture:
    """Decodes a picture and stores it, for `put_picture`. Raises Invalid."""
    with tempfile.TemporaryDirectory(dir=temporary, prefix="decoding-") as out_dir:
        try:
            result = await process_image(source, kind=place, out_dir=Path(out_dir), limits=_LIMITS[place])
        except JailError as error:
            text = _FAILURES[error.reason]
            raise Invalid(f"Validation failed: {place.capitalize()} {text}", {place: [("ERR_INVALID", text)]}) from None
        key = await _put(storage, place, account_id, "original", result.original)
        still = await _put(storage, place, account_id, "static", result.static) if result.static else key
        sizes = [made.path.stat().st_size for made in (result.original, result.static) if made]
    return StoredPicture(key, still, sum(sizes))


async def discard_picture(storage: Storage, picture: StoredPicture) -> None:
    """Removes a stored picture that nobody will see after all."""
    for key in {picture.key, picture.still}:
        await storage.delete(key)


async def put_picture(session: WriteSession, account_id: int, place: Place, picture: StoredPicture) -> None:
    """Makes a stored picture the account's; the one before is removed."""
    keys, put = _OF[place]
    before = await session.one(keys, of_id=account_id)
    await session.execute(put, of_id=account_id, new_key=picture.key, new_still=picture.still)
    if before is not None:
        await defer_deletion(session, *{before[0], before[1]})
    await count_picture(session, account_id, place, picture)


async def count_picture(session: WriteSession, account_id: int, place: Place, picture: StoredPicture) -> None:
    """Notes how much room an account's picture takes."""
    if picture.key:
        await session.execute(_COUNT, account_id=account_id, place=place, key=picture.key, bytes=picture.bytes)
    else:
        await session.execute(_FORGET, of_account=account_id, place=place)


async def remove_picture(session: WriteSession, account_id: int, place: Place) -> None:
    """Leaves the account with the server's own picture."""
    await put_picture(session, account_id, place, StoredPicture("", ""))
    await session.execute(_UNDESCRIBE[place], of_id=account_id)
    await record(session, AccountUpdated(account_id))


async def _put(storage: Storage, place: Place, account_id: int, variant: str, picture: Picture) -> str:
    key = media_key(place, account_id, variant, picture.extension)
    await storage.put(key, picture.path, picture.content_type)
    return key
