"""Activities that somebody else passes on. What they say counts only if a proof or the author's own server says it.

Linked-data signatures are not looked at: they sign a graph, and what a document means can be changed around them.
"""

import time
from dataclasses import replace
from typing import Final

from phiomia.activitypub.proofs import verify_proof
from phiomia.activitypub.signatures.request import SignatureRefused
from phiomia.federation.documents_of_others import Documents, is_same_id
from phiomia.federation.inbox.context import Activity, Gone, Resolver, Unresolved
from phiomia.federation.keys import AssertionKeys, KeyUnavailable
from phiomia.federation.parse.values import address, id_of, same_host, types

_OF_OBJECTS: Final = frozenset({"Create", "Update"})


async def authenticate(activity: Activity, documents: Documents, resolver: Resolver) -> Activity:
    """The activity as its actor has made it. Raises Unresolved."""
    if "proof" in activity.raw:
        await _check_proof(activity, documents)
        return activity
    if activity.type in _OF_OBJECTS:
        return await _with_object_of_origin(activity, resolver)
    if activity.type == "Delete":
        await _check_gone(activity, documents)
        return activity
    return await _of_origin(activity, resolver)


async def _check_proof(activity: Activity, documents: Documents) -> None:
    keys = AssertionKeys(documents)
    try:
        await verify_proof(activity.raw, keys, now=time.time())
    except KeyUnavailable as error:
        raise Unresolved(str(error), retry=True) from error
    except SignatureRefused as error:
        raise Unresolved(f"the proof does not hold: {error}") from error
    if not is_same_id(keys.owner, activity.actor.uri):
        raise Unresolved("the proof is somebody else's")


async def _with_object_of_origin(activity: Activity, resolver: Resolver) -> Activity:
    uri = id_of(activity.object)
    if not same_host(uri, activity.actor.uri):
        raise Unresolved("the object is of another server than the actor")
    document = await resolver.document(uri)
    author = id_of(document.get("attributedTo")) or address(document.get("id"))
    if not is_same_id(author, activity.actor.uri):
        raise Unresolved("the object is somebody else's")
    raw = {"@context": activity.raw.get("@context"), "type": activity.type, "actor": activity.actor.uri}
    return replace(activity, object=document, raw={**raw, "id": activity.id, "object": document})


async def _check_gone(activity: Activity, documents: Documents) -> None:
    uri = id_of(activity.object)
    if not same_host(uri, activity.actor.uri) or is_same_id(uri, activity.actor.uri):
        raise Unresolved("only posts of the actor's server are believed to be gone")
    documents.restraint.forget(uri)
    try:
        document = await documents.fetch(uri)
    except Gone:
        return
    if "Tombstone" not in types(document):
        raise Unresolved("it is still there")


async def _of_origin(activity: Activity, resolver: Resolver) -> Activity:
    if not same_host(activity.id, activity.actor.uri):
        raise Unresolved("the activity can't be looked up")
    document = await resolver.document(activity.id)
    if activity.type not in types(document) or not is_same_id(id_of(document.get("actor")), activity.actor.uri):
        raise Unresolved("its server says something else")
    return replace(activity, object=document.get("object"), raw=document)
