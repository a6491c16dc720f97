"""Carries out what was received: the worker's end of the inbox."""

from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from phiomia.domain.accounts.remote import Actor
from phiomia.domain.peers.reach import note_reachable
from phiomia.federation.documents_of_others import is_same_id, read_document
from phiomia.federation.inbox.context import (
    Activity,
    Gone,
    InboxContext,
    Outcome,
    Result,
    Unresolved,
    ignored,
    rejected,
)
from phiomia.federation.inbox.dispatch import HANDLERS, dispatch
from phiomia.federation.inbox.forwarded import authenticate
from phiomia.federation.inbox.intake import Intake, IntakeContext
from phiomia.federation.inbox.jobs import TakeActivity
from phiomia.federation.inbox.patience import in_time
from phiomia.federation.keys import has_key
from phiomia.federation.outbox.forward import PASSED_ON, find_interested, forward_later
from phiomia.federation.parse.values import Rejected, address, host_of, id_of, types
from phiomia.platform.clock import now_ms
from phiomia.platform.jobs.handlers import Retry
from phiomia.platform.log import get_logger

_HEARD_S: Final = 30.0
_HOSTS: Final = 10_000
log = get_logger("inbox")

# Who is suspended may still take back what they did.
_EVEN_SUSPENDED: Final = frozenset({"Delete", "Reject", "Undo", "Update"})


async def take_activity(context: IntakeContext, job: TakeActivity) -> None:
    """Handler of TakeActivity."""
    raw: Mapping[str, Any] = {}
    try:
        raw = read_document(job.body.encode())
        outcome = await _take(context.exchange, job, raw)
    except Unresolved as error:
        if error.retry:
            raise Retry(_describe(raw, job, error.reason)) from error
        outcome = rejected(error.reason)
    except Rejected as error:
        outcome = rejected(str(error))
    tell = log.info if outcome.result is Result.REJECTED else log.debug
    tell(
        f"an activity was {outcome.result.value}",
        reason=outcome.reason,
        activity=address(raw.get("id")),
        type=_type_of(raw),
        host=host_of(job.sender),
    )


async def _take(exchange: Intake, job: TakeActivity, raw: Mapping[str, Any]) -> Outcome:
    sender = host_of(job.sender)
    await exchange.rules.refresh()
    uri = id_of(raw.get("actor"))
    if exchange.rules.blocks(sender) or exchange.rules.blocks(host_of(uri)):
        return ignored("nothing is taken from that server")
    await _note_heard(exchange, sender)
    kind = _type_of(raw)
    if kind not in HANDLERS:
        return ignored(f"activities of type {kind!r} mean nothing here")
    actor = await _find_actor(exchange.inbox, uri, kind, job)
    if actor is None:
        return ignored("of somebody unknown")
    if actor.suspended and kind not in _EVEN_SUSPENDED:
        return ignored("the actor is suspended")
    activity = Activity(
        id=address(raw.get("id")),
        type=kind,
        actor=actor,
        object=raw.get("object"),
        raw=raw,
        sender=job.sender,
        recipient_id=job.recipient_id,
        received_at=job.received_at,
    )
    if not is_same_id(job.sender, actor.uri):
        activity = await authenticate(activity, exchange.documents, exchange.resolver)
        return await dispatch(exchange.inbox, activity)
    return await _dispatch_and_forward(exchange, activity, job)


async def _dispatch_and_forward(exchange: Intake, activity: Activity, job: TakeActivity) -> Outcome:
    """Carries it out; what becomes of a reply to a member's status goes on to the member's followers."""
    if activity.type not in PASSED_ON:
        return await dispatch(exchange.inbox, activity)
    # Of what is deleted nobody could say afterwards whom it had answered.
    member = await find_interested(exchange.db, activity.raw) if activity.type == "Delete" else None
    outcome = await dispatch(exchange.inbox, activity)
    if activity.type != "Delete":
        member = await find_interested(exchange.db, activity.raw)
    if member is not None and outcome.result is Result.PROCESSED:
        interested = member
        await exchange.db.write(lambda session: forward_later(session, interested, job.body, job.sender))
    return outcome


async def _note_heard(exchange: Intake, host: str) -> None:
    """Whoever sends can be sent to; noted once in a while, not with each activity."""
    now = monotonic()
    if now - exchange.heard.get(host, -_HEARD_S) < _HEARD_S:
        return
    if len(exchange.heard) >= _HOSTS:
        exchange.heard.clear()
    exchange.heard[host] = now
    await exchange.db.write(lambda session: note_reachable(session, host, now_ms()))


async def _find_actor(context: InboxContext, uri: str, kind: str, job: TakeActivity) -> Actor | None:
    known = await context.resolver.known_account(uri)
    if known is None and kind in ("Delete", "Undo", "Reject"):
        return None  # nothing of theirs is here that could be taken back
    if known is not None and kind == "Delete":
        return known
    by_actor = is_same_id(job.sender, uri)
    rotated = known is not None and job.news != 0 and by_actor and not has_key(known, job.news)
    try:
        return await in_time(context.resolver.account(uri, fresh=rotated))
    except Gone:
        return known


def _type_of(raw: Mapping[str, Any]) -> str:
    kinds = types(raw)
    return min(kinds & HANDLERS.keys(), default=min(kinds, default=""))[:40]


def _describe(raw: Mapping[str, Any], job: TakeActivity, reason: str) -> str:
    return f"{_type_of(raw)} {address(raw.get('id'))} from {host_of(job.sender)}: {reason}"
