"""Update: a post or a profile is another now."""

from phiomia.domain.errors import DomainError
from phiomia.domain.statuses.consent import note_proof
from phiomia.domain.statuses.edit import Revision, edit_status
from phiomia.domain.statuses.known import Known
from phiomia.domain.statuses.refresh import refresh_counts, refresh_poll, refresh_quote_policy
from phiomia.federation.inbox import recommend
from phiomia.federation.inbox.context import PROCESSED, Activity, InboxContext, Outcome, ignored, rejected
from phiomia.federation.inbox.create import is_by, receive
from phiomia.federation.inbox.placing import Arrival, Placed, place
from phiomia.federation.inbox.quote_jobs import CheckQuote
from phiomia.federation.parse.actor import is_actor
from phiomia.federation.parse.note import NoteDraft, is_post, parse_note
from phiomia.federation.parse.values import Rejected, host_of, id_of
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import WriteSession
from phiomia.platform.jobs import defer
from phiomia.platform.limits import UNKNOWN_UPDATE_SECONDS


async def handle(context: InboxContext, activity: Activity) -> Outcome:
    """Takes over what the owner of a profile or post has changed."""
    if id_of(activity.object) == activity.actor.uri or is_actor(activity.object):
        return await _update_actor(context, activity)
    if (outcome := await recommend.update(context, activity)) is not None:
        return outcome
    document = await context.resolver.trusted_object(activity.object, activity.actor)
    if not is_post(document):
        return ignored("neither a post nor a profile")
    try:
        note = parse_note(document, activity.raw)
    except Rejected as error:
        return rejected(str(error))
    if not is_by(note, activity.actor):
        return rejected("the post is somebody else's")
    return await update_note(context, note, activity)


async def _update_actor(context: InboxContext, activity: Activity) -> Outcome:
    if id_of(activity.object) != activity.actor.uri:
        return rejected("somebody else's profile")
    await context.resolver.account(activity.actor.uri, fresh=True)
    return PROCESSED


async def update_note(context: InboxContext, note: NoteDraft, activity: Activity) -> Outcome:
    """Edits the stored post, or takes over its numbers; a young one that is not stored is treated as new."""
    async with context.db.read() as session:
        placed = await place(session, context, note, activity.actor, Arrival(delivered=True))
    if placed.stored is None:
        if note.created_at is not None and note.created_at < now_ms() - UNKNOWN_UPDATE_SECONDS * SECOND:
            return ignored("an old post that is not known")
        return await receive(context, note, activity)
    if placed.stored.account_id != activity.actor.id:
        return rejected("the post is somebody else's")
    if _is_older(note, placed.stored):
        return ignored("a newer version is here")
    try:
        await context.db.write(lambda session: apply_revision(session, note, placed))
    except DomainError as error:
        return ignored(str(error))
    return PROCESSED


async def apply_revision(session: WriteSession, note: NoteDraft, placed: Placed) -> None:
    """Writes what is new about a stored post of another server: its numbers, and its text if it says to be edited."""
    stored = placed.stored
    if stored is None:
        return
    await refresh_counts(session, stored.id, note.favourites_count, note.boosts_count)
    await refresh_quote_policy(session, stored.id, placed.draft.quote_policy)
    quote = placed.draft.quote
    if quote is not None and quote.approval_uri and await note_proof(session, stored.id, quote.approval_uri):
        await defer(session, CheckQuote(stored.id), host=host_of(quote.quoted_uri))
    same_answers = note.poll is None or await refresh_poll(session, stored.id, note.poll)
    if note.edited_at is not None or not same_answers:
        revision = Revision(placed.draft, edited_at=note.edited_at)
        await edit_status(session, stored.account_id, stored.id, revision)


def _is_older(note: NoteDraft, stored: Known) -> bool:
    return stored.edited_at is not None and note.edited_at is not None and note.edited_at < stored.edited_at
