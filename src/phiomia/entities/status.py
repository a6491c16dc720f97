"""The entity Status: the part that every viewer shares. `fragments.py` adds the author, the boost and the flags."""

from typing import Any

from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.views import StatusView
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.card import render_card
from phiomia.entities.emoji import render_emoji
from phiomia.entities.links import Links
from phiomia.entities.media_attachment import render_media
from phiomia.platform.clock import iso


def render_status(view: StatusView, author: AccountView, links: Links) -> dict[str, Any]:
    """A status without account, reblog, quote_approval and the viewer's flags; poll, quote and card are those of a
    status that has none.
    """
    row = view.row
    uri = row.uri or links.status_uri(author.username, row.id)
    status: dict[str, Any] = {
        "id": str(row.id),
        "created_at": iso(row.created_at),
        "in_reply_to_id": _id(row.in_reply_to_id),
        "in_reply_to_account_id": _id(row.in_reply_to_account_id or None),
        "sensitive": bool(row.sensitive),
        "spoiler_text": row.spoiler_text,
        "visibility": Visibility(row.visibility).word,
        "language": row.language,
        "uri": f"{uri}/activity" if row.reblog_of_id and not row.uri else uri,
        "url": row.url or (links.status(author.username, row.id) if row.local else None),
        "replies_count": row.replies_count,
        "reblogs_count": row.reblogs_count,
        "favourites_count": row.favourites_count,
        "quotes_count": row.quotes_count,
        "edited_at": None if row.edited_at is None else iso(row.edited_at),
        "content": row.content,
        "media_attachments": [render_media(media, links) for media in view.media],
        "mentions": [
            {
                "id": str(mention.id),
                "username": mention.username,
                "url": links.mention(mention.username, mention.domain, mention.url),
                "acct": f"{mention.username}@{mention.domain}" if mention.domain else mention.username,
            }
            for mention in view.mentions
        ],
        "tags": [{"name": tag.name, "url": links.tag(tag.name)} for tag in view.tags],
        "emojis": [render_emoji(emoji, links) for emoji in view.emojis],
        "poll": None,
        "card": None,
        "quote": None,
        "tagged_collections": [],
    }
    for name, is_apart in (("poll", view.poll), ("quote", view.quote), ("card", view.card)):
        if is_apart is not None:
            del status[name]
    if view.card is not None and not view.card.names_somebody:
        status["card"] = render_card(view.card, links)
    if row.local and view.application is not None:
        name, website = view.application
        status["application"] = {"name": name, "website": website or None}
    return status


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)
