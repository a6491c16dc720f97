"""A request as signatures see it, and why one is refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit


class SignatureRefused(Exception):
    """The request is not from who it says. The text is for the sender to read."""


class SignatureMissing(SignatureRefused):
    """The request is not signed."""


class SignatureMalformed(SignatureRefused):
    """The signature cannot be read: a bad request, whoever sent it."""


class KeyUnknown(SignatureRefused):
    """No key is known by that name."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `url` has the public scheme and host, and path and query as received; names are in lower case."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @classmethod
    def of(cls, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Self:
        """A request with its headers cleaned: names in lower case, values trimmed, folded lines joined."""
        clean = tuple((name.lower(), " ".join(part.strip() for part in value.splitlines())) for name, value in headers)
        return cls(method.upper(), url, tuple((name, value.strip()) for name, value in clean), body)

    def values(self, name: str) -> list[str]:
        """The values of a header, in their order."""
        return [value for key, value in self.headers if key == name]

    def value(self, name: str) -> str | None:
        """The value of a header; one that was sent several times is joined by commas."""
        values = self.values(name)
        return ", ".join(values) if values else None

    def single(self, name: str) -> str | None:
        """The value of a header that must not be sent twice."""
        values = self.values(name)
        if len(values) > 1:
            raise SignatureMalformed(f"the header {name} was sent twice")
        return values[0] if values else None

    @property
    def has_body(self) -> bool:
        """Whether a body belongs to the request, so that its digest must be signed."""
        return bool(self.body) or self.method not in ("GET", "HEAD")

    @property
    def authority(self) -> str:
        """Host, and the port unless it is the usual one, in lower case."""
        return authority(self.url)

    @property
    def target(self) -> str:
        """Path and query, exactly as in the URL."""
        rest = self.url.partition("://")[2]
        for place, letter in enumerate(rest):
            if letter in "/?":
                return rest[place:] if letter == "/" else f"/{rest[place:]}"
        return "/"


def authority(url: str) -> str:
    """Host, and the port unless it is the usual one of the scheme, in lower case."""
    parts = urlsplit(url)
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return parts.netloc.lower().removesuffix(usual) if usual else parts.netloc.lower()
