"""The addresses under which our things are known in the network. Once given they never change."""

from typing import Final

from phiomia.domain.statuses.documents import StatusReference
from phiomia.entities.links import Links
from phiomia.platform.clock import iso

PUBLIC: Final = "https://www.w3.org/ns/activitystreams#Public"


def stamp(ms: int) -> str:
    """A moment to the second, as most servers write it."""
    return f"{iso(ms)[:19]}Z"


def instance_actor(links: Links) -> str:
    """The id of the server itself."""
    return f"{links.base}/actor"


def shared_inbox(links: Links) -> str:
    """Where others deliver once for all of us."""
    return f"{links.base}/inbox"


def actor_named(links: Links, username: str, uri: str = "") -> str:
    """The id of an account: its own, or what follows from the name of a local one."""
    return uri or f"{links.base}/users/{username}"


def main_key(actor: str) -> str:
    """The id of an actor's key."""
    return f"{actor}#main-key"


def inbox(actor: str) -> str:
    """Where something is delivered to one of ours alone."""
    return f"{actor}/inbox"


def outbox(actor: str) -> str:
    """The collection of what they have said."""
    return f"{actor}/outbox"


def followers(actor: str) -> str:
    """The collection of who follows them; also an audience."""
    return f"{actor}/followers"


def following(actor: str) -> str:
    """The collection of whom they follow."""
    return f"{actor}/following"


def featured(actor: str) -> str:
    """The collection of what they have pinned."""
    return f"{actor}/collections/featured"


def featured_tags(actor: str) -> str:
    """The collection of hashtags they show on their profile."""
    return f"{actor}/collections/tags"


def collections(actor: str) -> str:
    """The list of the collections in which they recommend others."""
    return f"{actor}/featured_collections"


def collection(actor: str, collection_id: int) -> str:
    """The id of one of these."""
    return f"{actor}/collections/{collection_id}"


def item(actor: str, item_id: int) -> str:
    """The id of an account's place in one of them."""
    return f"{actor}/collection_items/{item_id}"


def stamp_of_feature(actor: str, item_id: int) -> str:
    """Where one of ours says that they may be recommended there."""
    return f"{actor}/feature_authorizations/{item_id}"


def feature_request(actor: str, item_id: int) -> str:
    """The id of the question whether somebody may be recommended."""
    return f"{actor}/feature_requests/{item_id}"


def status(links: Links, reference: StatusReference) -> str:
    """The id of a status, local or remote."""
    return reference.uri or links.status_uri(reference.username, reference.id)


def author(links: Links, reference: StatusReference) -> str:
    """The id of who wrote it."""
    return actor_named(links, reference.username, reference.author_uri)


def activity(status_uri: str) -> str:
    """The id of the Create or Announce that made a local status known."""
    return f"{status_uri}/activity"


def stamp_of_quote(author: str, quoting_id: int) -> str:
    """Where one of ours says that a quote of theirs may be."""
    return f"{author}/quote_authorizations/{quoting_id}"


def quote_request(status_uri: str) -> str:
    """The id of the request to let one of ours quote."""
    return f"{status_uri}/quote_request"


def context(links: Links, conversation_id: int) -> str:
    """The collection of a conversation that began here."""
    return f"{links.base}/contexts/{conversation_id}"


def emoji(links: Links, emoji_id: int) -> str:
    """The id of a custom emoji."""
    return f"{links.base}/emojis/{emoji_id}"
