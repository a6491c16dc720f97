"""The entity Profile: one's own profile in the form in which it is edited."""

from collections.abc import Sequence
from typing import Any

from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.featured_tags import FeaturedTagView
from phiomia.entities.account import render_fields
from phiomia.entities.featured_tag import render_featured_tag
from phiomia.entities.links import Links
from phiomia.platform.json import decode_strings


def render_profile(view: AccountView, tags: Sequence[FeaturedTagView], links: Links) -> dict[str, Any]:
    """The profile as typed, with its HTML beside."""
    avatar = links.media(view.avatar) if view.avatar else None
    header = links.media(view.header) if view.header else None
    return {
        "id": str(view.id),
        "display_name": view.display_name,
        "note": view.note_source,
        "fields": render_fields(view.fields, source=True),
        "formatted_note": view.note,
        "formatted_fields": render_fields(view.fields),
        "avatar": avatar,
        "avatar_static": links.media(view.avatar_static) if view.avatar_static else avatar,
        "avatar_description": view.avatar_description,
        "header": header,
        "header_static": links.media(view.header_static) if view.header_static else header,
        "header_description": view.header_description,
        "locked": bool(view.locked),
        "bot": bool(view.bot),
        "hide_collections": None if view.hide_collections is None else bool(view.hide_collections),
        "discoverable": None if view.discoverable is None else bool(view.discoverable),
        "indexable": bool(view.indexable),
        "show_media": bool(view.show_media),
        "show_media_replies": bool(view.show_media_replies),
        "show_featured": bool(view.show_featured),
        "attribution_domains": decode_strings(view.attribution_domains),
        "featured_tags": [render_featured_tag(one, links) for one in tags],
    }
