"""The entity NotificationFallback: words for apps that don't know a type."""

from html import escape

import msgspec

from phiomia.domain.notifications.words import say


class _Named(msgspec.Struct):
    display_name: str
    acct: str


_decode = msgspec.json.Decoder(_Named).decode


def render_fallback(type_: str, account: bytes, others: int = 0) -> bytes:
    """The words; `account` is the sender as rendered, `others` how many more did the same."""
    named = _decode(account)
    title = escape(say(type_, named.display_name or named.acct, others), quote=False)
    return msgspec.json.encode({"title": title, "summary": escape(f"@{named.acct}", quote=False)})
