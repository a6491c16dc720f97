"""Random secrets that people carry, in cookies and links. Only digests are stored: a stolen table opens nothing."""

from hashlib import sha256

from phiomia.platform.random_text import make_random_text

_BYTES = 32


def make_secret() -> str:
    """43 characters fit for a URL or a cookie, of 256 random bits."""
    return make_random_text(_BYTES)


def digest_secret(secret: str) -> bytes:
    """What is stored of it."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
