"""Actors: documents of people, bots, groups and servers."""

import re
from typing import Any, Final

import msgspec

from phiomia.domain.accounts.views import AccountField
from phiomia.domain.instance.remote_emojis import EmojiDraft
from phiomia.federation.parse.addresses import page_of
from phiomia.federation.parse.emojis import parse_emojis, used_shortcodes
from phiomia.federation.parse.moments import read_past_moment
from phiomia.federation.parse.pictures import PictureDraft, parse_picture
from phiomia.federation.parse.policies import parse_policy
from phiomia.federation.parse.values import (
    Document,
    Rejected,
    address,
    id_of,
    ids,
    objects,
    same_host,
    truth,
    types,
    values,
    words,
)
from phiomia.platform.html import sanitise, to_plain_text

ACTOR_TYPES: Final = frozenset({"Person", "Service", "Group", "Application", "Organization"})
USERNAME: Final = re.compile(r"[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*", re.IGNORECASE | re.ASCII)

_NAME: Final = 2_048
_NOTE: Final = 20 * 1024
_FIELDS: Final = 50
_FIELD: Final = 2_047
_ALIASES: Final = 256
_KEYS: Final = 10
_PEM: Final = 16 * 1024
_TAGS: Final = 500
_DOMAIN: Final = re.compile(r"[\w.-]{1,253}(?::[0-9]{1,5})?")


class KeyDraft(msgspec.Struct, frozen=True):
    """A public key of an actor."""

    id: str
    pem: str


class ActorDraft(msgspec.Struct, frozen=True):
    """An actor, ready to be written. Addresses are empty where there are none; `note` and field HTML are sanitised."""

    uri: str
    actor_type: str
    username: str
    inbox_url: str
    url: str = ""
    display_name: str = ""
    note: str = ""
    fields: list[AccountField] = []
    avatar: PictureDraft = PictureDraft()
    header: PictureDraft = PictureDraft()
    emojis: list[EmojiDraft] = []  # all that came along
    emoji_names: list[str] = []  # those used in name, note and fields
    locked: bool = False
    discoverable: bool | None = None
    indexable: bool = False
    memorial: bool = False
    suspended: bool = False
    moved_to: str = ""
    also_known_as: list[str] = []
    keys: list[KeyDraft] = []
    shared_inbox_url: str = ""
    outbox_url: str = ""
    followers_url: str = ""
    following_url: str = ""
    featured_url: str = ""
    featured_tags_url: str = ""
    collections_url: str = ""
    feature_policy: list[list[str]] = []  # who may recommend it: at once, and after being asked
    show_media: bool = True
    show_media_replies: bool = True
    show_featured: bool = True
    attribution_domains: list[str] = []
    created_at: int | None = None
    webfinger: str = ""  # the handle it says to have (FEP-2c59); proves nothing

    @property
    def bot(self) -> bool:
        """Whether a program speaks."""
        return self.actor_type in ("Application", "Service")

    @property
    def is_group(self) -> bool:
        """Whether it passes on what its members write."""
        return self.actor_type == "Group"

    @property
    def key(self) -> KeyDraft:
        """The first key; an empty one if there is none."""
        return self.keys[0] if self.keys else KeyDraft("", "")


def is_actor(document: Any) -> bool:
    """Whether a document says to be an actor."""
    return not types(document).isdisjoint(ACTOR_TYPES)


def parse_actor(document: Any) -> ActorDraft:
    """The draft of an actor. Raises Rejected for what can't be one that is known by a handle here."""
    if not isinstance(document, dict):
        raise Rejected("not an object")
    kinds = types(document) & ACTOR_TYPES
    if not kinds:
        raise Rejected("not an actor")
    uri = address(document.get("id"))
    if not uri:
        raise Rejected("an actor without id")
    username, inbox = document.get("preferredUsername"), id_of(document.get("inbox"))
    if not isinstance(username, str) or len(username) > _NAME or not USERNAME.fullmatch(username):
        raise Rejected("an actor without a usable name")
    if not inbox:
        raise Rejected("an actor without inbox")
    if not same_host(inbox, uri):
        # Else whoever names somebody else's inbox would have us send there what we write.
        raise Rejected("an actor whose inbox is on another server")
    return _describe(document, uri, min(kinds), username, inbox)


