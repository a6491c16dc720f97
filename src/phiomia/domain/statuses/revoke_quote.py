"""Taking one's consent to a quote back."""

from sqlalchemy import select

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.models import quotes, statuses
from phiomia.domain.statuses.quote import settle_quote
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.platform.db import P, Query, WriteSession

_OWN = Query(
    select(quotes.c.state)
    .join(statuses, statuses.c.id == quotes.c.quoted_id)
    .where(
        quotes.c.status_id == P("quoting"),
        quotes.c.quoted_id == P("quoted"),
        statuses.c.account_id == P("actor"),
    )
)


async def revoke_quote(session: WriteSession, actor_id: int, quoted_id: int, quoting_id: int) -> None:
    """From now on the quote does not show the actor's status. Raises NotFound unless it is a quote of it."""
    state = await session.value(_OWN, quoting=quoting_id, quoted=quoted_id, actor=actor_id)
    if state is None:
        raise NotFound
    if state in (QuoteState.ACCEPTED, QuoteState.PENDING):
        await settle_quote(session, quoting_id, QuoteState.REVOKED)
