"""Tags of a post: who is named, under which hashtags it stands, what it links to."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.federation.parse.values import Document, address, objects, types, words

MOST_READ: Final = 1_000
MOST_MENTIONS: Final = 200
MOST_HASHTAGS: Final = 100
_HASHTAG: Final = 200
_HANDLE: Final = 2_500


class MentionDraft(NamedTuple):
    """Somebody named: by id, and by what the text calls them."""

    href: str
    name: str


def read_tags(value: Any) -> list[Document]:
    """The tags, up to a number: what is sent by the ten thousand is nobody's post."""
    return list(objects(value, MOST_READ))


def parse_mentions(tags: Sequence[Document]) -> list[MentionDraft]:
    """Those named, each once."""
    found: dict[str, MentionDraft] = {}
    for tag in tags:
        if "Mention" not in types(tag) or len(found) == MOST_MENTIONS:
            continue
        href, name = address(tag.get("href")), words(tag.get("name"), _HANDLE)
        if href:
            found.setdefault(href, MentionDraft(href, name))
    return list(found.values())


def parse_hashtags(tags: Sequence[Document]) -> list[tuple[str, str]]:
    """Hashtags as (key, as written), each key once."""
    found: dict[str, str] = {}
    for tag in tags:
        if len(found) == MOST_HASHTAGS:
            break
        name = hashtag_in(tag)
        if name and is_valid_tag(name) and (key := normalise_tag(name)):
            found.setdefault(key, name)
    return list(found.items())


def hashtag_in(value: Any) -> str:
    """The name of a hashtag, without its sign; empty if it is something else."""
    return words(value.get("name"), _HASHTAG).strip().removeprefix("#") if "Hashtag" in types(value) else ""