def parse_keys(document: Any) -> list[KeyDraft]:
    """The keys of an actor that it owns itself."""
    if not isinstance(document, dict):
        return []
    owner = address(document.get("id"))
    found: list[KeyDraft] = []
    for key in objects(document.get("publicKey"), _KEYS):
        id_, pem = address(key.get("id")), words(key.get("publicKeyPem"), _PEM)
        if pem and same_host(id_, owner) and id_of(key.get("owner")) in ("", owner):
            found.append(KeyDraft(id_, pem))
    return found


def _describe(document: Document, uri: str, kind: str, username: str, inbox: str) -> ActorDraft:
    name = words(document.get("name"), _NAME).strip()
    note = sanitise(words(document.get("summary"), _NOTE))
    fields = _parse_fields(document.get("attachment"))
    emojis = parse_emojis(objects(document.get("tag"), _TAGS))
    endpoints = first_object(document.get("endpoints"))
    page = page_of(document.get("url"))
    discoverable = document.get("discoverable")
    return ActorDraft(
        uri=uri,
        actor_type=kind,
        username=username,
        inbox_url=inbox,
        # A page elsewhere could pass for somebody else's.
        url=page if same_host(page, uri) else uri,
        display_name=name,
        note=note,
        fields=fields,
        avatar=parse_picture(document.get("icon")),
        header=parse_picture(document.get("image")),
        emojis=emojis,
        emoji_names=used_shortcodes(emojis, name, note, *(f"{one.name}\n{one.html}" for one in fields)),
        locked=truth(document.get("manuallyApprovesFollowers")),
        discoverable=discoverable if isinstance(discoverable, bool) else None,
        indexable=truth(document.get("indexable")),
        memorial=truth(document.get("memorial")),
        suspended=truth(document.get("suspended")),
        moved_to=id_of(document.get("movedTo")),
        also_known_as=ids(document.get("alsoKnownAs"), _ALIASES),
        keys=parse_keys(document),
        shared_inbox_url=id_of(endpoints.get("sharedInbox")) or id_of(document.get("sharedInbox")),
        outbox_url=id_of(document.get("outbox")),
        followers_url=id_of(document.get("followers")),
        following_url=id_of(document.get("following")),
        featured_url=id_of(document.get("featured")),
        featured_tags_url=id_of(document.get("featuredTags")),
        collections_url=id_of(document.get("featuredCollections")),
        feature_policy=parse_policy(document, "canFeature"),
        show_media=truth(document.get("showMedia", True)),
        show_media_replies=truth(document.get("showRepliesInMedia", True)),
        show_featured=truth(document.get("showFeatured", True)),
        attribution_domains=_parse_domains(document.get("attributionDomains")),
        created_at=read_past_moment(document.get("published")),
        webfinger=words(document.get("webfinger"), _NAME).removeprefix("acct:").removeprefix("@"),
    )


def first_object(value: Any) -> Document:
    """The first object among the values, or an empty one."""
    return next(objects(value, 1), {})


def _parse_fields(value: Any) -> list[AccountField]:
    found: list[AccountField] = []
    for one in objects(value, 2 * _FIELDS):
        name, text = words(one.get("name"), _FIELD), words(one.get("value"), _FIELD)
        if "PropertyValue" in types(one) and name and text and len(found) < _FIELDS:
            found.append(AccountField(name, to_plain_text(text), sanitise(text)))
    return found


def _parse_domains(value: Any) -> list[str]:
    named = (one.lower() for one in values(value) if isinstance(one, str))
    return list(dict.fromkeys(one for one in named if _DOMAIN.fullmatch(one)))
