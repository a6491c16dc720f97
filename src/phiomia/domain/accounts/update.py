"""Changes a member's own profile. What is shown as HTML comes rendered: the rules of text stand higher."""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import func, select, update

from phiomia.domain.accounts.events import AccountUpdated
from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.pictures import Place, StoredPicture, put_picture
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.accounts.views import AccountField
from phiomia.domain.errors import Invalid, NotFound
from phiomia.platform import limits
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, listed
from phiomia.platform.db.query import column_parameter
from phiomia.platform.events import record
from phiomia.platform.json import encode

_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be different; None leaves a thing as it is."""

    display_name: str | None = None
    note_source: str | None = None
    note: str | None = None  # HTML of note_source
    fields: list[AccountField] | None = None
    emojis: list[str] | None = None  # shortcodes in name, note and fields
    avatar: StoredPicture | None = None
    header: StoredPicture | None = None
    avatar_description: str | None = None
    header_description: str | None = None
    attribution_domains: list[str] | None = None
    locked: bool | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    hide_collections: bool | None = None
    indexable: bool | None = None
    show_media: bool | None = None
    show_media_replies: bool | None = None
    show_featured: bool | None = None


_COLUMNS: Final = (
    "display_name", "note_source", "note", "fields", "emojis", "avatar_description", "header_description",
    "attribution_domains", "locked", "bot", "discoverable", "hide_collections", "indexable",
    "show_media", "show_media_replies", "show_featured",
)  # fmt: skip
_LISTS: Final = ("fields", "emojis", "attribution_domains")
_INDEXABLE = Query(select(accounts.c.indexable).where(accounts.c.id == P("of_id")).with_for_update())
_UPDATE = Query(
    update(accounts)
    .where(accounts.c.id == P("of_id"))
    .values(
        {name: func.coalesce(column_parameter(accounts, name, f"new_{name}"), accounts.c[name]) for name in _COLUMNS}
    )
)
_LOCAL = Query(
    select(accounts.c.username_key, accounts.c.username).where(
        any_of(accounts.c.username_key, listed("usernames", str)),
        accounts.c.domain == "",
        accounts.c.state < AccountState.SUSPENDED,
    )
)


async def update_profile(session: WriteSession, account_id: int, change: ProfileChange) -> None:
    """Writes the change. Raises NotFound; Invalid for what is too long or malformed."""
    check_profile(change)
    row = await session.one(_INDEXABLE, of_id=account_id)
    if row is None:
        raise NotFound
    await session.execute(_UPDATE, of_id=account_id, **{f"new_{name}": _column(change, name) for name in _COLUMNS})
    pictures: tuple[tuple[Place, StoredPicture | None], ...] = (("avatar", change.avatar), ("header", change.header))
    for place, picture in pictures:
        if picture is not None:
            await put_picture(session, account_id, place, picture)
    indexable_changed = change.indexable is not None and change.indexable != bool(row[0])
    await record(session, AccountUpdated(account_id, indexable_changed))


async def find_local_names(session: ReadSession, usernames: Iterable[str]) -> dict[str, str]:
    """The names of members, as they write them, by their lower case; those who don't exist are left out."""
    wanted = sorted({name.lower() for name in usernames})
    if not wanted:
        return {}
    return {row[0]: row[1] for row in await session.all(_LOCAL, usernames=wanted)}


def check_profile(change: ProfileChange) -> None:
    """Refuses what is too long or malformed. Raises Invalid. (The note is counted by the rules of posts: see there.)"""
    _check_length("display_name", "Display name", change.display_name, limits.DISPLAY_NAME)
    _check_length("avatar_description", "Avatar description", change.avatar_description, limits.IMAGE_DESCRIPTION)
    _check_length("header_description", "Header description", change.header_description, limits.IMAGE_DESCRIPTION)
    if change.fields is not None:
        _check_fields(change.fields)
    if change.attribution_domains is not None and len(change.attribution_domains) > limits.ATTRIBUTION_DOMAINS:
        _refuse("attribution_domains", f"Attribution domains are too many (maximum is {limits.ATTRIBUTION_DOMAINS})")


def clean_domains(given: Iterable[str]) -> list[str]:
    """Domains without scheme and wildcard, each once. Raises Invalid for what is none."""
    cleaned = []
    for text in given:
        domain = re.sub(r"\A(?:https?://)?(?:\*\.)?", "", text.strip().lower()).rstrip("/.")
        if not domain:
            continue
        try:
            domain = domain.encode("idna").decode("ascii") if not domain.isascii() else domain
        except UnicodeError:
            domain = ""
        if not _DOMAIN.fullmatch(domain):
            _refuse("attribution_domains", f"Attribution domains contain {text.strip()[:80]!r}, which is no domain")
        cleaned.append(domain)
    return list(dict.fromkeys(cleaned))


def _column(change: ProfileChange, name: str) -> Any:
    value = getattr(change, name)
    return encode(value) if name in _LISTS and value is not None else value


def _check_fields(fields: list[AccountField]) -> None:
    if len(fields) > limits.PROFILE_FIELDS:
        _refuse("fields", f"Fields are too many (maximum is {limits.PROFILE_FIELDS})")
    for field in fields:
        if not field.name:
            _refuse("fields", "Fields need a label for each value")
        if max(len(field.name), len(field.value)) > limits.PROFILE_FIELD:
            _refuse("fields", f"Fields are too long (maximum is {limits.PROFILE_FIELD} characters)")


def _check_length(name: str, label: str, text: str | None, most: int) -> None:
    if text is not None and len(text) > most:
        _refuse(name, f"{label} is too long (maximum is {most} characters)", "ERR_TOO_LONG")


def _refuse(name: str, text: str, code: str = "ERR_INVALID") -> None:
    raise Invalid(f"Validation failed: {text}", {name: [(code, text)]})
