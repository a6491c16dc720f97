"""An account as actor, and the server's own actor."""

from typing import Any, Final

from phiomia.domain.accounts.documents import ActorView
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.text import scan
from phiomia.domain.tags.normalise import normalise_tag
from phiomia.entities.links import Links
from phiomia.federation.documents import ids
from phiomia.federation.documents.pictures import render_picture
from phiomia.federation.documents.tags import render_emoji, render_hashtag
from phiomia.platform.clock import DAY
from phiomia.platform.json import decode, decode_strings

APPLICATION: Final = "Application"


def render_actor(view: ActorView, links: Links) -> dict[str, Any]:
    """The document of a local account, without `@context`. A suspended one keeps its name and key, nothing else."""
    account = view.account
    hidden = account.state == AccountState.SUSPENDED
    actor = render_key_holder(account, view.public_key, links) | {
        "name": account.username if hidden else account.display_name or account.username,
        "summary": None if hidden else account.note or None,
        "url": links.account(account),
        "manuallyApprovesFollowers": bool(account.locked),
        "discoverable": bool(account.discoverable) and not hidden,
        "indexable": bool(account.indexable) and not hidden,
        "memorial": bool(account.memorial),
        "published": ids.stamp(account.created_at - account.created_at % DAY),
        "webfinger": f"{account.username}@{links.domain}",
        "tag": [] if hidden else _tags(view, links),
        "attachment": [] if hidden else _fields(account),
    }
    if hidden:
        return actor | {"suspended": True}
    return actor | _shown(account, actor["id"]) | _where_else(view, links) | _pictures(account, links)


def _shown(account: AccountView, uri: str) -> dict[str, Any]:
    """What is on the profile, and who may recommend it."""
    willing = (ids.followers(uri) if account.locked else ids.PUBLIC) if account.discoverable else uri
    return {
        "featuredCollections": ids.collections(uri),
        "interactionPolicy": {"canFeature": {"automaticApproval": [willing]}},
        "showFeatured": bool(account.show_featured),
        "showMedia": bool(account.show_media),
        "showRepliesInMedia": bool(account.show_media_replies),
    }


def render_key_holder(account: AccountView, public_key: str, links: Links) -> dict[str, Any]:
    """No more than it takes to check what they have signed and to answer it; anybody may have that."""
    uri = links.actor(account)
    return {
        "id": uri,
        "type": "Service" if account.bot else "Group" if account.is_group else "Person",
        "following": ids.following(uri),
        "followers": ids.followers(uri),
        "inbox": ids.inbox(uri),
        "outbox": ids.outbox(uri),
        "featured": ids.featured(uri),
        "featuredTags": ids.featured_tags(uri),
        "preferredUsername": account.username,
        "publicKey": _key(uri, public_key),
        "endpoints": {"sharedInbox": ids.shared_inbox(links)},
    }


def render_instance_actor(public_key: str, links: Links) -> dict[str, Any]:
    """The server itself, which signs what nobody in particular asks for."""
    uri = ids.instance_actor(links)
    return {
        "id": uri,
        "type": APPLICATION,
        "inbox": ids.inbox(uri),
        "outbox": ids.outbox(uri),
        "preferredUsername": links.domain,
        "name": links.domain,
        "url": f"{links.base}/about",
        "manuallyApprovesFollowers": True,
        "publicKey": _key(uri, public_key),
        "endpoints": {"sharedInbox": ids.shared_inbox(links)},
    }


def _key(actor: str, pem: str) -> dict[str, str]:
    return {"id": ids.main_key(actor), "owner": actor, "publicKeyPem": pem}


def _tags(view: ActorView, links: Links) -> list[dict[str, Any]]:
    named = {normalise_tag(tag.name): tag.name for tag in scan(view.account.note_source).hashtags}
    return [
        *(render_emoji(emoji, links) for emoji in view.emojis),
        *(render_hashtag(key, shown, links) for key, shown in named.items()),
    ]


def _fields(account: AccountView) -> list[dict[str, str]]:
    return [
        {"type": "PropertyValue", "name": field["name"], "value": field["html"]} for field in decode(account.fields)
    ]


def _where_else(view: ActorView, links: Links) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if view.also_known_as:
        more["alsoKnownAs"] = view.also_known_as
    if view.moved_to is not None:
        more["movedTo"] = links.actor(view.moved_to)
    domains = decode_strings(view.account.attribution_domains)
    if domains:
        more["attributionDomains"] = domains
    return more


def _pictures(account: AccountView, links: Links) -> dict[str, Any]:
    pictures = {}
    if account.avatar:
        pictures["icon"] = render_picture(account.avatar, account.avatar_description, links)
    if account.header:
        pictures["image"] = render_picture(account.header, account.header_description, links)
    return pictures
