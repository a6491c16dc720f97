"""What a body hashes to: `Digest` of draft-cavage and `Content-Digest` of RFC 9530."""

from base64 import b64decode, b64encode
from hashlib import sha256
from hmac import compare_digest

from phiomia.activitypub.signatures import structured
from phiomia.activitypub.signatures.request import SignatureMalformed, SignatureRefused


def digest(body: bytes) -> str:
    """The value of the header Digest."""
    return f"SHA-256={b64encode(sha256(body).digest()).decode()}"


def content_digest(body: bytes) -> str:
    """The value of the header Content-Digest."""
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def check_digest(header: str, body: bytes) -> None:
    """Raises SignatureRefused unless the header Digest has exactly one SHA-256, and the body hashes to it."""
    found = [
        value.strip()
        for name, _, value in (part.partition("=") for part in header.split(","))
        if name.strip().lower() == "sha-256"
    ]
    if len(found) != 1:
        raise SignatureMalformed("the header Digest must have one SHA-256")
    try:
        told = b64decode(found[0], validate=True)
    except ValueError as error:
        raise SignatureMalformed("the SHA-256 of the header Digest is not base64") from error
    _compare(told, body)


def check_content_digest(header: str, body: bytes) -> None:
    """Raises SignatureRefused unless the header Content-Digest has a sha-256, and the body hashes to it."""
    try:
        told = structured.dictionary(header).get("sha-256")
    except structured.NotStructured as error:
        raise SignatureMalformed(f"the header Content-Digest cannot be read: {error}") from error
    if told is None or not isinstance(told.value, bytes):
        raise SignatureMalformed("the header Content-Digest must have a sha-256")
    _compare(told.value, body)


def _compare(told: bytes, body: bytes) -> None:
    if not compare_digest(told, sha256(body).digest()):
        raise SignatureRefused("the body does not hash to its digest")
