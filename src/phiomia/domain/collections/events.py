"""What has happened to collections, as far as members or other servers hear of it."""

from phiomia.platform.events import Event


class CollectionChanged(Event, frozen=True):
    """A member has made a collection (`made`), or described it anew."""

    collection_id: int
    account_id: int
    made: bool = False


class CollectionRemoved(Event, frozen=True):
    """A member's collection is gone."""

    collection_id: int
    account_id: int


class ItemSettled(Event, frozen=True):
    """Somebody is in a collection, shall be asked, or wants to be in it no longer: `item_state.py` says which."""

    item_id: int
    state: int


class ItemRemoved(Event, frozen=True):
    """Who was in a member's collection was taken out by its owner."""

    item_id: int
    collection_id: int
    owner_id: int
    account_id: int


class MemberFeatured(Event, frozen=True):
    """Somebody here is in a collection from now on, whoever made it."""

    collection_id: int
    owner_id: int
    account_id: int


class MemberUnfeatured(Event, frozen=True):
    """Who may be somebody here is in a collection no longer."""

    collection_id: int
    owner_id: int
    account_id: int


class CollectionRedescribed(Event, frozen=True):
    """What those who are in a collection stand for is said otherwise now; `members`: those of them who are here."""

    collection_id: int
    owner_id: int
    members: list[int]


class CollectionForgotten(Event, frozen=True):
    """A collection of another server is gone."""

    collection_id: int
    account_id: int
