"""The key with which the server shows push services that it is the one an app subscribed to."""

import hashlib
import hmac

from phiomia.domain.instance.secrets import keep_fact
from phiomia.platform.db import Database
from phiomia.platform.webpush import make_private_key

_NAME = "vapid_private_key"


async def load_vapid_key(db: Database) -> bytes:
    """The private key in DER, made at the first start."""
    return await keep_fact(db, _NAME, make_private_key)


def derive_secret(private_key: bytes, purpose: str) -> bytes:
    """A secret for one further purpose, so that none has to be kept for it: 32 bytes."""
    return hmac.digest(private_key, purpose.encode(), hashlib.sha256)
