"""Authorization codes: what a browser carries from the consent page to the app, good for one token."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import delete, select, update

from phiomia.domain.oauth.bearers import hash_secret
from phiomia.domain.oauth.models import authorization_codes
from phiomia.domain.oauth.tokens import IssuedToken, issue_token, revoke_tokens
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.db import P, Query, WriteSession, insert_into
from phiomia.platform.db.query import column_parameter
from phiomia.platform.limits import AUTHORIZATION_CODE_SECONDS
from phiomia.platform.random_text import make_random_text

# A used code is remembered for as long as somebody may try it a second time.
KEEP_MS = DAY


class CodeDraft(NamedTuple):
    """What a person has agreed to."""

    app_id: int
    user_id: int
    redirect_uri: str
    scopes: str
    code_challenge: str = ""


class _Code(NamedTuple):
    app_id: int
    user_id: int
    redirect_uri: str
    scopes: str
    code_challenge: str
    created_at: int
    used_at: int | None
    token_id: int | None


_hash = column_parameter(authorization_codes, "code_hash")
_INSERT = insert_into(
    authorization_codes, "code_hash", "app_id", "user_id", "redirect_uri", "scopes", "code_challenge", "created_at"
)
_FIND = Query(
    select(*(authorization_codes.c[name] for name in _Code._fields)).where(authorization_codes.c.code_hash == _hash)
)
_USE = Query(
    update(authorization_codes)
    .values(used_at=P("now"))
    .where(authorization_codes.c.code_hash == _hash, authorization_codes.c.used_at.is_(None))
)
_NOTE_TOKEN = Query(
    update(authorization_codes).values(token_id=P("token")).where(authorization_codes.c.code_hash == _hash)
)
_TRIM = Query(delete(authorization_codes).where(authorization_codes.c.created_at < P("before")))


async def issue_code(session: WriteSession, draft: CodeDraft) -> str:
    """A new code; only its digest is stored."""
    code = make_random_text()
    await session.execute(_INSERT, code_hash=hash_secret(code), **draft._asdict(), created_at=now_ms())
    return code


async def redeem_code(
    session: WriteSession, code: str, *, app_id: int, redirect_uri: str, verifier: str | None
) -> IssuedToken | None:
    """The token that a code is good for; None when it is good for none.

    A code that comes twice has been stolen, before or after: the token that came of it is revoked. That has to
    be committed, so a refusal is no exception here.
    """
    digest = hash_secret(code)
    found = await session.views(_Code, _FIND, code_hash=digest)
    if not found or not _fits(found[0], app_id, redirect_uri, verifier):
        return None
    known = found[0]
    if not await session.execute(_USE, code_hash=digest, now=now_ms()):
        await _revoke_fruit(session, digest)
        return None
    issued = await issue_token(session, app_id=known.app_id, user_id=known.user_id, scopes=known.scopes)
    await session.execute(_NOTE_TOKEN, code_hash=digest, token=issued.id)
    return issued


async def trim_codes(session: WriteSession) -> int:
    """Forgets codes of yesterday; gives their number."""
    return await session.execute(_TRIM, before=now_ms() - KEEP_MS)


async def _revoke_fruit(session: WriteSession, digest: bytes) -> None:
    # Read again: two redemptions at the same moment see each other's token only now.
    again = await session.views(_Code, _FIND, code_hash=digest)
    if again and again[0].token_id is not None:
        await revoke_tokens(session, [again[0].token_id])


def _fits(code: _Code, app_id: int, redirect_uri: str, verifier: str | None) -> bool:
    if code.app_id != app_id or code.redirect_uri != redirect_uri:
        return False
    if code.used_at is None and code.created_at < now_ms() - AUTHORIZATION_CODE_SECONDS * 1000:
        return False
    if not code.code_challenge:
        # RFC 9700: a verifier without a challenge is somebody else's code slipped into this exchange.
        return not verifier
    return hmac.compare_digest(code.code_challenge, challenge_of(verifier or ""))


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    digest = sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
