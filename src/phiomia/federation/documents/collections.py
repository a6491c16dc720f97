"""Collections of accounts that a member recommends, who is in them, and the consent to that (FEP-7aa9)."""

from collections.abc import Sequence
from typing import Any

from phiomia.domain.collections.consent import ItemPair
from phiomia.domain.collections.views import CollectionView
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.entities.links import Links
from phiomia.federation.documents import ids
from phiomia.federation.documents.tags import render_hashtag


def render_collection(view: CollectionView, items: Sequence[ItemPair], links: Links) -> dict[str, Any]:
    """A member's collection with those who have agreed, without `@context`."""
    owner = ids.actor_named(links, view.username)
    uri = ids.collection(owner, view.id)
    described = {"summaryMap": {view.language: view.description}} if view.language else {"summary": view.description}
    topic = render_hashtag(normalise_tag(view.tag_name), view.tag_name, links) if view.tag_name else None
    return {
        "id": uri,
        "type": "FeaturedCollection",
        "name": view.name,
        **described,
        "attributedTo": owner,
        "url": links.collection(view.id),
        "sensitive": bool(view.sensitive),
        "discoverable": bool(view.discoverable),
        "published": ids.stamp(view.created_at),
        "updated": ids.stamp(view.updated_at),
        **({"topic": topic} if topic else {}),
        "totalItems": len(items),
        "orderedItems": [render_item(item, links) for item in items],
    }


def render_item(item: ItemPair, links: Links) -> dict[str, Any]:
    """Somebody's place in a member's collection, with the proof that they agree."""
    featured = ids.actor_named(links, item.username, item.actor_uri)
    own = ids.stamp_of_feature(featured, item.id) if item.domain == "" else ""
    rendered = {
        "id": ids.item(ids.actor_named(links, item.owner_username), item.id),
        "type": "FeaturedItem",
        "featuredObject": featured,
        "featuredObjectType": item.actor_type or "Person",
    }
    proof = own or item.approval_uri
    return rendered | {"featureAuthorization": proof} if proof else rendered


def render_authorization(item: ItemPair, links: Links) -> dict[str, Any]:
    """The proof that a member agrees to be recommended in a collection."""
    member = ids.actor_named(links, item.username)
    return {
        "id": ids.stamp_of_feature(member, item.id),
        "type": "FeatureAuthorization",
        "attributedTo": member,
        "interactingObject": collection_of(item, links),
        "interactionTarget": member,
    }


def collection_of(item: ItemPair, links: Links) -> str:
    """The id of the collection that somebody is in."""
    return item.collection_uri or ids.collection(ids.actor_named(links, item.owner_username), item.collection_id)
