"""The entity OEmbed."""

from typing import Any

from phiomia.domain.accounts.views import AccountView
from phiomia.domain.statuses.views import StatusRow
from phiomia.entities.links import Links
from phiomia.platform.html import escape

_CACHE_SECONDS = 86_400


def render_oembed(
    row: StatusRow, author: AccountView, links: Links, provider: str, width: int, height: int | None
) -> dict[str, Any]:
    """A post for other pages: its text as a quotation that needs no script, and where it stands."""
    name, page = author.display_name or author.username, links.status(author.username, row.id)
    words = f"<p>{escape(row.spoiler_text)}</p>" if row.spoiler_text else row.content
    cited = f'<p>— {escape(name)} (@{escape(author.username)}@{escape(links.domain)})</p><p><a href="{escape(page)}">'
    return {
        "type": "rich",
        "version": "1.0",
        "title": f"New status by {author.username}",
        "author_name": name,
        "author_url": links.account(author),
        "provider_name": provider,
        "provider_url": f"{links.base}/",
        "cache_age": _CACHE_SECONDS,
        "html": f'<blockquote cite="{escape(page)}">{words}{cited}{escape(page)}</a></p></blockquote>',
        "width": width,
        "height": height,
    }
