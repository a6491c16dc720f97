"""Registering an app."""

from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from phiomia.domain.errors import Invalid
from phiomia.domain.oauth.models import apps
from phiomia.domain.oauth.queries import App
from phiomia.domain.oauth.scopes import DEFAULT, split, unknown
from phiomia.platform.clock import now_ms
from phiomia.platform.db import WriteSession, insert_into
from phiomia.platform.ids import new_id
from phiomia.platform.limits import APP_NAME, APP_URI
from phiomia.platform.random_text import make_random_text

OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
_FORBIDDEN_SCHEMES: Final = frozenset({"data", "vbscript", "javascript"})

_INSERT = insert_into(
    apps, "id", "name", "website", "redirect_uris", "scopes", "client_id", "client_secret", "created_at"
)


class AppDraft(NamedTuple):
    """An app that may be registered."""

    name: str
    redirect_uris: tuple[str, ...]
    scopes: str
    website: str | None


def draft_app(name: str, redirect_uris: Iterable[str], scopes: str = "", website: str | None = None) -> AppDraft:
    """The app with everything checked. Raises Invalid with every fault there is."""
    uris = tuple(dict.fromkeys(uri for text in redirect_uris for uri in text.split()))
    names = list(dict.fromkeys(split(scopes))) or [DEFAULT]
    name, website = name.strip(), (website or "").strip() or None
    found = {
        "client_name": _find_name_fault(name),
        "redirect_uris": _find_uris_fault(uris),
        "scopes": ("ERR_INVALID", f"hold unknown ones: {' '.join(bad)}"[:200]) if (bad := unknown(names)) else None,
        "website": _find_website_fault(website),
    }
    faults = {field: [fault] for field, fault in found.items() if fault is not None}
    if faults:
        words = ", ".join(f"{field} {many[0][1]}" for field, many in faults.items())
        raise Invalid(f"Validation failed: {words}", faults)
    return AppDraft(name, uris, " ".join(names), website)


async def register_app(session: WriteSession, draft: AppDraft) -> App:
    """Writes the app, with fresh credentials."""
    app = App(
        id=new_id(),
        name=draft.name,
        website=draft.website,
        redirect_uris="\n".join(draft.redirect_uris),
        scopes=draft.scopes,
        client_id=make_random_text(),
        client_secret=make_random_text(),
        created_at=now_ms(),
    )
    await session.execute(
        _INSERT,
        id=app.id,
        name=app.name,
        website=app.website,
        redirect_uris=app.redirect_uris,
        scopes=app.scopes,
        client_id=app.client_id,
        client_secret=app.client_secret,
        created_at=app.created_at,
    )
    return app


def _find_name_fault(name: str) -> tuple[str, str] | None:
    if not name:
        return ("ERR_BLANK", "can't be empty")
    return ("ERR_TOO_LONG", f"may have {APP_NAME} characters at most") if len(name) > APP_NAME else None


def _find_uris_fault(uris: tuple[str, ...]) -> tuple[str, str] | None:
    if not uris:
        return ("ERR_BLANK", "can't be empty")
    if any(len(uri) > APP_URI for uri in uris):
        return ("ERR_TOO_LONG", f"may have {APP_URI} characters at most, each")
    bad = next((uri for uri in uris if not _is_redirect_uri(uri)), None)
    return ("ERR_INVALID", f"must be absolute addresses that code may be sent to: {bad[:80]}") if bad else None


def _is_redirect_uri(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    if not parts.scheme or parts.fragment or parts.scheme in _FORBIDDEN_SCHEMES or not uri.isprintable():
        return False
    return bool(parts.netloc) if parts.scheme in ("http", "https") else bool(parts.netloc or parts.path)


def _find_website_fault(website: str | None) -> tuple[str, str] | None:
    if website is None:
        return None
    if len(website) > APP_URI:
        return ("ERR_TOO_LONG", f"may have {APP_URI} characters at most")
    try:
        parts = urlsplit(website)
    except ValueError:
        return ("ERR_INVALID", "is not an address")
    return None if parts.scheme in ("http", "https") and parts.netloc else ("ERR_INVALID", "is not a web address")
