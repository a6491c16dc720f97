"""The document with which a member agrees to a quote."""

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.consent import find_pair
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.federation.actors import read_id
from phiomia.federation.outbox.quotes import render_authorization
from phiomia.federation.responder import Ask


async def give_authorization(ask: Ask) -> None:
    """The consent of the account in the address to one quote. Raises NotFound when there is none, or no longer."""
    await ask.admit()
    status_id = read_id(ask.path["status_id"])
    async with ask.federation.db.read() as session:
        pair = await find_pair(session, status_id)
    if (
        pair is None
        or pair.state != QuoteState.ACCEPTED
        or pair.quoted_domain != ""
        or (pair.quoted_username or "").lower() != ask.path["username"].lower()
    ):
        raise NotFound
    ask.answer_with(render_authorization(pair, ask.federation.links))
