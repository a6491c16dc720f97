"""Issuing and revoking access tokens.

Only digests are stored, so an app that asks again gets a token of its own beside the earlier ones; all of them
stand on the list of authorized applications as one app, and go with it.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import delete, select

from phiomia.domain.oauth.bearers import TOPIC, hash_secret
from phiomia.domain.oauth.events import TokensRevoked
from phiomia.domain.oauth.models import access_tokens
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, any_of, insert_into, listed
from phiomia.platform.events import append_stream, record
from phiomia.platform.ids import new_id
from phiomia.platform.random_text import make_random_text

_IN_ONE_MESSAGE = 1_000

_INSERT = insert_into(access_tokens, "id", "token_hash", "app_id", "user_id", "scopes", "created_at")
_DELETE = Query(delete(access_tokens).where(any_of(access_tokens.c.id, listed("ids"))))
_OF_USER = Query(select(access_tokens.c.id).where(access_tokens.c.user_id == P("user")))
_OF_APP = Query(
    select(access_tokens.c.id).where(access_tokens.c.user_id == P("user"), access_tokens.c.app_id == P("app"))
)


class IssuedToken(NamedTuple):
    """A token at the only moment at which it is known."""

    id: int
    access_token: str
    scopes: str
    created_at: int


async def issue_token(session: WriteSession, *, app_id: int | None, user_id: int | None, scopes: str) -> IssuedToken:
    """A new token; without a user it is the app's own."""
    issued = IssuedToken(new_id(), make_random_text(), scopes, now_ms())
    await session.execute(
        _INSERT,
        id=issued.id,
        token_hash=hash_secret(issued.access_token),
        app_id=app_id,
        user_id=user_id,
        scopes=scopes,
        created_at=issued.created_at,
    )
    return issued


async def revoke_tokens(session: WriteSession, token_ids: Sequence[int]) -> None:
    """Ends tokens: every process forgets them once this is committed, and their streams close."""
    if not token_ids:
        return
    ids = list(token_ids)
    await session.execute(_DELETE, ids=ids)
    await record(session, TokensRevoked(ids))
    await _forget(session, ids)


async def revoke_app_tokens(session: WriteSession, user_id: int, app_id: int) -> int:
    """Ends what an app holds of somebody; gives the number of tokens."""
    ids = await session.column(_OF_APP, user=user_id, app=app_id)
    await revoke_tokens(session, ids)
    return len(ids)


async def revoke_user_tokens(session: WriteSession, user_id: int) -> int:
    """Ends every token of somebody; gives their number."""
    ids = await session.column(_OF_USER, user=user_id)
    await revoke_tokens(session, ids)
    return len(ids)


async def forget_user_tokens(session: WriteSession, user_id: int) -> None:
    """Lets every process look anew at what the tokens of somebody open, and close their streams.

    For those whose login was frozen: the tokens stay.
    """
    ids = await session.column(_OF_USER, user=user_id)
    if ids:
        await _forget(session, ids)


async def look_again_at_user(session: WriteSession, user_id: int) -> None:
    """Lets every process look anew at what the tokens of somebody open; their streams go on."""
    if ids := await session.column(_OF_USER, user=user_id):
        _tell_processes(session, ids)


async def _forget(session: WriteSession, ids: Sequence[int]) -> None:
    _tell_processes(session, ids)
    await append_stream(session, "token", {"ids": list(ids)})


def _tell_processes(session: WriteSession, ids: Sequence[int]) -> None:
    bus = getattr(session.services, "bus", None)
    if bus is None:
        return
    for start in range(0, len(ids), _IN_ONE_MESSAGE):
        payload = ",".join(map(str, ids[start : start + _IN_ONE_MESSAGE])).encode()
        session.after_commit(partial(bus.publish, TOPIC, payload))
