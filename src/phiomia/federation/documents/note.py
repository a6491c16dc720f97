"""A status as Note, or as Question when it has a poll."""

from typing import Any

from phiomia.domain.statuses.documents import NoteView, StatusReference
from phiomia.domain.statuses.quote_policy import FOLLOWERS, FOLLOWING, PUBLIC, automatic_of, manual_of
from phiomia.domain.statuses.quote_state import QuoteState
from phiomia.domain.statuses.views import PollView
from phiomia.entities.links import Links
from phiomia.federation.documents import ids
from phiomia.federation.documents.audience import audience_of_note
from phiomia.federation.documents.pictures import render_attachment
from phiomia.federation.documents.tags import render_emoji, render_hashtag, render_mention
from phiomia.platform.clock import iso, now_ms


def render_note(view: NoteView, links: Links, now: int | None = None) -> dict[str, Any]:
    """The document of a local status, without `@context`."""
    row = view.status.row
    actor, uri = links.actor(view.author), links.status_uri(view.author.username, row.id)
    to, cc = audience_of_note(view, links)
    note: dict[str, Any] = {
        "id": uri,
        "type": "Question" if view.status.poll else "Note",
        "summary": row.spoiler_text or None,
        "inReplyTo": ids.status(links, view.parent) if view.parent else None,
        "published": ids.stamp(row.created_at),
        "url": links.status(view.author.username, row.id),
        "attributedTo": actor,
        "to": to,
        "cc": cc,
        "sensitive": bool(row.sensitive),
        **_conversation(view.root, links),
        "content": row.content,
        "attachment": _attachments(view, links),
        "tag": _tags(view, links),
        "replies": _replies(view, uri, links),
        "likes": _count(f"{uri}/likes", row.favourites_count),
        "shares": _count(f"{uri}/shares", row.reblogs_count),
        **_quote(view, links),
        "interactionPolicy": {"canQuote": _quotable_by(row.quote_policy, actor)},
    }
    if row.language:
        note["contentMap"] = {row.language: row.content}
    if row.edited_at is not None:
        # To the millisecond: with the same second in both, an edit soon after would be none.
        note["updated"] = iso(row.edited_at)
    if view.status.poll:
        note |= _poll(view.status.poll, now_ms() if now is None else now)
    return note


def _quotable_by(policy: int, actor: str) -> dict[str, Any]:
    named = ((PUBLIC, ids.PUBLIC), (FOLLOWERS, ids.followers(actor)), (FOLLOWING, ids.following(actor)))
    automatic = [uri for group, uri in named if automatic_of(policy) & group]
    # A list with nobody but the author in it means that nobody may. What is missing is read as a promise by some.
    rule: dict[str, Any] = {"automaticApproval": automatic or [actor]}
    if manual := [uri for group, uri in named if manual_of(policy) & group]:
        rule["manualApproval"] = manual
    return rule


def _quote(view: NoteView, links: Links) -> dict[str, Any]:
    """What it quotes, in every spelling that is about, with the consent to that once it is there."""
    quote, quoted = view.status.quote, view.quoted
    if quote is None or (quoted is None and not quote.quoted_uri):
        return {}
    uri = ids.status(links, quoted) if quoted is not None else quote.quoted_uri
    named: dict[str, Any] = {"quote": uri, "quoteUri": uri, "_misskey_quote": uri}
    if quote.state == QuoteState.ACCEPTED and quoted is not None:
        own = ids.stamp_of_quote(ids.author(links, quoted), view.status.row.id) if quoted.local else ""
        if stamp := quote.approval_uri or own:
            named["quoteAuthorization"] = stamp
    return named


def _conversation(root: StatusReference | None, links: Links) -> dict[str, str]:
    """What a conversation that began here is called; for others we don't know the name their server gave them."""
    if root is None or not root.local:
        return {}
    context = ids.context(links, root.id)
    return {"context": context, "conversation": context}


def _attachments(view: NoteView, links: Links) -> list[dict[str, Any]]:
    rendered = (render_attachment(one, view.media_types.get(one.id, ""), links) for one in view.status.media)
    return [one for one in rendered if one is not None]


def _tags(view: NoteView, links: Links) -> list[dict[str, Any]]:
    return [
        *(render_mention(one, links) for one in view.addressed if not one.silent),
        *(render_hashtag(tag.name, tag.display_name, links) for tag in view.status.tags),
        *(render_emoji(emoji, links) for emoji in view.emojis),
    ]


def _replies(view: NoteView, uri: str, links: Links) -> dict[str, Any]:
    """The author's own answers at once, so that a thread of theirs stays whole, and where the others are."""
    replies = f"{uri}/replies"
    username = view.author.username
    return {
        "id": replies,
        "type": "Collection",
        "first": {
            "type": "CollectionPage",
            "partOf": replies,
            "next": f"{replies}?only_other_accounts=true&page=true",
            "items": [links.status_uri(username, one) for one in view.own_replies],
        },
    }


def _count(uri: str, total: int) -> dict[str, Any]:
    return {"id": uri, "type": "Collection", "totalItems": total}


def _poll(poll: PollView, now: int) -> dict[str, Any]:
    over = poll.expires_at is not None and poll.expires_at <= now
    options = [
        {
            "type": "Note",
            "name": option.title,
            "replies": {"type": "Collection", "totalItems": 0 if poll.hide_totals and not over else option.votes_count},
        }
        for option in poll.options
    ]
    question: dict[str, Any] = {
        "anyOf" if poll.multiple else "oneOf": options,
        "votersCount": 0 if poll.hide_totals and not over else poll.voters_count,
    }
    if poll.expires_at is not None:
        question["endTime"] = ids.stamp(poll.expires_at)
        if over:
            question["closed"] = ids.stamp(poll.expires_at)
    return question
