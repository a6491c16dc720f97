"""What a post quotes, in every spelling that is about."""

from collections.abc import Sequence
from typing import Final

from phiomia.federation.parse.values import Document, address, id_of, types, values

_PROPERTIES: Final = ("quote", "_misskey_quote", "quoteUrl", "quoteUri")
_RELATION: Final = "https://misskey-hub.net/ns#_misskey_quote"


def parse_quote(document: Document, tags: Sequence[Document]) -> str:
    """The id of the quoted post; empty if there is none, or if it is gone."""
    named = (found for name in _PROPERTIES if (found := id_of(document.get(name))))
    linked = (
        found
        for tag in tags
        if "Link" in types(tag) and _RELATION in list(values(tag.get("rel"), 8)) and (found := address(tag.get("href")))
    )
    return next(named, "") or next(linked, "")
