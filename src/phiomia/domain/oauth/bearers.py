"""Who speaks with an access token; remembered, and forgotten at once when the token is revoked."""

import time
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.oauth.models import access_tokens
from phiomia.domain.oauth.scopes import opens
from phiomia.domain.oauth.uses import Uses
from phiomia.domain.users.models import users
from phiomia.domain.users.preferences import Reading
from phiomia.platform.db import Database, Query
from phiomia.platform.db.query import column_parameter
from phiomia.platform.db.session import Row

TOPIC = "tokens"
_KEEP_SECONDS = 5.0


class Bearer(msgspec.Struct, frozen=True):
    """The one who bears a token: an app, and a person unless it is the app's own token."""

    token_id: int
    app_id: int | None
    scopes: str
    created_at: int
    last_used_at: int | None
    user_id: int | None
    account_id: int | None
    confirmed: bool
    approved: bool
    disabled: bool
    suspended: bool
    moved: bool
    role: int
    languages: tuple[str, ...]  # of public timelines; none: all

    @property
    def held_up(self) -> bool:
        """Whether a person may not act yet, or no longer."""
        return self.account_id is not None and (
            not (self.confirmed and self.approved) or self.disabled or self.suspended
        )

    def may(self, *wanted: str) -> bool:
        """Whether any one of the wanted scopes is open; True when none is wanted."""
        return opens(self.scopes, wanted)


_BEARER = Query(
    select(
        access_tokens.c.id,
        access_tokens.c.app_id,
        access_tokens.c.scopes,
        access_tokens.c.created_at,
        access_tokens.c.last_used_at,
        users.c.id,
        accounts.c.id,
        users.c.confirmed_at.is_not(None),
        users.c.approved_at.is_not(None),
        users.c.disabled_at.is_not(None),
        accounts.c.state == 2,
        accounts.c.moved_to_id.is_not(None),
        users.c.role,
        users.c.settings,
    )
    .select_from(
        access_tokens.outerjoin(users, users.c.id == access_tokens.c.user_id).outerjoin(
            accounts, accounts.c.id == users.c.account_id
        )
    )
    .where(access_tokens.c.token_hash == column_parameter(access_tokens, "token_hash"))
)


_decode_settings = msgspec.json.Decoder(Reading).decode


def _as_flags(row: Row) -> list[Any]:
    # SQLite has no booleans: the columns between account and role are 0 or 1.
    languages = _decode_settings(row[13]).chosen_languages if row[13] else ()
    return [*row[:7], *map(bool, row[7:12]), row[12] or 0, languages]


def hash_secret(secret: str) -> bytes:
    """What is stored of a random secret."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Bearers:
    """The memory of one process: token → Bearer, for some seconds, until the bus says `tokens`."""

    def __init__(self, db: Database, bus: Any, most: int = 2_000) -> None:
        self._db = db
        self._most = most
        self._known: dict[str, tuple[float, Bearer]] = {}
        self._forgotten = 0
        self._uses = Uses(db)
        bus.subscribe(TOPIC, self.forget)
        bus.on_gap(self.forget)

    def recall(self, token: str) -> Bearer | None:
        """The bearer of a token, if that is remembered: without waiting."""
        known = self._known.get(token)
        return known[1] if known is not None and known[0] > time.monotonic() else None

    async def find(self, token: str) -> Bearer | None:
        """The bearer of a token, or None for one that does not exist (any more)."""
        known = self.recall(token)
        if known is not None:
            return known
        now = time.monotonic()
        forgotten = self._forgotten
        async with self._db.read() as session:
            row = await session.one(_BEARER, token_hash=hash_secret(token))
        if row is None:
            self._known.pop(token, None)
            return None
        bearer = Bearer(*_as_flags(row))
        self._uses.note(bearer.token_id, bearer.last_used_at)
        if len(self._known) >= self._most:
            self._known.clear()
        # Whoever is held up may act from the very moment that ends, so they are looked up each time. And the token
        # may have been revoked while we read.
        if not bearer.held_up and forgotten == self._forgotten:
            self._known[token] = (now + _KEEP_SECONDS, bearer)
        return bearer

    def forget(self, _payload: bytes = b"") -> None:
        """Looks every token up anew from now on."""
        self._forgotten += 1
        self._known.clear()
