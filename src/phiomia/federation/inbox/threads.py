"""What stands above and below a post that came in: fetched politely, step by step, within limits."""

from typing import Any

from phiomia.domain.statuses.add_mentions import add_mentions
from phiomia.domain.statuses.adopt import adopt_reply
from phiomia.domain.statuses.known import find_by_id, find_ids_by_uri
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.replies import FindReplies, wish_replies
from phiomia.federation.inbox.context import InboxContext, Unresolved
from phiomia.federation.inbox.placing import Placed
from phiomia.federation.inbox.quote_jobs import QUOTE_DEPTH, CheckQuote
from phiomia.federation.parse.collections import CollectionPage, parse_page
from phiomia.federation.parse.note import NoteDraft
from phiomia.federation.parse.values import Rejected, host_of, id_of, same_host
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import Job, defer
from phiomia.platform.jobs.handlers import Retry
from phiomia.platform.limits import REPLIES_WITH_STATUS, REPLY_PAGES, THREAD_DEPTH, UNKNOWN_MENTIONS
from phiomia.platform.log import get_logger

log = get_logger("threads")


class FindMentions(Job, frozen=True):
    """Get to know people whom a status names, so that it can show whom it means."""

    TYPE = "federation.find_mentions"
    QUEUE = "pull"
    TRIES = 2

    status_id: int
    uris: list[str]


class FindParent(Job, frozen=True):
    """Fetch what a status answers, and hang it below that."""

    TYPE = "federation.find_parent"
    QUEUE = "pull"
    TRIES = 4

    status_id: int
    parent_uri: str
    depth: int = 0


async def follow_up(session: WriteSession, status_id: int, note: NoteDraft, placed: Placed, depth: int) -> None:
    """Lets the rest of the thread be found after a post was written."""
    if placed.missing_parent and depth < THREAD_DEPTH:
        await defer(
            session,
            FindParent(status_id, placed.missing_parent, depth + 1),
            unique=f"{FindParent.TYPE}:{status_id}",
            host=host_of(placed.missing_parent),
        )
    quote = placed.draft.quote
    if quote is not None and quote.state == QuoteState.PENDING and depth < QUOTE_DEPTH:
        await defer(session, CheckQuote(status_id, depth + 1), host=host_of(quote.quoted_uri))
    if placed.unknown_mentions and depth == 0:
        # Each is a question to a server: a post must not be able to have us ask hundreds.
        asked = placed.unknown_mentions[:UNKNOWN_MENTIONS]
        await defer(session, FindMentions(status_id, asked), host=host_of(asked[0]))
    # Only with what was not found by following a thread: that would fetch the whole tree.
    if depth == 0 and not placed.draft.late and _has_replies(note):
        await wish_replies(session, status_id, host_of(note.uri), note.replies_url, REPLIES_WITH_STATUS)


async def find_mentions(context: InboxContext, job: FindMentions) -> None:
    """Fetches people whom a status names, and notes that it means them."""
    found = []
    for uri in job.uris:
        try:
            found.append((await context.resolver.account(uri)).id)
        except Unresolved as error:
            # Whoever can't be had stays a link in the text.
            log.debug("somebody named can't be had", status=job.status_id, reason=error.reason)
    if found:
        await context.db.write(lambda session: add_mentions(session, job.status_id, found))


async def find_parent(context: InboxContext, job: FindParent) -> None:
    """Fetches what a status answers. Raises Retry when trying again makes sense."""
    try:
        parent_id = await context.resolver.status(job.parent_uri, job.depth)
    except Unresolved as error:
        if error.retry:
            raise Retry(error.reason) from error
        log.info("what a status answers can't be had", status=job.status_id, reason=error.reason)
        return
    await context.db.write(lambda session: adopt_reply(session, job.status_id, parent_id))


async def find_replies(context: InboxContext, job: FindReplies) -> None:
    """Fetches answers that the status's server lists. Raises Retry when trying again makes sense."""
    async with context.db.read() as session:
        status = await find_by_id(session, job.status_id)
    if status is None or status.local:
        return
    try:
        url = job.url or await _ask_for_collection(context, status.uri)
        uris = await _read_collection(context, url, status.uri, job.most) if url else []
    except Unresolved as error:
        if error.retry:
            raise Retry(error.reason) from error
        log.info("answers to a status can't be had", status=job.status_id, reason=error.reason)
        return
    async with context.db.read() as session:
        known = await find_ids_by_uri(session, uris)
    for uri in [uri for uri in uris if uri not in known][: job.most]:
        await _fetch(context, uri)


async def _fetch(context: InboxContext, uri: str) -> None:
    try:
        await context.resolver.status(uri, 1)
    except Unresolved as error:
        # One answer that can't be had is no reason to do without the others.
        log.debug("an answer can't be had", reason=error.reason)


async def _ask_for_collection(context: InboxContext, uri: str) -> str:
    document = await context.resolver.document(uri)
    return id_of(document.get("replies"))


async def _read_collection(context: InboxContext, url: str, status_uri: str, most: int) -> list[str]:
    """Ids of answers. The collection must lie where the status does; of what it lists each is fetched at its home."""
    found: dict[str, None] = {}
    for _ in range(REPLY_PAGES):
        if not url or not same_host(url, status_uri) or len(found) >= most:
            break
        page = _parse(await context.resolver.collection_page(url))
        own_only = most <= REPLIES_WITH_STATUS
        found.update(dict.fromkeys(uri for uri in page.uris if not own_only or same_host(uri, status_uri)))
        url = page.next
    return list(found)[:most]


def _parse(document: Any) -> CollectionPage:
    try:
        return parse_page(document)
    except Rejected as error:
        raise Unresolved(str(error)) from None


def _has_replies(note: NoteDraft) -> bool:
    return bool(note.replies_url) and note.replies_listed


async def run_find_mentions(context: Any, job: FindMentions) -> None:
    """Handler of FindMentions in the worker."""
    await find_mentions(context.inbox, job)


async def run_find_parent(context: Any, job: FindParent) -> None:
    """Handler of FindParent in the worker."""
    await find_parent(context.inbox, job)


async def run_find_replies(context: Any, job: FindReplies) -> None:
    """Handler of FindReplies in the worker."""
    await find_replies(context.inbox, job)
