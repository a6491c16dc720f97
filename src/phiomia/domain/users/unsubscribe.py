"""Addresses in mails that end mails of their kind, without signing in."""

import hashlib
import hmac
from typing import NamedTuple

from phiomia.domain.instance.vapid_key import derive_secret
from phiomia.domain.users.mail_alerts import BITS

_PURPOSE = "mail unsubscribe"


class Ending(NamedTuple):
    """Who gets no more mails about what."""

    user_id: int
    type: str


def sign_ending(private_key: bytes, ending: Ending) -> str:
    """What stands in the address."""
    return f"{ending.user_id}-{ending.type}-{_proof(private_key, ending)}"


def read_ending(private_key: bytes, signed: str) -> Ending | None:
    """The same, read; None when it is not ours."""
    number, _, rest = signed.partition("-")
    type_, _, proof = rest.partition("-")
    if type_ not in BITS or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    ending = Ending(int(number), type_)
    return ending if hmac.compare_digest(proof.encode(), _proof(private_key, ending).encode()) else None


def _proof(private_key: bytes, ending: Ending) -> str:
    secret = derive_secret(private_key, _PURPOSE)
    return hmac.new(secret, f"{ending.user_id}:{ending.type}".encode(), hashlib.sha256).hexdigest()[:32]
