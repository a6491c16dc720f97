"""What stands in `tag`: who is mentioned, hashtags, custom emoji."""

from typing import Any

from phiomia.domain.instance.emoji_documents import EmojiDetail
from phiomia.domain.statuses.documents import Addressed
from phiomia.entities.links import Links
from phiomia.federation.documents import ids
from phiomia.federation.documents.pictures import guess_type


def render_mention(one: Addressed, links: Links) -> dict[str, Any]:
    """Somebody who is named, always with their domain."""
    return {
        "type": "Mention",
        "href": ids.actor_named(links, one.username, one.uri),
        "name": f"@{one.username}@{one.domain or links.domain}",
    }


def render_hashtag(name: str, shown: str, links: Links) -> dict[str, Any]:
    """A hashtag: its key, and as it was written."""
    return {"type": "Hashtag", "href": links.tag(name), "name": f"#{shown or name}"}


def render_emoji(emoji: EmojiDetail, links: Links) -> dict[str, Any]:
    """A custom emoji of ours."""
    return {
        "id": ids.emoji(links, emoji.id),
        "type": "Emoji",
        "name": f":{emoji.shortcode}:",
        "updated": ids.stamp(emoji.updated_at),
        "icon": {"type": "Image", "mediaType": guess_type(emoji.url, "image/png"), "url": emoji.url},
    }
