"""Who follows whom, as other servers may ask."""

from typing import NamedTuple

from sqlalchemy import Select, Table, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.relationships.models import follows
from phiomia.platform.db import P, ReadSession
from phiomia.platform.paging import Page, Paged


class Person(NamedTuple):
    """Somebody in a list; local ones have no uri."""

    cursor: int
    username: str
    uri: str


_ACCOUNT = P("account")


def _list(table: Table, shown: str, whose: str) -> Select[tuple[int, str, str]]:
    return (
        select(table.c.id, accounts.c.username, accounts.c.uri)
        .select_from(table.join(accounts, accounts.c.id == table.c[shown]))
        .where(table.c[whose] == _ACCOUNT, accounts.c.state < AccountState.SUSPENDED)
    )


_FOLLOWER_PAGES = Paged(_list(follows, "account_id", "target_id"), follows.c.id)
_FOLLOWING_PAGES = Paged(_list(follows, "target_id", "account_id"), follows.c.id)


async def list_follower_references(session: ReadSession, account_id: int, page: Page) -> list[Person]:
    """A page of who follows an account, the newest first."""
    return await _FOLLOWER_PAGES.views(session, Person, page, account=account_id)


async def list_following_references(session: ReadSession, account_id: int, page: Page) -> list[Person]:
    """A page of whom an account follows, the newest first."""
    return await _FOLLOWING_PAGES.views(session, Person, page, account=account_id)
