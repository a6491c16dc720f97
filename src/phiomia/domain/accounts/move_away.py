"""A member's former names, and moving away."""

from sqlalchemy import select, update

from phiomia.domain.accounts.events import AccountMoved, AccountUpdated
from phiomia.domain.accounts.models import accounts
from phiomia.domain.accounts.move import mark_moved, names_as_former, note_move
from phiomia.domain.errors import Invalid, NotFound
from phiomia.platform.db import P, Query, ReadSession, WriteSession
from phiomia.platform.events import record
from phiomia.platform.ids import new_id
from phiomia.platform.json import decode_strings, encode

_MOST = 20
_LOAD = Query(select(accounts.c.also_known_as).where(accounts.c.id == P("id"), accounts.c.domain == ""))
_STORE = Query(
    update(accounts).where(accounts.c.id == P("of_id"), accounts.c.domain == "").values(also_known_as=P("aliases", str))
)


async def load_aliases(session: ReadSession, account_id: int) -> list[str]:
    """The ids by which a member was known elsewhere. Raises NotFound."""
    text = await session.value(_LOAD, id=account_id)
    if text is None:
        raise NotFound
    return decode_strings(text)


async def change_aliases(session: WriteSession, account_id: int, *, add: str = "", remove: str = "") -> list[str]:
    """Adds or removes a former id of a member's, so that they can move here; gives all. Raises NotFound, Invalid."""
    known = await load_aliases(session, account_id)
    wanted = [uri for uri in known if uri not in (add, remove)] + ([add] if add else [])
    if len(wanted) > _MOST:
        raise Invalid(f"Validation failed: No more than {_MOST} former accounts can be named")
    if wanted != known:
        await session.execute(_STORE, of_id=account_id, aliases=encode(wanted))
        await record(session, AccountUpdated(account_id))
    return wanted


async def move_away(session: WriteSession, account_id: int, uri: str, target_id: int) -> None:
    """Sends a member's followers to another account, which must name `uri`, the member's own id. Raises Invalid."""
    if not await names_as_former(session, target_id, uri):
        raise Invalid("Validation failed: The new account does not name this one as its former one")
    if not await mark_moved(session, account_id, target_id):
        raise Invalid("Validation failed: The account has moved there already")
    if not await note_move(session, account_id):
        raise Invalid("Validation failed: The account has moved some days ago; followers are sent along once a week")
    await record(session, AccountMoved(account_id, target_id, new_id()))
