"""The access token of a subscription, sealed: apps want to find it in what is pushed, and nobody else shall read it."""

import hashlib
import hmac
import os

from phiomia.domain.instance.vapid_key import derive_secret

_NONCE = 12


def seal_token(private_key: bytes, token_id: int, token: str) -> bytes:
    """The token as it is stored."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    box = AESGCM(derive_secret(private_key, "push token"))
    return nonce + box.encrypt(nonce, token.encode(), str(token_id).encode())


def open_token(private_key: bytes, token_id: int, sealed: bytes) -> str:
    """The token again."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    box = AESGCM(derive_secret(private_key, "push token"))
    return box.decrypt(sealed[:_NONCE], sealed[_NONCE:], str(token_id).encode()).decode()


def sign_subscription(private_key: bytes, subscription_id: int) -> str:
    """What a push service needs to end a subscription without signing in: the id and a proof."""
    return f"{subscription_id}-{_proof(private_key, subscription_id)}"


def read_subscription(private_key: bytes, signed: str) -> int | None:
    """The id behind it; None if the proof is wrong."""
    number, _, proof = signed.partition("-")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    return int(number) if hmac.compare_digest(proof.encode(), _proof(private_key, int(number)).encode()) else None


def _proof(private_key: bytes, subscription_id: int) -> str:
    secret = derive_secret(private_key, "push unsubscribe")
    return hmac.new(secret, str(subscription_id).encode(), hashlib.sha256).hexdigest()[:32]
