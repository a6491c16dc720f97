"""The entities PreviewCard and PreviewCardAuthor."""

from typing import Any

import msgspec

from phiomia.domain.media.proxied import RemoteKind
from phiomia.domain.statuses.card_views import CardKind, CardView
from phiomia.entities.links import Links
from phiomia.platform.clock import iso


def render_card(view: CardView, links: Links, author: bytes | None = None, viewer: int | None = None) -> dict[str, Any]:
    """The preview of a link; `author` is the Account entity of who wrote what is behind it, if that is known.

    A viewer whom the page names as its author is told that their profile does not name the page's site.
    """
    account = None if author is None else msgspec.Raw(author)
    named = bool(view.author_name or view.author_url or author is not None)
    card: dict[str, Any] = {
        "url": view.url,
        "title": view.title,
        "description": view.description,
        "language": view.language,
        "type": CardKind(view.kind).name.lower(),
        "author_name": view.author_name,
        "author_url": view.author_url,
        "provider_name": view.provider_name,
        "provider_url": view.provider_url,
        "html": view.html,
        "width": view.width,
        "height": view.height,
        "image": links.elsewhere(RemoteKind.CARD, view.id, view.image_url, "small") or None,
        "image_description": view.image_description,
        "embed_url": view.embed_url,
        "blurhash": None,
        "published_at": None if view.published_at is None else iso(view.published_at),
        "authors": [{"name": view.author_name, "url": view.author_url, "account": account}] if named else [],
    }
    if viewer is not None and view.names_somebody:
        card["missing_attribution"] = view.claimed_author_id == viewer
    return card
