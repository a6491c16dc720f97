"""To whom a status or a boost is addressed. `to` and `cc` together tell other servers its visibility."""

from typing import NamedTuple

from phiomia.domain.statuses.documents import BoostView, NoteView
from phiomia.domain.statuses.visibility import Visibility
from phiomia.entities.links import Links
from phiomia.federation.documents import ids


class Audience(NamedTuple):
    """The two lists."""

    to: list[str]
    cc: list[str]


def audience_of_note(view: NoteView, links: Links) -> Audience:
    """Whom a status is for: the visibility's own audience, then those addressed."""
    people = [ids.actor_named(links, one.username, one.uri) for one in view.addressed]
    return _audience(view.status.row.visibility, ids.followers(links.actor(view.author)), people)


def audience_of_boost(view: BoostView, links: Links) -> Audience:
    """Whom a boost is for: also the author of what is shared."""
    people = [ids.author(links, view.original)]
    return _audience(view.row.visibility, ids.followers(links.actor(view.author)), people)


def _audience(visibility: int, followers: str, people: list[str]) -> Audience:
    match visibility:
        case Visibility.PUBLIC:
            return Audience([ids.PUBLIC], [followers, *people])
        case Visibility.UNLISTED:
            return Audience([followers], [ids.PUBLIC, *people])
        case Visibility.PRIVATE:
            return Audience([followers], people)
    return Audience(people, [])
