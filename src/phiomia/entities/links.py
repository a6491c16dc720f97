"""Addresses of things, as they stand in entities."""

from collections.abc import Callable
from typing import Literal

from phiomia.domain.accounts.views import AccountView
from phiomia.domain.media.proxied import RemoteKind, digest_of

Version = Literal["original", "small"]


class Links:
    """Makes addresses from the server's base and the storage's."""

    def __init__(self, base: str, domain: str, media: Callable[[str], str], *, proxy: bool = False) -> None:
        self._proxy = proxy
        self.base = base
        self.domain = domain
        self.media = media
        # By these addresses apps see that there is no picture, and leave the room or draw one of their own.
        self.no_avatar = f"{base}/avatars/original/missing.png"
        self.no_header = f"{base}/headers/original/missing.png"

    def avatar(self, view: AccountView) -> str:
        """The picture of an account: stored here, shown from its own server, or the one of those who have none."""
        return self.media(view.avatar) if view.avatar else self._avatar_elsewhere(view, "original")

    def avatar_static(self, view: AccountView) -> str:
        """The same picture, standing still."""
        return self.media(view.avatar_static) if view.avatar_static else self._avatar_elsewhere(view, "small")

    def header(self, view: AccountView) -> str:
        """The header of an account, likewise."""
        return self.media(view.header) if view.header else self._header_elsewhere(view, "original")

    def header_static(self, view: AccountView) -> str:
        """The same picture, standing still."""
        return self.media(view.header_static) if view.header_static else self._header_elsewhere(view, "small")

    def elsewhere(self, kind: RemoteKind, owner_id: int, url: str | None, version: Version = "original") -> str:
        """Where a file that another server has is shown from: through us, or from there; empty if there is none."""
        if not url or not self._proxy:
            return url or ""
        return f"{self.base}/media/proxy/{kind.name.lower()}/{owner_id}/{digest_of(url)}/{version}"

    def _avatar_elsewhere(self, view: AccountView, version: Version) -> str:
        return self.elsewhere(RemoteKind.AVATAR, view.id, view.avatar_remote_url, version) or self.no_avatar

    def _header_elsewhere(self, view: AccountView, version: Version) -> str:
        return self.elsewhere(RemoteKind.HEADER, view.id, view.header_remote_url, version) or self.no_header

    def account(self, view: AccountView) -> str:
        """The page of an account."""
        return f"{self.base}/@{view.username}" if view.local else view.url or view.uri

    def actor(self, view: AccountView) -> str:
        """The ActivityPub id of an account."""
        return f"{self.base}/users/{view.username}" if view.local else view.uri

    def mention(self, username: str, domain: str, url: str) -> str:
        """The page of a mentioned account."""
        return url if domain else f"{self.base}/@{username}"

    def tag(self, name: str) -> str:
        """The page of a hashtag."""
        return f"{self.base}/tags/{name}"

    def tag_of(self, username: str, name: str) -> str:
        """The page of what a member has posted with a hashtag."""
        return f"{self.base}/@{username}/tagged/{name}"

    def status(self, username: str, status_id: int) -> str:
        """The page of a local status."""
        return f"{self.base}/@{username}/{status_id}"

    def collection(self, collection_id: int) -> str:
        """The page of a local collection."""
        return f"{self.base}/collections/{collection_id}"

    def status_uri(self, username: str, status_id: int) -> str:
        """The ActivityPub id of a local status."""
        return f"{self.base}/users/{username}/statuses/{status_id}"
