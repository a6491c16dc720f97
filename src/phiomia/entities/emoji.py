"""The entity CustomEmoji."""

from typing import Any

from phiomia.domain.instance.emojis import EmojiView


def render_emoji(view: EmojiView) -> dict[str, Any]:
    """A custom emoji."""
    emoji: dict[str, Any] = {
        "shortcode": view.shortcode,
        "url": view.url,
        "static_url": view.static_url,
        "visible_in_picker": bool(view.visible_in_picker),
    }
    if view.category:
        emoji["category"] = view.category
    return emoji
