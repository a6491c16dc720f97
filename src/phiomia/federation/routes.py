"""Which document is where."""

from collections.abc import Mapping
from typing import Any

from phiomia.federation import actors, collections, discovery, quotes, recommendations, statuses
from phiomia.federation.context import Federation
from phiomia.federation.negotiation import Negotiating
from phiomia.federation.responder import Handler, documents_only, resource, responder
from phiomia.platform.asgi import App

_ACCOUNT = "/users/{username}"
_STATUS = f"{_ACCOUNT}/statuses/{{status_id}}"

# These addresses have a page as well.
_SHARED: Mapping[str, Handler] = {
    _ACCOUNT: actors.give_actor,
    "/@{username}": actors.give_actor,
    _STATUS: statuses.give_status,
    "/@{username}/{status_id}": statuses.give_status,
    f"{_ACCOUNT}/collections/{{collection_id}}": recommendations.give_collection,
}
_DOCUMENTS: Mapping[str, Handler] = {
    "/actor": actors.give_instance_actor,
    "/actor/outbox": actors.give_instance_outbox,
    f"{_ACCOUNT}/outbox": collections.give_outbox,
    f"{_ACCOUNT}/followers": collections.give_followers,
    f"{_ACCOUNT}/following": collections.give_following,
    f"{_ACCOUNT}/followers_synchronization": collections.give_followers_of_asker,
    f"{_ACCOUNT}/collections/featured": collections.give_featured,
    f"{_ACCOUNT}/collections/tags": collections.give_featured_tags,
    f"{_ACCOUNT}/featured_collections": recommendations.give_collections,
    f"{_ACCOUNT}/collection_items/{{item_id}}": recommendations.give_item,
    f"{_ACCOUNT}/feature_authorizations/{{item_id}}": recommendations.give_feature_authorization,
    f"{_ACCOUNT}/quote_authorizations/{{status_id}}": quotes.give_authorization,
    f"{_STATUS}/activity": statuses.give_activity,
    f"{_STATUS}/replies": collections.give_replies,
    f"{_STATUS}/likes": collections.give_likes,
    f"{_STATUS}/shares": collections.give_shares,
    "/contexts/{conversation_id}": collections.give_context,
    "/emojis/{emoji_id}": actors.give_emoji,
}
_DISCOVERY: Mapping[str, Handler] = {
    "/.well-known/webfinger": discovery.give_webfinger,
    "/.well-known/host-meta": discovery.give_host_meta,
    "/.well-known/host-meta.json": discovery.give_host_meta,
    "/.well-known/nodeinfo": discovery.give_nodeinfo_links,
    "/nodeinfo/2.0": discovery.give_nodeinfo("2.0"),
    "/nodeinfo/2.1": discovery.give_nodeinfo("2.1"),
}


def mount_federation(app: App, federation: Federation) -> Any:
    """Adds every document to the Falcon app. Gives what pages are to be mounted on instead of it."""
    for template, handler in _DOCUMENTS.items():
        app.add_route(template, resource(federation, documents_only(handler)))
    for template, handler in _DISCOVERY.items():
        app.add_route(template, resource(federation, handler))
    return Negotiating(app, {template: responder(federation, handler) for template, handler in _SHARED.items()})
