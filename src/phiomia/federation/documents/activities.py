"""Every activity that we send. Ids follow from what happened, so that sending twice is saying once.

Everything here is ready to be sent; where one activity stands inside another its own `@context` is left out.
"""

from collections.abc import Sequence
from typing import Any

from phiomia.domain.statuses.documents import BoostView
from phiomia.entities.links import Links
from phiomia.federation.documents import ids
from phiomia.federation.documents.audience import audience_of_boost
from phiomia.federation.documents.contexts import bare, declare
from phiomia.federation.documents.note import render_note

Document = dict[str, Any]


def create(note: Document) -> Document:
    """A status is there: what `render_note` gave, told to whom it is addressed."""
    return declare(
        {
            "id": ids.activity(note["id"]),
            "type": "Create",
            "actor": note["attributedTo"],
            "published": note["published"],
            "to": note["to"],
            "cc": note["cc"],
            "object": bare(note),
        }
    )


def update(document: Document, number: int) -> Document:
    """A status or an actor is another now. `number` tells updates of one thing apart: its revision, or a moment."""
    actor = document.get("attributedTo") or document["id"]
    at = {"published": document["updated"]} if "updated" in document else {}
    return declare(
        {
            "id": f"{document['id']}#updates/{number}",
            "type": "Update",
            "actor": actor,
            **at,
            "to": document.get("to", [ids.PUBLIC]),
            "cc": document.get("cc", [ids.followers(actor)]),
            "object": bare(document),
        }
    )


def delete(actor: str, uri: str, to: Sequence[str] = (ids.PUBLIC,), cc: Sequence[str] = ()) -> Document:
    """A status is gone, or the actor itself when `uri` is the actor's."""
    return declare(
        {
            "id": f"{uri}#delete",
            "type": "Delete",
            "actor": actor,
            "to": list(to),
            "cc": list(cc),
            "object": uri if uri == actor else {"id": uri, "type": "Tombstone"},
        }
    )


def announce(view: BoostView, links: Links) -> Document:
    """A boost. What nobody could fetch because it is not for everybody stands in it whole."""
    to, cc = audience_of_boost(view, links)
    actor = links.actor(view.author)
    return declare(
        {
            "id": ids.activity(links.status_uri(view.author.username, view.row.id)),
            "type": "Announce",
            "actor": actor,
            "published": ids.stamp(view.row.created_at),
            "to": to,
            "cc": cc,
            "object": render_note(view.note, links) if view.note else ids.status(links, view.original),
        }
    )


def unannounced(actor: str, boost_uri: str, original_uri: str) -> Document:
    """The Undo of a boost of which nothing is left but its id (`…/statuses/N`)."""
    return undo({"id": ids.activity(boost_uri), "type": "Announce", "actor": actor, "object": original_uri})


def undo(activity: Document) -> Document:
    """Something is taken back: a Follow, Like, Announce or Block as it was sent."""
    uri: str = activity["id"]
    audience: Document = {name: activity[name] for name in ("to", "cc") if name in activity}
    if activity["type"] == "Announce":
        audience.setdefault("to", [ids.PUBLIC])
    return declare(
        {
            "id": f"{uri}/undo" if "#" in uri else f"{uri}#undo",
            "type": "Undo",
            "actor": activity["actor"],
            **audience,
            "object": bare(activity),
        }
    )


def like(actor: str, number: int, uri: str) -> Document:
    """A favourite; `number` is its own id."""
    return declare({"id": f"{actor}#likes/{number}", "type": "Like", "actor": actor, "object": uri})


def follow(actor: str, number: int, target: str, uri: str = "") -> Document:
    """A wish to follow; `number` is the request's id, `uri` the id it had when it was sent, if that is another."""
    return declare({"id": uri or f"{actor}#follows/{number}", "type": "Follow", "actor": actor, "object": target})


def accept(actor: str, followed: Document, number: int) -> Document:
    """Yes to a Follow, which stands in the answer whole: some know it by its id, others by its parts."""
    return _answer("Accept", actor, followed, number)


def reject(actor: str, followed: Document, number: int) -> Document:
    """No to a Follow, also later, when a follower is removed."""
    return _answer("Reject", actor, followed, number)


def answer(actor: str, request: Document, place: str, number: int, stamp: str = "") -> Document:
    """What an actor says to a request for consent: yes with the address of its proof, no without one."""
    kind = "Accept" if stamp else "Reject"
    said = {
        "id": f"{actor}#{kind.lower()}s/{place}/{number}",
        "type": kind,
        "actor": actor,
        "to": request["actor"],
        "object": request,
    }
    return declare(said | {"result": stamp} if stamp else said)


def followed_by(uri: str, follower: str, actor: str) -> Document:
    """The Follow that somebody sent, for `accept` and `reject`; `uri` is the id they gave it."""
    return {"id": uri, "type": "Follow", "actor": follower, "object": actor}


def block(actor: str, number: int, target: str) -> Document:
    """Somebody shall have nothing to do with the actor any more."""
    return declare({"id": f"{actor}#blocks/{number}", "type": "Block", "actor": actor, "object": target})


def add(actor: str, item: str | Document, target: str, number: int) -> Document:
    """Something is in a collection of the actor's from now on: a status that was pinned, a hashtag that is featured."""
    return _collected("Add", actor, item, target, number)


def remove(actor: str, item: str | Document, target: str, number: int) -> Document:
    """Something is in a collection of the actor's no longer."""
    return _collected("Remove", actor, item, target, number)


def move(actor: str, target: str, number: int) -> Document:
    """The actor lives elsewhere from now on; followers shall go there."""
    return declare(
        {
            "id": f"{actor}#moves/{number}",
            "type": "Move",
            "actor": actor,
            "to": [ids.followers(actor)],
            "object": actor,
            "target": target,
        }
    )


def flag(instance: str, reported: str, statuses: Sequence[str], comment: str, number: int) -> Document:
    """A report. It comes from the server, never from who made it."""
    return declare(
        {
            "id": f"{instance}#reports/{number}",
            "type": "Flag",
            "actor": instance,
            "to": [reported],
            "content": comment,
            "object": [reported, *statuses],
        }
    )


def vote(actor: str, number: int, poll: str, author: str, option: str) -> Document:
    """One answer to a poll of somebody else's; several answers are several of these."""
    uri = f"{actor}#votes/{number}"
    return declare(
        {
            "id": f"{uri}/activity",
            "type": "Create",
            "actor": actor,
            "to": author,
            "object": {
                "id": uri,
                "type": "Note",
                "name": option,
                "attributedTo": actor,
                "inReplyTo": poll,
                "to": author,
            },
        }
    )


def _answer(kind: str, actor: str, followed: Document, number: int) -> Document:
    return declare(
        {"id": f"{actor}#{kind.lower()}s/follows/{number}", "type": kind, "actor": actor, "object": bare(followed)}
    )


def _collected(kind: str, actor: str, item: str | Document, target: str, number: int) -> Document:
    return declare(
        {
            "id": f"{target}#{kind.lower()}s/{number}",
            "type": kind,
            "actor": actor,
            "to": [ids.PUBLIC],
            "cc": [ids.followers(actor)],
            "object": bare(item) if isinstance(item, dict) else item,
            "target": target,
        }
    )
