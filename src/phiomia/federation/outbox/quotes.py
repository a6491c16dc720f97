"""What other servers hear of quotes: our requests, our answers, and that a consent is taken back."""

from typing import Any

from phiomia.domain.statuses import events as statuses
from phiomia.domain.statuses.consent import QuotePair, find_pair
from phiomia.domain.statuses.documents import NoteView, load_documents
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.recipients import find_own_inbox
from phiomia.entities.links import Links
from phiomia.federation.documents import activities, ids
from phiomia.federation.documents.contexts import bare, declare
from phiomia.federation.documents.note import render_note
from phiomia.federation.outbox.post import Post, send
from phiomia.federation.outbox.statuses import SendStatus
from phiomia.federation.outbox.telling import Context, find_two
from phiomia.platform.db import WriteSession
from phiomia.platform.ids import new_id
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.handlers import Handler


class AskToQuote(Job, frozen=True):
    """Ask somebody elsewhere whether a member may quote them."""

    TYPE = "outbox.ask_to_quote"

    status_id: int


class SendQuoteAnswer(Job, frozen=True):
    """Tell somebody elsewhere whether they may quote a member. `quoting_id` 0 means no."""

    TYPE = "outbox.send_quote_answer"

    request_uri: str
    instrument: str
    account_id: int
    target_id: int
    quoted_id: int
    quoting_id: int = 0


class TakeConsentBack(Job, frozen=True):
    """Tell somebody elsewhere that they may no longer quote a member."""

    TYPE = "outbox.take_consent_back"

    status_id: int


async def ask_to_quote(context: Context, job: AskToQuote) -> None:
    """Handler of AskToQuote: the request carries the quoting status, which may not be for everybody."""
    outbox = context.outbox
    async with outbox.db.read() as session:
        pair = await find_pair(session, job.status_id)
        view = (await load_documents(session, [job.status_id])).get(job.status_id)
        author_id = None if pair is None else pair.quoted_account_id
        inbox = None if author_id is None else await find_own_inbox(session, author_id)
    if pair is None or inbox is None or pair.state != QuoteState.PENDING or not isinstance(view, NoteView):
        return
    note = render_note(view, outbox.links)
    request = {
        "id": ids.quote_request(note["id"]),
        "type": "QuoteRequest",
        "actor": note["attributedTo"],
        "to": pair.quoted_actor_uri,
        "object": pair.quoted_status_uri,
        "instrument": bare(note),
    }
    await send(outbox, Post(declare(request), pair.account_id), [inbox])


async def send_quote_answer(context: Context, job: SendQuoteAnswer) -> None:
    """Handler of SendQuoteAnswer."""
    outbox = context.outbox
    two = await find_two(outbox, job.account_id, job.target_id)
    if two is None:
        return
    request = {
        "id": job.request_uri,
        "type": "QuoteRequest",
        "actor": two.target,
        "object": outbox.links.status_uri(two.username, job.quoted_id),
        "instrument": job.instrument,
    }
    stamp = ids.stamp_of_quote(two.actor, job.quoting_id) if job.quoting_id else ""
    said = activities.answer(two.actor, request, "quote_requests", new_id(), stamp)
    await send(outbox, Post(said, job.account_id), [two.inbox])


async def take_consent_back(context: Context, job: TakeConsentBack) -> None:
    """Handler of TakeConsentBack."""
    outbox = context.outbox
    async with outbox.db.read() as session:
        pair = await find_pair(session, job.status_id)
        inbox = None if pair is None else await find_own_inbox(session, pair.account_id)
    if pair is None or inbox is None or pair.quoted_account_id is None:
        return
    proof = render_authorization(pair, outbox.links)
    gone = {
        "id": f"{proof['id']}#delete",
        "type": "Delete",
        "actor": proof["attributedTo"],
        "to": [ids.PUBLIC, pair.actor_uri],
        "object": proof,
    }
    await send(outbox, Post(declare(gone), pair.quoted_account_id), [inbox])


def render_authorization(pair: QuotePair, links: Links) -> dict[str, Any]:
    """The proof that a member agrees to a quote, without `@context`."""
    author = ids.actor_named(links, pair.quoted_username or "")
    return {
        "id": ids.stamp_of_quote(author, pair.status_id),
        "type": "QuoteAuthorization",
        "attributedTo": author,
        "interactingObject": pair.uri or links.status_uri(pair.username, pair.status_id),
        "interactionTarget": links.status_uri(pair.quoted_username or "", pair.quoted_id or 0),
    }


async def tell_quote_changed(session: WriteSession, event: statuses.QuoteChanged) -> None:
    """Authors elsewhere are asked, and quoters elsewhere hear that a consent is taken back."""
    pair = await find_pair(session, event.status_id)
    if pair is None:
        return
    if pair.domain == "" and pair.quoted_domain and event.state == QuoteState.PENDING:
        await defer(session, AskToQuote(event.status_id))
    elif pair.domain == "" and pair.quoted_domain and event.before is not None:
        await defer(session, SendStatus(event.status_id, edited=True))  # with the proof of consent, or without
    elif pair.domain and pair.quoted_domain == "" and event.state == QuoteState.REVOKED:
        await defer(session, TakeConsentBack(event.status_id))


async def tell_policy_changed(session: WriteSession, event: statuses.QuotePolicyChanged) -> None:
    """Others may quote a member's status than before."""
    await defer(session, SendStatus(event.status_id, edited=True))


HANDLERS = (
    Handler(AskToQuote, ask_to_quote),
    Handler(SendQuoteAnswer, send_quote_answer),
    Handler(TakeConsentBack, take_consent_back),
)
