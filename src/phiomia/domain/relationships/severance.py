"""Follows that ended because of a server or a suspension: counted while they end, told of once all have."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import literal, or_, select, update

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.events import TiesSevered
from phiomia.domain.relationships.models import severances
from phiomia.domain.users.models import users
from phiomia.platform.clock import now_ms
from phiomia.platform.db import P, Query, WriteSession, any_of, insert_into, listed
from phiomia.platform.events import record
from phiomia.platform.ids import new_id

_AT_ONCE: Final = 100


class SeveranceKind(IntEnum):
    """Why follows ended. The numbers are stored."""

    DOMAIN_BLOCK = 0
    USER_DOMAIN_BLOCK = 1
    ACCOUNT_SUSPENSION = 2

    @property
    def word(self) -> str:
        """As the entity spells it."""
        return self.name.lower()


class Severed(NamedTuple):
    """How many follows of one account ended."""

    followers: int = 0
    following: int = 0


class SeveranceView(NamedTuple):
    """What a member is told. The order is that of the columns in the statements."""

    id: int
    account_id: int
    kind: int
    target_name: str
    followers: int
    following: int
    created_at: int


_OPEN = severances.c.open, severances.c.kind == P("of_kind"), severances.c.target_name == P("name", str)
_COLUMNS = [severances.c[name] for name in SeveranceView._fields]
BY_ID: Final = select(*_COLUMNS).where(any_of(severances.c.id, listed("severance_ids")))
"""What was severed, for a statement of `Together`, of `severance_ids`; `read_severances` takes the rows."""
PEOPLE: Final = select(accounts.c.id, accounts.c.rev).where(
    accounts.c.id.in_(select(severances.c.account_id).where(any_of(severances.c.id, listed("severance_ids"))))
)
"""Who is told, with revisions."""
_MEMBERS = Query(select(users.c.account_id).where(any_of(users.c.account_id, listed("ids"))))
_COUNTED = Query(select(severances.c.account_id).where(*_OPEN, any_of(severances.c.account_id, listed("ids"))))
_ADD = Query(
    update(severances)
    .where(*_OPEN, severances.c.account_id == P("of_account"))
    .values(
        followers=severances.c.followers + P("more_followers"), following=severances.c.following + P("more_following")
    )
)
_INSERT = insert_into(
    severances, "id", "account_id", "kind", "target_name", "followers", "following", "created_at", "open"
)
_READY = Query(
    select(severances.c.id, severances.c.account_id)
    .where(*_OPEN, or_(P("anybody", bool), severances.c.account_id == P("member")))
    .limit(literal(_AT_ONCE))
)
_CLOSE = Query(update(severances).values(open=False).where(any_of(severances.c.id, listed("ids"))))


async def count_severed(session: WriteSession, kind: SeveranceKind, name: str, found: Mapping[int, Severed]) -> None:
    """Adds to what members will be told of `name`, a server or an account; who lives elsewhere is passed over."""
    if not found:
        return
    about = {"of_kind": int(kind), "name": name}
    members = await session.column(_MEMBERS, ids=list(found))
    counted = set(await session.column(_COUNTED, ids=members, **about))
    for account_id in members:
        ended = found[account_id]
        if account_id in counted:
            await session.execute(
                _ADD,
                of_account=account_id,
                more_followers=ended.followers,
                more_following=ended.following,
                **about,
            )
    await session.execute_many(
        _INSERT,
        [
            {
                "id": new_id(),
                "account_id": account_id,
                "kind": int(kind),
                "target_name": name,
                "followers": found[account_id].followers,
                "following": found[account_id].following,
                "created_at": now_ms(),
                "open": True,
            }
            for account_id in members
            if account_id not in counted
        ],
    )


async def tell_severed(session: WriteSession, kind: SeveranceKind, name: str, member_id: int | None = None) -> bool:
    """Tells some of the members whose follows have ended, or one of them; True while there may be more."""
    asked = {"anybody": member_id is None, "member": member_id or 0}
    ready = await session.all(_READY, of_kind=int(kind), name=name, **asked)
    await session.execute(_CLOSE, ids=[severance_id for severance_id, _ in ready])
    for severance_id, account_id in ready:
        await record(session, TiesSevered(account_id, severance_id))
    return len(ready) == _AT_ONCE


def read_severances(rows: Sequence[Sequence[Any]]) -> dict[int, SeveranceView]:
    """What was severed by id, of rows of `BY_ID`."""
    return {row[0]: SeveranceView(*row) for row in rows}
