"""Asynchronous refreshes: answers that are fetched from other servers while somebody reads a thread."""

import re
from typing import Any, Final

from phiomia.api.endpoint import Call, endpoint
from phiomia.api.errors import ApiError
from phiomia.domain.statuses.replies import is_finding, wish_replies
from phiomia.domain.statuses.thread import Thread, load_thread
from phiomia.platform.limits import REPLIES_EVERY_SECONDS

_RETRY_SECONDS: Final = 3
# The status, and how much of its thread was known when the refresh began: so nothing has to be kept of it.
_ID: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,6})")


@endpoint("GET", "/api/v1_alpha/async_refreshes/:id", scopes=("read",), returns="entity:AsyncRefreshResult")
async def progress(call: Call, params: None) -> dict[str, Any]:
    """How far a refresh is, and how many posts it has found."""
    match = _ID.fullmatch(call.path["id"])
    if match is None:
        raise ApiError(404, "Record not found")
    status_id, before = int(match[1]), int(match[2])
    async with call.api.db.read() as session:
        thread = await load_thread(session, status_id, call.viewer)
        running = await is_finding(session, status_id)
    found = max(0, count_thread(thread) - before)
    state = "running" if running else "finished"
    return {"async_refresh": {"id": call.path["id"], "status": state, "result_count": found}}


async def wish_more(call: Call, host: str, known: int) -> None:
    """Lets further answers be fetched, unless that was done lately, and tells the client where to ask how far it is."""
    if call.api.rates.count("find_replies", call.id, 1, REPLIES_EVERY_SECONDS).exceeded:
        return
    await call.api.db.write(lambda session: wish_replies(session, call.id, host))
    call.header("Mastodon-Async-Refresh", f'id="{call.id}-{known}", retry={_RETRY_SECONDS}, result_count=0')


def count_thread(thread: Thread) -> int:
    """How many posts of a thread are shown."""
    return len(thread.ancestors) + len(thread.descendants)
