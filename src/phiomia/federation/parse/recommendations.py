"""Collections in which somebody elsewhere recommends accounts (FEP-7aa9)."""

from typing import Any, Final

from phiomia.domain.collections.of_others import ForeignCollection, ForeignItem
from phiomia.federation.parse.addresses import page_of
from phiomia.federation.parse.languages import language_of, text_of
from phiomia.federation.parse.moments import read_past_moment
from phiomia.federation.parse.values import Rejected, address, first, id_of, objects, same_host, truth, types, words
from phiomia.platform.clock import now_ms
from phiomia.platform.html import sanitise
from phiomia.platform.limits import COLLECTION_ITEMS_READ

_NAME: Final = 256
_DESCRIPTION: Final = 2_048
_TAG: Final = 200


def is_collection(document: Any) -> bool:
    """Whether a document says to be a collection of accounts."""
    return "FeaturedCollection" in types(document)


def parse_collection(document: Any) -> ForeignCollection:
    """A collection without those who are in it. Raises Rejected."""
    uri = address(document.get("id")) if isinstance(document, dict) else ""
    if not uri or not is_collection(document):
        raise Rejected("not a collection of accounts")
    now, page, topic = now_ms(), page_of(document.get("url")), first(document.get("topic"))
    made = read_past_moment(document.get("published")) or now
    return ForeignCollection(
        uri=uri,
        url=page if same_host(page, uri) else "",
        name=words(document.get("name"), _NAME).strip(),
        description=sanitise(text_of(document, "summary")[:_DESCRIPTION]),
        language=language_of(document),
        sensitive=truth(document.get("sensitive")),
        discoverable=truth(document.get("discoverable")),
        tag_name=words(topic.get("name"), _TAG).removeprefix("#") if isinstance(topic, dict) else "",
        created_at=made,
        updated_at=read_past_moment(document.get("updated")) or made,
    )


def parse_items(document: Any) -> list[ForeignItem]:
    """Who is in a collection, as far as it says so itself."""
    listed = document.get("orderedItems") or document.get("items")
    found = (parse_item(one) for one in objects(listed, COLLECTION_ITEMS_READ))
    return [one for one in found if one is not None]


def parse_item(value: Any) -> ForeignItem | None:
    """Somebody in a collection; None if it is nobody, or something else."""
    if "FeaturedItem" not in types(value):
        return None
    uri, account = address(value.get("id")), id_of(value.get("featuredObject"))
    return ForeignItem(uri, account, id_of(value.get("featureAuthorization"))) if uri and account else None
