"""Idempotency-Key: a client that did not get the answer may ask again."""

from hashlib import sha256

from phiomia.api.endpoint import Call


def find_key(call: Call) -> str | None:
    """The request's key in a form of bounded length, or None."""
    given: str | None = call.req.get_header("Idempotency-Key")
    return sha256(given.encode("utf-8", "surrogatepass")).hexdigest() if given else None
