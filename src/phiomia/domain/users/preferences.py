"""What somebody has chosen for posting and reading."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import func, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.users.models import users
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.db.query import column_parameter
from phiomia.platform.db.session import Row
from phiomia.platform.languages import clean_language


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How posts are shown; kept as JSON."""

    expand_media: str = "default"  # default, show_all, hide_all
    expand_spoilers: bool = False
    autoplay_gifs: bool = False
    chosen_languages: tuple[str, ...] = ()  # of public timelines; none: all


class Preferences(msgspec.Struct, frozen=True):
    """Everything the entity Preferences shows, and the role."""

    rev: int
    role: int
    visibility: int
    sensitive: bool
    language: str | None
    quote_policy: str
    reading: Reading
    locale: str = "en"

    @property
    def posting_language(self) -> str:
        """What a post is in whose author does not say: the chosen language, else that of what they read here."""
        return self.language or clean_language(self.locale) or "en"


class PostingDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """What new posts begin with; None leaves a thing as it is, an empty language means none."""

    visibility: int | None = None
    sensitive: bool | None = None
    language: str | None = None
    quote_policy: str | None = None


_preferences = select(
    users.c.rev,
    users.c.role,
    users.c.default_visibility,
    users.c.default_sensitive,
    users.c.default_language,
    users.c.default_quote_policy,
    users.c.settings,
    users.c.locale,
).where(users.c.account_id == P("account"))
_PREFERENCES = Query(_preferences)
_CHOICES = Query(_preferences.add_columns(accounts.c.state).join(accounts, accounts.c.id == users.c.account_id))
_UPDATE = Query(
    update(users)
    .where(users.c.account_id == P("account"))
    .values(
        default_visibility=func.coalesce(
            column_parameter(users, "default_visibility", "visibility"), users.c.default_visibility
        ),
        default_sensitive=func.coalesce(
            column_parameter(users, "default_sensitive", "sensitive"), users.c.default_sensitive
        ),
        default_language=func.nullif(func.coalesce(P("language", str), users.c.default_language), ""),
        default_quote_policy=func.coalesce(P("quote_policy", str), users.c.default_quote_policy),
    )
)
_SETTINGS = Query(select(users.c.settings).where(users.c.account_id == P("account")))
_STORE = Query(update(users).where(users.c.account_id == P("account")).values(settings=P("chosen", str)))
_decode_reading = msgspec.json.Decoder(Reading).decode


async def load_preferences(session: ReadSession, account_id: int) -> Preferences:
    """What the person behind an account has chosen."""
    return _read((await session.all(_PREFERENCES, account=account_id))[0])


async def load_choices(session: ReadSession, account_id: int) -> tuple[Preferences, int]:
    """The same with the account's state: what posting asks."""
    *chosen, state = (await session.all(_CHOICES, account=account_id))[0]
    return _read(chosen), state


def _read(row: Row) -> Preferences:
    rev, role, visibility, sensitive, language, quote_policy, settings, locale = row
    reading = _decode_reading(settings)
    return Preferences(rev, role, visibility, bool(sensitive), language, quote_policy, reading, locale)


async def change_posting_defaults(session: WriteSession, account_id: int, chosen: PostingDefaults) -> None:
    """Writes what new posts begin with."""
    await session.execute(_UPDATE, account=account_id, **msgspec.structs.asdict(chosen))


async def choose_languages(session: WriteSession, account_id: int, languages: Sequence[str]) -> None:
    """Shows public timelines in these languages only; none: in all."""
    reading = _decode_reading(await session.value(_SETTINGS, account=account_id) or "{}")
    chosen = msgspec.structs.replace(reading, chosen_languages=tuple(languages))
    await session.execute(_STORE, account=account_id, chosen=msgspec.json.encode(chosen).decode())
