"""Random secrets that people carry, in cookies and links. Only digests are stored: a stolen table opens nothing."""

import secrets
from hashlib import sha256

_BYTES = 32


def make_secret() -> str:
    """43 characters fit for a URL or a cookie, of 256 random bits."""
    return secrets.token_urlsafe(_BYTES)


def digest_secret(secret: str) -> bytes:
    """What is stored of it."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
