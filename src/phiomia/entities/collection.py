"""The entities Collection and CollectionItem."""

from typing import Any

from phiomia.domain.collections.item_state import ItemState
from phiomia.domain.collections.views import CollectionView, ItemView
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.entities.links import Links
from phiomia.platform.clock import iso


def render_collection(view: CollectionView, links: Links) -> dict[str, Any]:
    """A collection."""
    local = view.domain == ""
    tag = {"name": view.tag_name, "url": links.tag(normalise_tag(view.tag_name))} if view.tag_name else None
    return {
        "id": str(view.id),
        "account_id": str(view.account_id),
        "uri": f"{links.base}/users/{view.username}/collections/{view.id}" if local else view.uri,
        # Some apps fail without an address; the id leads to the same place.
        "url": links.collection(view.id) if local else view.url or view.uri,
        "name": view.name,
        "description": view.description,
        "language": view.language,
        "local": local,
        "sensitive": bool(view.sensitive),
        "discoverable": bool(view.discoverable),
        "tag": tag,
        "created_at": iso(view.created_at),
        "updated_at": iso(view.updated_at),
        "item_count": sum(item.state == ItemState.ACCEPTED for item in view.items),
        "items": [render_item(item) for item in view.items],
    }


def render_item(item: ItemView) -> dict[str, Any]:
    """An account in a collection."""
    return {
        "id": str(item.id),
        "account_id": str(item.account_id),
        "state": ItemState(item.state).word,
        "created_at": iso(item.created_at),
    }
