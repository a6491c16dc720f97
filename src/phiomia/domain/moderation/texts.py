"""The server's own texts: privacy policy, terms of service in their versions, a longer description."""

import re
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import delete, func, select

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.instance.models import server_texts
from phiomia.domain.statuses.text import render, scan
from phiomia.domain.users.models import users
from phiomia.platform.clock import iso_day, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, put_into
from phiomia.platform.html import sanitise
from phiomia.platform.ids import new_id

NO_POLICY = "<p>Nobody has written a privacy policy for this server yet. Ask those who run it before you trust it.</p>"

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOST = 100_000


class TextKind(StrEnum):
    """The texts there are."""

    PRIVACY = "privacy"
    TERMS = "terms"
    DESCRIPTION = "description"


class TextView(NamedTuple):
    """A text; `effective_date` is empty unless it is a version of the terms."""

    effective_date: str
    content: str
    updated_at: int


class TermsView(NamedTuple):
    """A version of the terms of service, and when the next one takes its place."""

    text: TextView
    effective: bool
    succeeded_by: str | None


_VIEW = select(*[server_texts.c[name] for name in TextView._fields]).where(server_texts.c.kind == P("of_kind", str))
_VERSIONS = Query(_VIEW.order_by(server_texts.c.effective_date))
_PUT = put_into(server_texts, ["kind", "effective_date"], ["source", "content", "updated_at"], once=["id"])
_DELETE = Query(
    delete(server_texts).where(
        server_texts.c.kind == P("kind", str), server_texts.c.effective_date == P("effective_date", str)
    )
)
_BEGINNING = Query(select(func.min(users.c.created_at)))


async def load_text(session: ReadSession, kind: TextKind) -> TextView | None:
    """The text of a kind that has one version only."""
    found = await session.views(TextView, _VERSIONS, of_kind=kind.value)
    return found[-1] if found else None


async def has_text(session: ReadSession, kind: TextKind) -> bool:
    """Whether there is a text of a kind that holds today."""
    today = iso_day(now_ms())
    found = await session.views(TextView, _VERSIONS, of_kind=kind.value)
    return any(one.effective_date <= today for one in found)


async def find_beginning(session: ReadSession) -> int:
    """When the first member came: since then things are as they are while nobody has written anything else down."""
    return int(await session.value(_BEGINNING) or now_ms())


async def load_terms(session: ReadSession, date: str | None = None) -> TermsView:
    """The terms of service in force, or those of a date. Raises NotFound."""
    versions = await session.views(TextView, _VERSIONS, of_kind=TextKind.TERMS.value)
    today = iso_day(now_ms())
    in_force = [number for number, one in enumerate(versions) if one.effective_date <= today]
    wanted = [number for number, one in enumerate(versions) if one.effective_date == date]
    places = in_force if date is None else wanted
    if not places:
        raise NotFound
    place = places[-1]
    following = versions[place + 1].effective_date if place + 1 < len(versions) else None
    return TermsView(versions[place], versions[place].effective_date <= today, following)


async def list_versions(session: ReadSession, kind: TextKind) -> list[TextView]:
    """Every version of a text, the oldest first."""
    return await session.views(TextView, _VERSIONS, of_kind=kind.value)


async def write_text(
    session: WriteSession, kind: TextKind, source: str, *, is_html: bool = False, effective_date: str = ""
) -> None:
    """Stores a text in place of the one with the same date. Raises Invalid.

    Plain text gets paragraphs and links; of HTML what posts may have is kept.
    """
    if not source.strip() or len(source) > _MOST:
        raise Invalid(f"The text must have between 1 and {_MOST} characters")
    if (kind == TextKind.TERMS) != bool(_DATE.fullmatch(effective_date)):
        raise Invalid("Terms of service, and nothing else, need the date from which they hold, such as 2026-05-01")
    content = sanitise(source) if is_html else render(source, scan(source), {}, lambda name: f"/tags/{name}")
    await session.execute(
        _PUT,
        id=new_id(),
        kind=kind.value,
        effective_date=effective_date,
        source=source,
        content=content,
        updated_at=now_ms(),
    )


async def remove_text(session: WriteSession, kind: TextKind, effective_date: str = "") -> None:
    """Removes a text. Raises NotFound."""
    if not await session.execute(_DELETE, kind=kind.value, effective_date=effective_date):
        raise NotFound
