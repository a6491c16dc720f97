"""From addresses to accounts and statuses: a parsed post becomes a draft that can be written here."""

from typing import NamedTuple

from phiomia.domain.accounts.named import find_theirs
from phiomia.domain.accounts.remote import Actor
from phiomia.domain.peers.tombstones import is_buried
from phiomia.domain.statuses.draft import StatusDraft
from phiomia.domain.statuses.known import Known, find_by_uri
from phiomia.domain.statuses.quote_draft import QuoteDraft
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.links import Links
from phiomia.federation.inbox import ours
from phiomia.federation.inbox.context import InboxContext
from phiomia.federation.parse.audience import visibility_of
from phiomia.federation.parse.note import NoteDraft
from phiomia.federation.parse.policies import weigh_policy
from phiomia.platform.clock import SECOND, now_ms
from phiomia.platform.db import ReadSession
from phiomia.platform.limits import DELIVERED_NEWS_SECONDS, NEWS_SECONDS


class Placed(NamedTuple):
    """A post in its place among what is known here."""

    draft: StatusDraft
    stored: Known | None  # it is here already
    buried: bool  # it was here, or was taken back before it came
    for_us: bool  # somebody here is addressed
    missing_parent: str  # what it answers, if that is not known
    unknown_mentions: list[str]  # those named who are not known


class Arrival(NamedTuple):
    """How a post came: delivered or fetched, and if delivered to whose inbox (None: the shared one)."""

    delivered: bool
    recipient_id: int | None = None


async def place(
    session: ReadSession, context: InboxContext, note: NoteDraft, author: Actor, arrival: Arrival
) -> Placed:
    """Finds everybody and everything that a post names."""
    links, pictured = context.links, not context.rules.rejects_media(author.domain)
    people = await _find_people(session, links, note)
    visibility = visibility_of(note.audience, author.followers_url)
    mentions, silent = _divide(note, people.all, visibility)
    if arrival.recipient_id and visibility > Visibility.UNLISTED and arrival.recipient_id not in mentions:
        silent.setdefault(arrival.recipient_id)
    parent = await ours.find_status(session, links, note.in_reply_to) if note.in_reply_to else None
    draft = StatusDraft(
        account_id=author.id,
        content=note.content,
        spoiler_text=note.spoiler_text,
        visibility=visibility,
        sensitive=note.sensitive,
        language=note.language,
        in_reply_to_id=(parent.reblog_of_id or parent.id) if parent else None,
        in_reply_to_unknown=bool(note.in_reply_to) and parent is None,
        mentions=mentions,
        silent_mentions=list(silent),
        tags=note.tags,
        emojis=note.emoji_names,
        poll=note.poll,
        local=False,
        uri=note.uri,
        url=note.url,
        created_at=note.created_at,
        edited_at=note.edited_at,
        late=_is_late(note, arrival),
        remote_media=note.media if pictured else [],
        emoji_domain=author.domain,
        remote_emojis=note.emojis if pictured else [],
        favourites_count=note.favourites_count or 0,
        boosts_count=note.boosts_count or 0,
        quote=await _place_quote(session, links, note, author) if note.quote else None,
        quote_policy=read_policy(note, author),
    )
    named = [mention.href for mention in note.mentions]
    return Placed(
        draft=draft,
        stored=await find_by_uri(session, note.uri),
        buried=await is_buried(session, [note.uri]),
        for_us=arrival.recipient_id is not None or bool(people.here),
        missing_parent=note.in_reply_to if draft.in_reply_to_unknown else "",
        unknown_mentions=[uri for uri in named if uri not in people.all and not ours.is_ours(links, uri)],
    )


async def _place_quote(session: ReadSession, links: Links, note: NoteDraft, author: Actor) -> QuoteDraft:
    """Quotes wait for a proof that the quoted author agrees, except of oneself."""
    quoted = await ours.find_status(session, links, note.quote)
    own = quoted is not None and quoted.account_id == author.id
    return QuoteDraft(
        quoted_id=quoted.id if quoted is not None and quoted.reblog_of_id is None else None,
        quoted_uri=note.quote,
        approval_uri=note.quote_authorization,
        state=QuoteState.ACCEPTED if own else QuoteState.PENDING,
    )


def read_policy(note: NoteDraft, author: Actor) -> int:
    """Who may quote the post, as far as that can be known here."""
    return weigh_policy(note.quote_policy, author.uri, author.followers_url, author.following_url)


class _People(NamedTuple):
    all: dict[str, int]
    here: dict[str, int]


async def _find_people(session: ReadSession, links: Links, note: NoteDraft) -> _People:
    named = dict.fromkeys([*(mention.href for mention in note.mentions), *note.audience.everyone_named])
    here = await ours.find_accounts(session, links, named)
    away = [uri for uri in named if uri not in here and not ours.is_ours(links, uri)]
    return _People({**await find_theirs(session, away), **here}, here)


def _divide(note: NoteDraft, people: dict[str, int], visibility: Visibility) -> tuple[list[int], dict[int, None]]:
    """Those named, who are told of it, and those who are not told. Who is named only need not be addressed."""
    addressed = {people[uri] for uri in note.audience.everyone_named if uri in people}
    named = dict.fromkeys(people[mention.href] for mention in note.mentions if mention.href in people)
    mentions = [one for one in named if one in addressed]
    silent = dict.fromkeys(sorted(addressed.difference(mentions)))
    if visibility <= Visibility.UNLISTED:
        silent.update(dict.fromkeys(one for one in named if one not in addressed))
    return mentions, silent


def _is_late(note: NoteDraft, arrival: Arrival) -> bool:
    if note.created_at is None:
        return False
    seconds = DELIVERED_NEWS_SECONDS if arrival.delivered else NEWS_SECONDS
    return note.created_at < now_ms() - seconds * SECOND
