"""The entity Account."""

from typing import Any

from phiomia.domain.accounts.state import AccountState
from phiomia.domain.accounts.views import AccountView
from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.statuses.quote_policy import may_quote, needs_relations
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.emoji import render_emoji
from phiomia.entities.links import Links
from phiomia.entities.quote import render_approval
from phiomia.entities.role import render_account_role
from phiomia.platform.clock import iso, iso_day, iso_midnight
from phiomia.platform.json import decode

# Of who may put somebody into a collection.
_APPROVAL: dict[str, Any] = {"automatic": ["public"], "manual": [], "current_user": "automatic"}
_NO_APPROVAL: dict[str, Any] = {"automatic": [], "manual": [], "current_user": "denied"}


def render_account(view: AccountView, emojis: list[EmojiView], links: Links) -> dict[str, Any]:
    """What anybody sees of an account (without `moved`, which the caller adds)."""
    hidden = view.state == AccountState.SUSPENDED
    page = links.account(view)
    avatar = links.no_avatar if hidden else links.avatar(view)
    header = links.no_header if hidden else links.header(view)
    account: dict[str, Any] = {
        "id": str(view.id),
        "username": view.username,
        "acct": view.acct,
        "display_name": "" if hidden else view.display_name,
        "locked": bool(view.locked) and not hidden,
        "bot": bool(view.bot) and not hidden,
        "discoverable": None if view.discoverable is None else bool(view.discoverable) and not hidden,
        "indexable": bool(view.indexable) and not hidden,
        "group": bool(view.is_group),
        "created_at": iso_midnight(view.created_at),
        "note": "" if hidden else view.note,
        "url": page,
        "uri": links.actor(view),
        "avatar": avatar,
        "avatar_static": avatar if hidden else links.avatar_static(view),
        "avatar_description": view.avatar_description,
        "header": header,
        "header_static": header if hidden else links.header_static(view),
        "header_description": view.header_description,
        "followers_count": view.followers_count,
        "following_count": view.following_count,
        "statuses_count": view.statuses_count,
        "last_status_at": None if view.last_status_at is None else iso_day(view.last_status_at),
        "hide_collections": None if view.hide_collections is None else bool(view.hide_collections),
        "show_media": bool(view.show_media),
        "show_media_replies": bool(view.show_media_replies),
        "show_featured": bool(view.show_featured),
        "feature_approval": _NO_APPROVAL if hidden else _approval_of(view),
        "emojis": [] if hidden else [render_emoji(emoji, links) for emoji in emojis],
        "fields": [] if hidden else render_fields(view.fields),
    }
    if view.local:
        account["noindex"] = not view.indexable
        account["roles"] = [render_account_role(view.shown_role)] if view.shown_role else []
    if view.memorial:
        account["memorial"] = True
    if hidden:
        account["suspended"] = True
    if view.state == AccountState.LIMITED:
        account["limited"] = True
    return account


def _approval_of(view: AccountView) -> dict[str, Any]:
    """Who may put the account into a collection. What depends on who follows whom is said when it is tried."""
    if view.local:
        return _APPROVAL if view.discoverable else _NO_APPROVAL
    policy = view.feature_policy
    current = (
        "missing" if not policy else may_quote(policy, Visibility.PUBLIC, own=False, follows=False, followed=False)
    )
    return render_approval(policy, "unknown" if current == "denied" and needs_relations(policy) else current)


def render_fields(stored: str, *, source: bool = False) -> list[dict[str, Any]]:
    """The profile's table: as HTML, or as typed for `source`."""
    return [
        {
            "name": field["name"],
            "value": field["value"] if source else field["html"],
            "verified_at": iso(field["verified_at"]) if field.get("verified_at") else None,
        }
        for field in decode(stored)
    ]
