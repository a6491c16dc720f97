"""What a post quotes, in every spelling that is about."""

from collections.abc import Sequence
from typing import Any, Final

from phiomia.federation.parse.values import PUBLIC, Document, address, first, id_of, ids, types, values

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


def parse_quote_policy(document: Document) -> list[list[str]]:
    """Who may quote the post at once, and who after its author has agreed; empty if it does not say."""
    policy = first(document.get("interactionPolicy"))
    rule = first(policy.get("canQuote")) if isinstance(policy, dict) else None
    if not isinstance(rule, dict):
        return []
    return [_named(rule.get("automaticApproval")), _named(rule.get("manualApproval"))]


def _named(value: Any) -> list[str]:
    public = ["as:Public"] if any(one in PUBLIC for one in values(value, 16) if isinstance(one, str)) else []
    return public + ids(value, 16)
