"""Collections: the ids on a page, and where it goes on."""

from typing import Any, Final, NamedTuple

from phiomia.federation.parse.values import Rejected, id_of, ids, types

MOST: Final = 200
_COLLECTIONS: Final = frozenset({"Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage"})


class CollectionPage(NamedTuple):
    """Ids, and the address of what follows; empty if nothing does."""

    uris: list[str]
    next: str


def parse_page(document: Any) -> CollectionPage:
    """What a collection, or a page of one, lists itself or in its first page. Raises Rejected."""
    if types(document).isdisjoint(_COLLECTIONS):
        raise Rejected("not a collection")
    uris = _items(document)
    first = document.get("first")
    if isinstance(first, dict):
        uris = [*uris, *_items(first)]
        return CollectionPage(list(dict.fromkeys(uris)), id_of(first.get("next")))
    return CollectionPage(uris, id_of(document.get("next")) or id_of(first))


def lists_something(document: Any) -> bool:
    """Whether a collection says, in what came along of it, that it is not empty."""
    if isinstance(document, str):
        return bool(document)
    if not isinstance(document, dict):
        return False
    first = document.get("first")
    if isinstance(first, dict) and _items(first):
        return True
    return bool(_items(document)) or (isinstance(total := document.get("totalItems"), int) and total > 0)


def _items(document: Any) -> list[str]:
    return ids(document.get("orderedItems") or document.get("items"), MOST)
