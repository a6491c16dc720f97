"""A reader that takes JSON-LD at its word: what a document's `@context` does not define is not there.

The terms of ActivityStreams and of the security vocabulary stand here, written down from their contexts, so that
nothing has to be fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ACTIVITY_STREAMS = "https://www.w3.org/ns/activitystreams"
SECURITY = "https://w3id.org/security/v1"
PUBLIC = f"{ACTIVITY_STREAMS}#Public"

_STREAMS = """
    id type Accept Activity IntransitiveActivity Add Announce Application Arrive Article Audio Block Collection
    CollectionPage Relationship Create Delete Dislike Document Event Follow Flag Group Ignore Image Invite Join Leave
    Like Link Mention Note Object Offer OrderedCollection OrderedCollectionPage Organization Page Person Place Profile
    Question Reject Remove Service TentativeAccept TentativeReject Tombstone Undo Update Video View Listen Read Move
    Travel IsFollowing IsFollowedBy IsContact IsMember subject relationship actor attributedTo attachment bcc bto cc
    context current first generator icon image inReplyTo items instrument last location next object oneOf anyOf closed
    origin accuracy prev preview replies result audience partOf tag target to url altitude content contentMap duration
    endTime height href hreflang latitude longitude mediaType name nameMap orderedItems published radius rel startIndex
    startTime summary summaryMap totalItems units updated width describes formerType deleted inbox outbox following
    followers streams preferredUsername endpoints uploadMedia proxyUrl liked oauthAuthorizationEndpoint
    oauthTokenEndpoint provideClientKey signClientKey sharedInbox source likes shares
"""
KNOWN: Mapping[str, frozenset[str]] = {
    ACTIVITY_STREAMS: frozenset(_STREAMS.split()),
    SECURITY: frozenset({"publicKey", "publicKeyPem", "owner", "signature", "created", "creator"}),
}
_MAPS = frozenset({"contentMap", "nameMap", "summaryMap"})
_LINK_TERMS = """
    actor attributedTo inReplyTo partOf first last next prev inbox outbox followers following featured featuredTags
    sharedInbox movedTo alsoKnownAs target owner href context automaticApproval
"""
_LINKS = frozenset(_LINK_TERMS.split())


def check(document: Mapping[str, Any]) -> None:
    """Fails unless every key and type is defined, and every link is an address."""
    contexts = document["@context"]
    contexts = contexts if isinstance(contexts, list) else [contexts]
    assert contexts[0] == ACTIVITY_STREAMS, "some servers look for just this text"
    defined: set[str] = set()
    prefixes = {"as"}
    for context in contexts:
        if isinstance(context, str):
            defined |= KNOWN[context]
        else:
            prefixes |= {name for name, iri in context.items() if isinstance(iri, str) and iri[-1] in "#/"}
            defined |= context.keys()
    for context in contexts:
        for name, definition in context.items() if isinstance(context, dict) else ():
            iri = definition if isinstance(definition, str) else definition["@id"]
            assert iri.startswith(("http://", "https://")) or iri.partition(":")[0] in prefixes, (name, iri)
    assert len(prefixes) == 1 or "@context" in document
    inner = {key: value for key, value in document.items() if key != "@context"}
    unknown = set(names(inner)) - defined
    assert not unknown, unknown
    assert "@context" not in set(names(inner)), "a context inside"
    for key, value in pairs(inner):
        if key in _LINKS and isinstance(value, str):
            assert value.startswith("https://"), (key, value)


def names(value: Any) -> Iterator[str]:
    """Every key and type in a document."""
    for key, part in pairs(value):
        yield key
        if key == "type":
            yield part


def pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with what stands there; lists are taken apart."""
    if isinstance(value, list):
        for part in value:
            yield from pairs(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            for one in part if isinstance(part, list) else [part]:
                yield key, one
            if key not in _MAPS:
                yield from pairs(part)
