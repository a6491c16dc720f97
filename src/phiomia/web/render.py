"""Templates become HTML. Jinja2 is loaded with the first page: a process that only answers apps never needs it."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phiomia.platform.clock import iso, iso_day
from phiomia.web.assets import static_url

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent / "templates"


def render(template: str, values: dict[str, Any]) -> bytes:
    """The page of a template; everything in it that is not markup of ours is escaped."""
    return _environment().get_template(template).render(values).encode("utf-8", "replace")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # A release's files never change while it runs.
        auto_reload=False,
        cache_size=-1,
    )
    environment.globals["static"] = static_url
    environment.filters["iso"] = iso
    environment.filters["day"] = iso_day
    environment.filters["moment"] = say_moment
    environment.filters["date"] = say_date
    return environment


def say_moment(text: str) -> str:
    """A moment of an entity in words: 3 Feb 2026, 14:05 UTC."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{say_date(text)}, {moment:%H:%M} UTC"


def say_date(text: str) -> str:
    """The day of an entity's moment in words: 3 Feb 2026."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"
