"""Collections as they are shown."""

from typing import NamedTuple


class ItemView(NamedTuple):
    """An account in a collection. The order is that of the columns in `queries.py`."""

    id: int
    collection_id: int
    account_id: int
    state: int
    created_at: int


class CollectionView(NamedTuple):
    """A collection; `username` and `domain` are its owner's. The order is that of the columns in `queries.py`."""

    id: int
    account_id: int
    uri: str
    url: str
    name: str
    description: str
    language: str | None
    sensitive: bool
    discoverable: bool
    tag_name: str
    created_at: int
    updated_at: int
    username: str
    domain: str
    items: tuple[ItemView, ...] = ()
