"""Deliveries: what became of an own status on its way to other servers. Not a part of Mastodon's API."""

from typing import Any

from phiomia.api.endpoint import Call, endpoint
from phiomia.domain.errors import NotFound
from phiomia.domain.peers.receipts import DeliveryState, Receipt, load_receipts
from phiomia.domain.statuses.queries import load_row
from phiomia.platform.clock import iso


@endpoint("GET", "/api/phiomia/v1/statuses/:id/deliveries", scopes=("read:statuses",), returns="object")
async def deliveries(call: Call, params: None) -> dict[str, Any]:
    """How many servers a status of one's own has reached, and how it stands with each; for its author alone."""
    async with call.api.db.read() as session:
        row = await load_row(session, call.id, call.actor)
        if row.account_id != call.actor:
            raise NotFound
        receipts = await load_receipts(session, row.id)
    counts = {state.word: sum(one.state == state for one in receipts) for state in DeliveryState}
    return {"total": len(receipts), **counts, "deliveries": [_render(one) for one in receipts]}


def _render(receipt: Receipt) -> dict[str, Any]:
    return {
        "server": receipt.host,
        "state": DeliveryState(receipt.state).word,
        "attempts": receipt.attempts,
        "error": receipt.last_error or None,
        "updated_at": iso(receipt.updated_at),
    }
