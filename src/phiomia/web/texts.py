"""The server's own texts: privacy policy and terms of service."""

from phiomia.domain.moderation.texts import NO_POLICY, TextKind, list_versions, load_terms, load_text
from phiomia.platform.clock import iso_day
from phiomia.web.visit import Visit


async def show_privacy(visit: Visit) -> None:
    """What becomes of what one gives to the server."""
    async with visit.context.db.read() as session:
        text = await load_text(session, TextKind.PRIVACY)
    since = "" if text is None else iso_day(text.updated_at)
    content = NO_POLICY if text is None else text.content
    visit.show_public("text", title="Privacy policy", content=content, since=since, others=[], successor=None)


async def show_terms(visit: Visit) -> None:
    """What one agrees to by being here: the version in force, or that of a date."""
    date = visit.path.get("date")
    async with visit.context.db.read() as session:
        view = await load_terms(session, date)
        versions = await list_versions(session, TextKind.TERMS)
    visit.show_public(
        "text",
        title="Terms of service",
        content=view.text.content,
        since=view.text.effective_date,
        others=[one.effective_date for one in versions if one.effective_date != view.text.effective_date],
        successor=view.succeeded_by,
    )
