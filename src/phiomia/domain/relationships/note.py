"""What a member writes about somebody for itself alone."""

from typing import Final

from sqlalchemy import delete

from phiomia.domain.errors import Invalid
from phiomia.domain.relationships.models import account_notes
from phiomia.domain.relationships.presence import require_account
from phiomia.platform.db import P, Query, WriteSession, put_into

COMMENT_CHARACTERS: Final = 2_000

_UPSERT = put_into(account_notes, ["account_id", "target_id"], ["comment"])
_DELETE = Query(
    delete(account_notes).where(account_notes.c.account_id == P("account"), account_notes.c.target_id == P("target"))
)


async def write_note(session: WriteSession, actor_id: int, target_id: int, comment: str) -> None:
    """Keeps the comment in place of an earlier one; an empty comment forgets it. Raises NotFound, Invalid."""
    await require_account(session, target_id)
    if len(comment) > COMMENT_CHARACTERS:
        fault = ("ERR_TOO_LONG", f"is too long (at most {COMMENT_CHARACTERS} characters)")
        raise Invalid("The comment is too long", {"comment": [fault]})
    if comment:
        await session.execute(_UPSERT, account_id=actor_id, target_id=target_id, comment=comment)
    else:
        await session.execute(_DELETE, account=actor_id, target=target_id)
