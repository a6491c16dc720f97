"""A status in another language: asked for once, kept for some days."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from sqlalchemy import delete, select

from phiomia.domain.statuses.models import translations
from phiomia.domain.statuses.translators import Translated
from phiomia.domain.statuses.views import StatusView
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, ReadSession, WriteSession, put_into
from phiomia.platform.html import escape, sanitise, to_plain_text

_KEPT = 7 * DAY


class Kept(msgspec.Struct, frozen=True):
    """A translation as it is stored."""

    texts: list[str]
    source: str


_FIND = Query(
    select(translations.c.body).where(
        translations.c.status_id == P("status"),
        translations.c.language == P("target", str),
        translations.c.digest == P("of_texts", str),
    )
)
_KEEP = put_into(translations, ["status_id", "language"], ["digest", "body", "created_at"])
_FORGET = Query(delete(translations).where(translations.c.created_at < P("before")))
_decode = msgspec.json.Decoder(Kept).decode


def list_texts(view: StatusView) -> list[str]:
    """What of a status is translated, as HTML: text, warning, answers of a poll, descriptions of media."""
    plain = [view.row.spoiler_text]
    plain += [option.title for option in view.poll.options] if view.poll else []
    plain += [one.description or "" for one in view.media]
    return [view.row.content, *map(escape, plain)]


def clean_texts(texts: Sequence[str]) -> list[str]:
    """The translated texts in the same order: the first sanitised, the others plain."""
    return [sanitise(text) if place == 0 else to_plain_text(text) for place, text in enumerate(texts)]


def digest_of(provider: str, texts: Sequence[str]) -> str:
    """What tells texts, and who translated them, apart."""
    return blake2b(msgspec.json.encode([provider, *texts]), digest_size=16).hexdigest()


async def find_translation(session: ReadSession, status_id: int, language: str, digest: str) -> Translated | None:
    """A translation that is kept."""
    body = await session.value(_FIND, status=status_id, target=language, of_texts=digest)
    if body is None:
        return None
    kept = _decode(body)
    return Translated(kept.texts, kept.source)


async def keep_translation(
    session: WriteSession, status_id: int, language: str, digest: str, found: Translated
) -> None:
    """Keeps a translation for some days."""
    now = now_ms()
    body = msgspec.json.encode(Kept(found.texts, found.source)).decode()
    await session.execute(_KEEP, status_id=status_id, language=language, digest=digest, body=body, created_at=now)
    await session.execute(_FORGET, before=now - _KEPT)
