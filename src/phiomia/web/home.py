"""The front door."""

from phiomia.web.visit import Visit


async def show_home(visit: Visit) -> None:
    """What this server is, and the ways in."""
    visit.show("home", open_to_all=visit.context.config.registrations.mode != "closed")


async def show_about(visit: Visit) -> None:
    """More about it: whom to write to, and the rules."""
    visit.show("about")
