"""Quotes across servers: requests to quote a member, answers to ours, and proofs of consent (FEP-044f)."""

from typing import Any

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.consent import QuotePair, find_pair, note_quoted, note_request
from phiomia.domain.statuses.known import Known, find_by_id, find_by_uri
from phiomia.domain.statuses.quote import find_quotable, settle_quote, write_quote
from phiomia.domain.statuses.quote_draft import QuoteDraft
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, Unresolved, ignored, rejected
from phiomia.federation.inbox.quote_jobs import CheckQuote
from phiomia.federation.outbox.quotes import SendQuoteAnswer
from phiomia.federation.parse.values import first, id_of, same_host, types
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer
from phiomia.platform.jobs.handlers import Retry
from phiomia.platform.log import get_logger

log = get_logger("quotes")
_REQUEST = "/quote_request"


async def handle_request(context: InboxContext, activity: Activity) -> Outcome:
    """Somebody elsewhere wants to quote a member: the post's policy is the answer."""
    async with context.db.read() as session:
        quoted = await ours.find_status(session, context.links, id_of(activity.object))
    instrument = id_of(activity.raw.get("instrument"))
    if quoted is None or not quoted.local or quoted.reblog_of_id is not None:
        return ignored("no post of ours")
    if not instrument or not same_host(instrument, activity.actor.uri):
        return rejected("a quote of another server")
    found = quoted
    may = await _may_quote(context, activity.actor.id, found.id)
    quoting_id = await _find_quoting(context, activity, instrument) if may else 0

    async def write(session: WriteSession) -> None:
        if may:
            await _accept(session, quoting_id, activity.actor.id, found)
            await note_request(session, quoting_id, activity.id)
        answer = SendQuoteAnswer(
            activity.id, instrument, found.account_id, activity.actor.id, found.id, quoting_id if may else 0
        )
        await defer(session, answer)

    await context.db.write(write)
    return PROCESSED


async def _may_quote(context: InboxContext, actor_id: int, quoted_id: int) -> bool:
    async with context.db.read() as session:
        try:
            return (await find_quotable(session, actor_id, quoted_id)).answer_to(actor_id) == "automatic"
        except NotFound:
            return False


async def _find_quoting(context: InboxContext, activity: Activity, uri: str) -> int:
    """The quoting post, which has to be the actor's. Raises Unresolved."""
    async with context.db.read() as session:
        stored = await find_by_uri(session, uri)
    if stored is None:
        number = await context.resolver.status(uri)
        async with context.db.read() as session:
            stored = await find_by_id(session, number)
    if stored is None or stored.account_id != activity.actor.id:
        raise Unresolved("the quote is somebody else's")
    return stored.id


async def _accept(session: WriteSession, quoting_id: int, actor_id: int, quoted: Known) -> None:
    pair = await find_pair(session, quoting_id)
    if pair is None:
        stored = await find_by_id(session, quoting_id)
        if stored is not None:
            draft = QuoteDraft(quoted.id, state=QuoteState.ACCEPTED)
            await write_quote(session, quoting_id, actor_id, stored.visibility, draft, local=False)
        return
    await note_quoted(session, quoting_id, quoted.id, quoted.account_id)
    if pair.quoted_id in (None, quoted.id) and pair.state in (QuoteState.PENDING, QuoteState.REJECTED):
        await settle_quote(session, quoting_id, QuoteState.ACCEPTED)


def is_answer(activity: Activity) -> bool:
    """Whether an Accept or Reject is about a quote that a member asked for."""
    value = first(activity.object)
    return "QuoteRequest" in types(value) or id_of(value).endswith(_REQUEST)


async def take_answer(context: InboxContext, activity: Activity, *, accepted: bool) -> Outcome:
    """The quoted author agrees, or does not (any more)."""
    value = first(activity.object)
    uri = id_of(value)
    named = id_of(value.get("instrument")) if isinstance(value, dict) else ""
    async with context.db.read() as session:
        quoting = await ours.find_status(session, context.links, named or uri.removesuffix(_REQUEST))
        pair = await find_pair(session, quoting.id) if quoting is not None and quoting.local else None
    if pair is None:
        return ignored("no quote of ours")
    if pair.quoted_account_id != activity.actor.id:
        return rejected("somebody else's post is quoted")
    approval = id_of(activity.raw.get("result"))
    if accepted and (not approval or not same_host(approval, activity.actor.uri)):
        return rejected("consent without a proof")
    status_id, state = pair.status_id, _answered(pair, accepted=accepted)
    await context.db.write(lambda session: settle_quote(session, status_id, state, approval if accepted else ""))
    return PROCESSED


def _answered(pair: QuotePair, *, accepted: bool) -> QuoteState:
    if accepted:
        return QuoteState.ACCEPTED
    return QuoteState.REVOKED if pair.state == QuoteState.ACCEPTED else QuoteState.REJECTED


async def run_check_quote(context: Any, job: CheckQuote) -> None:
    """Handler of CheckQuote. Raises Retry when trying again makes sense."""
    try:
        await _check(context.inbox, job)
    except Unresolved as error:
        if error.retry:
            raise Retry(error.reason) from error
        log.info("a quote can't be checked", status=job.status_id, reason=error.reason)


async def _check(context: InboxContext, job: CheckQuote) -> None:
    async with context.db.read() as session:
        pair = await find_pair(session, job.status_id)
    if pair is None or pair.state != QuoteState.PENDING:
        return
    if pair.quoted_id is None:
        pair = await _find_quoted(context, pair, job.depth)
    if pair is None or pair.quoted_account_id is None:
        return
    if pair.quoted_account_id == pair.account_id or await _is_agreed(context, pair):
        found = pair
        await context.db.write(
            lambda session: settle_quote(session, found.status_id, QuoteState.ACCEPTED, found.approval_uri)
        )


async def _find_quoted(context: InboxContext, pair: QuotePair, depth: int) -> QuotePair | None:
    quoted_id = await context.resolver.status(pair.quoted_uri, depth)
    async with context.db.read() as session:
        quoted = await find_by_id(session, quoted_id)
    if quoted is None or quoted.reblog_of_id is not None:
        return None
    author_id = quoted.account_id
    await context.db.write(lambda session: note_quoted(session, pair.status_id, quoted_id, author_id))
    async with context.db.read() as session:
        return await find_pair(session, pair.status_id)


async def _is_agreed(context: InboxContext, pair: QuotePair) -> bool:
    """Whether the proof that the quote names is the quoted author's own. Ours we give by answering a request."""
    if not pair.approval_uri or not pair.quoted_actor_uri or not same_host(pair.approval_uri, pair.quoted_actor_uri):
        return False
    proof = await context.resolver.document(pair.approval_uri)
    return (
        "QuoteAuthorization" in types(proof)
        and id_of(proof.get("attributedTo")) == pair.quoted_actor_uri
        and id_of(proof.get("interactingObject")) == pair.uri
        and id_of(proof.get("interactionTarget")) == pair.quoted_status_uri
    )
