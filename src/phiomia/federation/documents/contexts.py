"""The table of every term outside of ActivityStreams that we write, and the `@context` that declares them.

Readers that take JSON-LD at its word drop what is not declared, so `declare` looks which terms a document uses
instead of leaving that to whoever writes it.
"""

from collections.abc import Iterator
from typing import Any, Final

ACTIVITY_STREAMS: Final = "https://www.w3.org/ns/activitystreams"
SECURITY: Final = "https://w3id.org/security/v1"

PREFIXES: Final = {
    "toot": "http://joinmastodon.org/ns#",
    "schema": "http://schema.org#",
    "ostatus": "http://ostatus.org#",
    "gts": "https://gotosocial.org/ns#",
    "wf": "https://purl.archive.org/socialweb/webfinger#",
    "fedibird": "http://fedibird.com/ns#",
    "misskey": "https://misskey-hub.net/ns#",
    "fep7aa9": "https://w3id.org/fep/7aa9#",
}


def _link(name: str) -> dict[str, str]:
    return {"@id": name, "@type": "@id"}


TERMS: Final[dict[str, Any]] = {
    "Hashtag": "as:Hashtag",
    "sensitive": "as:sensitive",
    "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
    "alsoKnownAs": _link("as:alsoKnownAs"),
    "movedTo": _link("as:movedTo"),
    "Emoji": "toot:Emoji",
    "blurhash": "toot:blurhash",
    "focalPoint": {"@container": "@list", "@id": "toot:focalPoint"},
    "votersCount": "toot:votersCount",
    "featured": _link("toot:featured"),
    "featuredTags": _link("toot:featuredTags"),
    "discoverable": "toot:discoverable",
    "indexable": "toot:indexable",
    "memorial": "toot:memorial",
    "suspended": "toot:suspended",
    "attributionDomains": {"@id": "toot:attributionDomains", "@container": "@set"},
    "PropertyValue": "schema:PropertyValue",
    "value": "schema:value",
    "conversation": "ostatus:conversation",
    "interactionPolicy": _link("gts:interactionPolicy"),
    "canQuote": _link("gts:canQuote"),
    "automaticApproval": _link("gts:automaticApproval"),
    "manualApproval": _link("gts:manualApproval"),
    "webfinger": "wf:webfinger",
    "quote": _link("https://w3id.org/fep/044f#quote"),
    "quoteAuthorization": _link("https://w3id.org/fep/044f#quoteAuthorization"),
    "QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest",
    "QuoteAuthorization": "https://w3id.org/fep/044f#QuoteAuthorization",
    "interactingObject": _link("gts:interactingObject"),
    "interactionTarget": _link("gts:interactionTarget"),
    "FeaturedCollection": "fep7aa9:FeaturedCollection",
    "FeaturedItem": "fep7aa9:FeaturedItem",
    "FeatureRequest": "fep7aa9:FeatureRequest",
    "FeatureAuthorization": "fep7aa9:FeatureAuthorization",
    "featuredCollections": _link("fep7aa9:featuredCollections"),
    "featuredObject": _link("fep7aa9:featuredObject"),
    "featuredObjectType": "fep7aa9:featuredObjectType",
    "featureAuthorization": _link("fep7aa9:featureAuthorization"),
    "canFeature": _link("fep7aa9:canFeature"),
    "topic": "fep7aa9:topic",
    "showFeatured": "toot:showFeatured",
    "showMedia": "toot:showMedia",
    "showRepliesInMedia": "toot:showRepliesInMedia",
    "quoteUri": "fedibird:quoteUri",
    "_misskey_quote": "misskey:_misskey_quote",
}
# These come with the context of the security vocabulary.
SECURITY_TERMS: Final = frozenset({"publicKey", "publicKeyPem", "owner"})
# Below these stand languages, not terms.
_MAPS: Final = frozenset({"contentMap", "nameMap", "summaryMap"})


def declare(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a `@context` that declares every term in it."""
    used = set(_names(document))
    terms = {name: TERMS[name] for name in sorted(used & TERMS.keys())}
    prefixes = {_prefix(definition) for definition in terms.values()} & PREFIXES.keys()
    own = {prefix: PREFIXES[prefix] for prefix in sorted(prefixes)} | terms
    contexts: list[Any] = [ACTIVITY_STREAMS]
    if used & SECURITY_TERMS:
        contexts.append(SECURITY)
    if own:
        contexts.append(own)
    return {"@context": contexts if len(contexts) > 1 else ACTIVITY_STREAMS} | bare(document)


def bare(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its own `@context`, for a place inside another."""
    return {key: value for key, value in document.items() if key != "@context"}


def _prefix(definition: Any) -> str:
    iri: str = definition if isinstance(definition, str) else definition["@id"]
    return iri.partition(":")[0]


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _names(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield key
            if key == "type" and isinstance(part, str):
                yield part
            elif key not in _MAPS:
                yield from _names(part)
