"""What has happened to apps and tokens."""

from phiomia.platform.events import Event


class TokensRevoked(Event, frozen=True):
    """Tokens that open nothing any more; their rows are gone."""

    token_ids: list[int]
