"""Lists of accounts that a member keeps: made, changed, filled."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec
from sqlalchemy import delete, func, select, update

from phiomia.domain.errors import Invalid, NotFound
from phiomia.domain.relationships.models import follows, list_accounts, lists
from phiomia.domain.relationships.views import Entry
from phiomia.platform import limits
from phiomia.platform.db import P, Query, ReadSession, WriteSession, any_of, insert_into, listed
from phiomia.platform.ids import new_id
from phiomia.platform.paging import Page, Paged


class RepliesPolicy(IntEnum):
    """Whose replies a list shows: to anybody followed, to members of the list, none. The numbers are stored."""

    LIST = 0
    FOLLOWED = 1
    NONE = 2


class ListView(msgspec.Struct, frozen=True):
    """A list as its owner sees it. The order is that of the columns below."""

    id: int
    title: str
    replies_policy: int
    exclusive: bool


_COLUMNS = [lists.c[name] for name in ListView.__struct_fields__]
_OF = Query(select(*_COLUMNS).where(lists.c.account_id == P("account")).order_by(lists.c.id))
_ONE = Query(select(*_COLUMNS).where(lists.c.account_id == P("account"), lists.c.id == P("id")))
_WITH = Query(
    select(*_COLUMNS)
    .select_from(lists.join(list_accounts, list_accounts.c.list_id == lists.c.id))
    .where(lists.c.account_id == P("account"), list_accounts.c.account_id == P("member"))
    .order_by(lists.c.id)
)
_COUNT = Query(select(func.count()).select_from(lists).where(lists.c.account_id == P("account")))
_INSERT = insert_into(lists, "id", "account_id", "title", "replies_policy", "exclusive")
_UPDATE = Query(
    update(lists)
    .where(lists.c.id == P("of_id"))
    .values(title=P("new_title", str), replies_policy=P("new_policy"), exclusive=P("new_exclusive", bool))
)
_DELETE = Query(delete(lists).where(lists.c.account_id == P("account"), lists.c.id == P("id")))
_FOLLOWED = Query(
    select(follows.c.target_id).where(follows.c.account_id == P("account"), any_of(follows.c.target_id, listed("ids")))
)
_AMONG = Query(
    select(list_accounts.c.account_id).where(
        list_accounts.c.list_id == P("list_id"), any_of(list_accounts.c.account_id, listed("ids"))
    )
)
_ADD = Query(
    lambda insert: (
        insert(list_accounts).values(list_id=P("list_id"), account_id=P("account_id")).on_conflict_do_nothing()
    )
)
_REMOVE = Query(
    delete(list_accounts).where(list_accounts.c.list_id == P("id"), any_of(list_accounts.c.account_id, listed("ids")))
)
_MEMBERS = Paged(
    select(list_accounts.c.account_id.label("id"), list_accounts.c.account_id).where(
        list_accounts.c.list_id == P("list_id")
    ),
    list_accounts.c.account_id,
)


async def load_lists(session: ReadSession, account_id: int) -> list[ListView]:
    """The account's lists."""
    return await session.views(ListView, _OF, account=account_id)


async def load_list(session: ReadSession, account_id: int, list_id: int) -> ListView:
    """One of the account's lists. Raises NotFound."""
    found = await session.views(ListView, _ONE, account=account_id, id=list_id)
    if not found:
        raise NotFound
    return found[0]


async def load_lists_with(session: ReadSession, account_id: int, member_id: int) -> list[ListView]:
    """The account's lists that hold somebody."""
    return await session.views(ListView, _WITH, account=account_id, member=member_id)


async def list_members(session: ReadSession, list_id: int, page: Page) -> list[Entry]:
    """Who is in a list."""
    return await _MEMBERS.views(session, Entry, page, list_id=list_id)


async def create_list(
    session: WriteSession, account_id: int, title: str, policy: RepliesPolicy, exclusive: bool
) -> int:
    """A new list; gives its id. Raises Invalid."""
    _check_title(title)
    if (await session.value(_COUNT, account=account_id) or 0) >= limits.LISTS:
        raise Invalid(f"Validation failed: You have reached the maximum number of lists ({limits.LISTS})")
    list_id = new_id()
    await session.execute(
        _INSERT, id=list_id, account_id=account_id, title=title, replies_policy=int(policy), exclusive=exclusive
    )
    return list_id


async def update_list(
    session: WriteSession,
    account_id: int,
    list_id: int,
    title: str | None = None,
    policy: RepliesPolicy | None = None,
    exclusive: bool | None = None,
) -> None:
    """Changes what is given. Raises NotFound, Invalid."""
    view = await load_list(session, account_id, list_id)
    if title is not None:
        _check_title(title)
    await session.execute(
        _UPDATE,
        of_id=list_id,
        new_title=view.title if title is None else title,
        new_policy=view.replies_policy if policy is None else int(policy),
        new_exclusive=bool(view.exclusive) if exclusive is None else exclusive,
    )


async def delete_list(session: WriteSession, account_id: int, list_id: int) -> None:
    """Removes a list. Raises NotFound."""
    if not await session.execute(_DELETE, account=account_id, id=list_id):
        raise NotFound


async def add_to_list(session: WriteSession, account_id: int, list_id: int, members: Sequence[int]) -> None:
    """Puts followed accounts (or oneself) into a list.

    Raises NotFound for a list or account that isn't there, Invalid when one is in the list already.
    """
    await load_list(session, account_id, list_id)
    known = {*await session.column(_FOLLOWED, account=account_id, ids=list(members)), account_id}
    if not known.issuperset(members):
        raise NotFound
    if await session.column(_AMONG, list_id=list_id, ids=list(members)):
        text = "has already been taken"
        raise Invalid(f"Validation failed: Account {text}", {"account_id": [("ERR_TAKEN", text)]})
    await session.execute_many(_ADD, [{"list_id": list_id, "account_id": member} for member in members])


async def remove_from_list(session: WriteSession, account_id: int, list_id: int, members: Sequence[int]) -> None:
    """Takes accounts out of a list. Raises NotFound."""
    await load_list(session, account_id, list_id)
    await session.execute(_REMOVE, id=list_id, ids=list(members))


def _check_title(title: str) -> None:
    if not title.strip():
        raise Invalid("Validation failed: Title can't be blank", {"title": [("ERR_BLANK", "can't be blank")]})
    if len(title) > limits.LIST_TITLE:
        raise Invalid("Validation failed: Title is too long", {"title": [("ERR_TOO_LONG", "is too long")]})
