"""Custom emoji that a document brings along."""

import re
from collections.abc import Iterable
from typing import Any, Final

from phiomia.domain.instance.remote_emojis import EmojiDraft
from phiomia.federation.parse.moments import read_moment
from phiomia.federation.parse.pictures import parse_picture
from phiomia.federation.parse.values import Document, address, types

MOST: Final = 100
_SHORTCODE: Final = re.compile(r":?([a-zA-Z0-9_]{2,2048}):?")


def parse_emojis(tags: Iterable[Document]) -> list[EmojiDraft]:
    """Those of the tags that are emoji under a name that can be used, each name once."""
    found: dict[str, EmojiDraft] = {}
    for tag in tags:
        if "Emoji" in types(tag) and len(found) < MOST:
            draft = _read(tag)
            if draft is not None:
                found.setdefault(draft.shortcode, draft)
    return list(found.values())


def _read(tag: Document) -> EmojiDraft | None:
    name: Any = tag.get("name")
    match = _SHORTCODE.fullmatch(name) if isinstance(name, str) else None
    picture = parse_picture(tag.get("icon"))
    if match is None or not picture.url:
        return None
    return EmojiDraft(match[1], address(tag.get("id")), picture.url, read_moment(tag.get("updated")))


def used_shortcodes(drafts: Iterable[EmojiDraft], *texts: str) -> list[str]:
    """The names of those that the texts really use."""
    return sorted(draft.shortcode for draft in drafts if any(f":{draft.shortcode}:" in text for text in texts))
