"""The entity CredentialAccount: an Account with what only its owner sees. Spliced from the account's bytes."""

from typing import Any

import msgspec

from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.users.preferences import Preferences
from phiomia.entities.account import render_fields
from phiomia.entities.role import render_role
from phiomia.platform.json import decode_strings


def render_source(view: AccountView, chosen: Preferences, follow_requests: int) -> dict[str, Any]:
    """The profile as it was typed, and what new posts begin with."""
    return {
        "privacy": Visibility(chosen.visibility).word,
        "sensitive": chosen.sensitive,
        "language": chosen.language,
        "note": view.note_source,
        "fields": render_fields(view.fields, source=True),
        "follow_requests_count": follow_requests,
        "hide_collections": None if view.hide_collections is None else bool(view.hide_collections),
        "discoverable": None if view.discoverable is None else bool(view.discoverable),
        "indexable": bool(view.indexable),
        "attribution_domains": decode_strings(view.attribution_domains),
        "quote_policy": chosen.quote_policy,
    }


def splice_credential_account(account: bytes, view: AccountView, chosen: Preferences, follow_requests: int) -> bytes:
    """The entity as bytes; `account` is the Account entity."""
    source = msgspec.json.encode(render_source(view, chosen, follow_requests))
    role = msgspec.json.encode(render_role(chosen.role))
    return b"".join((account[:-1], b',"source":', source, b',"role":', role, b"}"))
