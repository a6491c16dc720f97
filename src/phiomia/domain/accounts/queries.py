"""Reading accounts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, and_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.instance.models import custom_emojis
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.session import Row
from phiomia.platform.db.together import Together, strings_of
from phiomia.platform.json import decode_strings

_VIEW = select(*[accounts.c[name] for name in AccountView.__struct_fields__])

_BY_IDS = Query(_VIEW.where(any_of(accounts.c.id, listed("ids"))))
_BY_HANDLE = Query(_VIEW.where(accounts.c.username_key == P("username", str), accounts.c.domain == P("domain", str)))

REVISIONS: Final[Select[Any]] = select(accounts.c.id, accounts.c.rev).where(
    any_of(accounts.c.id, listed("account_ids"))
)
_REVISIONS = Query(REVISIONS)

_of_moved = accounts.alias("of_moved")
_moved = select(_of_moved.c.moved_to_id).where(any_of(_of_moved.c.id, listed("account_ids")))
_wanted_emoji = strings_of(accounts.c.emojis).table_valued("value").alias("wanted_emoji")
SHOWN_ACCOUNTS: Final[Mapping[str, Select[Any]]] = {
    "accounts": _VIEW.where(any_of(accounts.c.id, listed("account_ids"))),
    "account_emojis": select(accounts.c.id, *[custom_emojis.c[name] for name in EmojiView.__struct_fields__])
    .select_from(
        accounts.join(_wanted_emoji, accounts.c.emojis != "[]").join(
            custom_emojis,
            and_(custom_emojis.c.shortcode == _wanted_emoji.c.value, custom_emojis.c.domain == accounts.c.domain),
        )
    )
    .where(any_of(accounts.c.id, listed("account_ids")), custom_emojis.c.disabled.is_(False)),
    "moved": _VIEW.where(accounts.c.id.in_(_moved)),
}
"""What accounts are shown with, for a statement of `Together`; `account_ids` are asked for."""

_SHOWN = Together(SHOWN_ACCOUNTS)


class ShownAccount(NamedTuple):
    """An account with what is shown beside its own columns."""

    view: AccountView
    emojis: list[EmojiView]
    moved_to: AccountView | None


async def load_revisions(session: ReadSession, ids: Sequence[int]) -> Sequence[Row]:
    """(id, revision) of those accounts that exist."""
    return await session.all(_REVISIONS, account_ids=list(ids)) if ids else []


async def load_shown_accounts(session: ReadSession, ids: Sequence[int]) -> dict[int, ShownAccount]:
    """The accounts among `ids` that exist, with their emoji and where they have moved to; in one statement."""
    return read_shown_accounts(await _SHOWN.ask(session, account_ids=list(ids))) if ids else {}


def read_shown_accounts(found: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, ShownAccount]:
    """What the parts `SHOWN_ACCOUNTS` of a statement gave, by id."""
    emojis: dict[int, dict[str, EmojiView]] = {}
    for account_id, *columns in found["account_emojis"]:
        emojis.setdefault(account_id, {})[columns[0]] = EmojiView(*columns)
    moved = {row[0]: AccountView(*row) for row in found["moved"]}
    views = [AccountView(*row) for row in found["accounts"]]
    return {
        view.id: ShownAccount(view, _in_order(view.emojis, emojis.get(view.id)), moved.get(view.moved_to_id or 0))
        for view in views
    }


def _in_order(names: str, known: Mapping[str, EmojiView] | None) -> list[EmojiView]:
    return [known[name] for name in decode_strings(names) if name in known] if known else []


async def load_accounts(session: ReadSession, ids: Sequence[int]) -> dict[int, AccountView]:
    """The accounts among `ids` that exist, by id."""
    if not ids:
        return {}
    return {view.id: view for view in await session.views(AccountView, _BY_IDS, ids=list(ids))}


async def load_account(session: ReadSession, account_id: int) -> AccountView:
    """One account. Raises NotFound."""
    found = await load_accounts(session, [account_id])
    if account_id not in found:
        raise NotFound
    return found[account_id]


async def find_by_handle(session: ReadSession, username: str, domain: str = "") -> AccountView | None:
    """The account of a handle; an empty domain is this server."""
    found = await session.views(AccountView, _BY_HANDLE, username=username.lower(), domain=domain.lower())
    return found[0] if found else None
