"""Addresses of things, as they stand in entities."""

from collections.abc import Callable

from phiomia.domain.accounts.views import AccountView


class Links:
    """Makes addresses from the server's base and the storage's."""

    def __init__(self, base: str, domain: str, media: Callable[[str], str]) -> None:
        self.base = base
        self.domain = domain
        self.media = media
        self.no_avatar = f"{base}/static/avatar.png"
        self.no_header = f"{base}/static/header.png"

    def avatar(self, view: AccountView) -> str:
        """The picture of an account: stored here, shown from its own server, or the one of those who have none."""
        return self.media(view.avatar) if view.avatar else self.elsewhere(view.avatar_remote_url) or self.no_avatar

    def header(self, view: AccountView) -> str:
        """The header of an account, likewise."""
        return self.media(view.header) if view.header else self.elsewhere(view.header_remote_url) or self.no_header

    def elsewhere(self, url: str) -> str:
        """Where a picture that another server has is shown from; empty if there is none."""
        return url

    def account(self, view: AccountView) -> str:
        """The page of an account."""
        return f"{self.base}/@{view.username}" if view.local else view.url or view.uri

    def actor(self, view: AccountView) -> str:
        """The ActivityPub id of an account."""
        return f"{self.base}/users/{view.username}" if view.local else view.uri

    def media_elsewhere(self, url: str | None) -> str | None:
        """Where clients get a file of another server: from there. This is the one place to put a proxy between."""
        return url or None

    def mention(self, username: str, domain: str, url: str) -> str:
        """The page of a mentioned account."""
        return url if domain else f"{self.base}/@{username}"

    def tag(self, name: str) -> str:
        """The page of a hashtag."""
        return f"{self.base}/tags/{name}"

    def status(self, username: str, status_id: int) -> str:
        """The page of a local status."""
        return f"{self.base}/@{username}/{status_id}"

    def status_uri(self, username: str, status_id: int) -> str:
        """The ActivityPub id of a local status."""
        return f"{self.base}/users/{username}/statuses/{status_id}"
