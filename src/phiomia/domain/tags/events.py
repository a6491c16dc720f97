"""What has happened between members and hashtags."""

from phiomia.platform.events import Event


class TagFollowed(Event, frozen=True):
    """A member wants to see what is posted with a hashtag."""

    account_id: int
    tag_id: int


class TagUnfollowed(Event, frozen=True):
    """A member no longer wants to."""

    account_id: int
    tag_id: int


class TagFeatured(Event, frozen=True):
    """A member shows a hashtag on the profile, or with `gone` no longer. `key` is what it is found by."""

    account_id: int
    key: str
    name: str
    gone: bool = False
