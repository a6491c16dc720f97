"""The entities Quote and ShallowQuote, and QuoteApproval."""

from functools import cache
from typing import Any

import msgspec

from phiomia.domain.statuses.quote_policy import automatic_of, group_names, manual_of, may_quote
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.quote_views import QuoteView, Standing


def name_state(quote: QuoteView, standing: Standing | None) -> str:
    """The state that a viewer is told; `standing` is None for what is gone."""
    if quote.state != QuoteState.ACCEPTED:
        return QuoteState(quote.state).word
    if standing is None:
        return QuoteState.DELETED.word
    return QuoteState.ACCEPTED.word if standing is Standing.FINE else standing.name.lower()


def is_shown(quote: QuoteView, standing: Standing | None) -> bool:
    """Whether the viewer gets what is quoted, be it behind a warning."""
    return quote.state == QuoteState.ACCEPTED and standing not in (None, Standing.UNAUTHORIZED)


def render_quote(quote: QuoteView, standing: Standing | None, status: bytes | None) -> bytes:
    """A Quote; `status` is the Status entity of what is quoted."""
    shown = msgspec.Raw(status) if status is not None and is_shown(quote, standing) else None
    return msgspec.json.encode({"state": name_state(quote, standing), "quoted_status": shown})


def render_shallow_quote(quote: QuoteView, standing: Standing | None) -> bytes:
    """A ShallowQuote, inside of what is quoted itself."""
    shown = str(quote.quoted_id) if is_shown(quote, standing) else None
    return msgspec.json.encode({"state": name_state(quote, standing), "quoted_status_id": shown})


def render_approval(policy: int, current: str) -> dict[str, Any]:
    """A QuoteApproval."""
    return {
        "automatic": group_names(automatic_of(policy)),
        "manual": group_names(manual_of(policy)),
        "current_user": current,
    }


@cache
def approval_for(policy: int, visibility: int, *, follows: bool = False, followed: bool = False) -> tuple[bytes, ...]:
    """Encoded QuoteApprovals for nobody, for a viewer with these relations, and for the author."""
    kinds = (
        "denied",
        may_quote(policy, visibility, own=False, follows=follows, followed=followed),
        may_quote(policy, visibility, own=True, follows=False, followed=False),
    )
    return tuple(msgspec.json.encode(render_approval(policy, kind)) for kind in kinds)
