"""Reading accounts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, Text, and_, cast, literal, select, union_all

from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.errors import NotFound
from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.instance.models import custom_emojis
from phiomia.platform.db import P, Query, ReadSession, any_of, listed
from phiomia.platform.db.session import Row
from phiomia.platform.db.together import Together, numbers_of, strings_of
from phiomia.platform.json import decode_strings, encode

_VIEW = select(*[accounts.c[name] for name in AccountView.__struct_fields__])

_BY_IDS = Query(_VIEW.where(any_of(accounts.c.id, listed("ids"))))
_BY_HANDLE = Query(_VIEW.where(accounts.c.username_key == P("username", str), accounts.c.domain == P("domain", str)))

REVISIONS: Final[Select[Any]] = select(accounts.c.id, accounts.c.rev).where(
    any_of(accounts.c.id, listed("account_ids"))
)
_REVISIONS = Query(REVISIONS)

_wanted = accounts.alias("wanted")
# Short, since it stands before each of many columns.
_short = accounts.alias("a")
_wanted_emoji = strings_of(accounts.c.emojis).table_valued("value").alias("wanted_emoji")


def select_shown(are_wanted: Callable[[ColumnElement[int]], ColumnElement[bool]]) -> Mapping[str, Select[Any]]:
    """What accounts whose ids meet a condition are shown with: the parts of a statement of `Together`."""
    wanted = select(_wanted.c.id).where(are_wanted(_wanted.c.id))
    moved = select(_wanted.c.moved_to_id).where(are_wanted(_wanted.c.id))
    return {
        "account_ids": wanted,
        "accounts": select(*[_short.c[name] for name in AccountView.__struct_fields__]).where(
            _short.c.id.in_(union_all(wanted, moved))
        ),
        "account_emojis": select(accounts.c.id, *[custom_emojis.c[name] for name in EmojiView.__struct_fields__])
        .select_from(
            accounts.join(_wanted_emoji, accounts.c.emojis != "[]").join(
                custom_emojis,
                and_(custom_emojis.c.shortcode == _wanted_emoji.c.value, custom_emojis.c.domain == accounts.c.domain),
            )
        )
        .where(are_wanted(accounts.c.id), custom_emojis.c.disabled.is_(False)),
    }


def is_kept(table: FromClause, kept: str) -> ColumnElement[bool]:
    """A row is among those that the parameter names by `revision_of`: the caller has it as it stands."""
    version = cast(table.c.id, Text).concat(literal(":", Text)).concat(cast(table.c.rev, Text))
    return any_of(version, listed(kept, str))


def revision_of(id_: int, rev: int) -> str:
    """How a row is named for `is_kept`."""
    return f"{id_}:{rev}"


_SHOWN = Together(select_shown(lambda id_: any_of(id_, listed("account_ids"))))
_kept = numbers_of(P("kept", str)).table_valued("key", "value").alias("kept")
_gone = (
    select(cast(_kept.c.key, BigInteger).label("id"))
    .where(
        ~select(accounts.c.id)
        .where(accounts.c.id == cast(_kept.c.key, BigInteger), accounts.c.rev == cast(_kept.c.value, BigInteger))
        .exists()
    )
    .cte("gone")
    .prefix_with("MATERIALIZED")
)
_lacking = (
    union_all(select(accounts.c.id).where(any_of(accounts.c.id, listed("account_ids"))), select(_gone.c.id))
    .cte("lacking")
    .prefix_with("MATERIALIZED")
)
_CHANGED = Together({"gone": select(_gone.c.id), **select_shown(lambda id_: id_.in_(select(_lacking.c.id)))})


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


async def load_changed_accounts(
    session: ReadSession, ids: Sequence[int], kept: Mapping[int, int]
) -> tuple[list[int], dict[int, ShownAccount]]:
    """Which accounts have another revision than in `kept` or are gone, and whole those that there are, and `ids`."""
    found = await _CHANGED.ask(session, account_ids=list(ids), kept=encode(kept))
    return [row[0] for row in found["gone"]], read_shown_accounts(found)


def read_shown_accounts(found: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, ShownAccount]:
    """What the parts of `select_shown` gave, by id."""
    emojis: dict[int, dict[str, EmojiView]] = {}
    for account_id, *columns in found["account_emojis"]:
        emojis.setdefault(account_id, {})[columns[0]] = EmojiView(*columns)
    views = {row[0]: AccountView(*row) for row in found["accounts"]}
    return {
        id_: ShownAccount(
            views[id_], _in_order(views[id_].emojis, emojis.get(id_)), views.get(views[id_].moved_to_id or 0)
        )
        for (id_,) in found["account_ids"]
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
