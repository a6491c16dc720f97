"""A quote before it is written."""

import msgspec

from phiomia.domain.statuses.quote_state import QuoteState


class QuoteDraft(msgspec.Struct, frozen=True):
    """What a status quotes. Of a member's nothing but the id is known; the state follows from the author's policy."""

    quoted_id: int | None
    quoted_uri: str = ""  # what another server's status quotes and is not known here
    approval_uri: str = ""  # where the author's server is said to agree
    state: QuoteState = QuoteState.PENDING
