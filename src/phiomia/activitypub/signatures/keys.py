"""Keys that sign and keys that check, loaded once."""

from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

PublicKey: TypeAlias = rsa.RSAPublicKey | ed25519.Ed25519PublicKey
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

RSA_SHA256 = "rsa-v1_5-sha256"
RSA_PSS_SHA512 = "rsa-pss-sha512"
ED25519 = "ed25519"

_SMALLEST_RSA = 1024
# Checking with a longer key takes so long that a stranger could keep us busy with it.
_LARGEST_RSA = 8192


class KeyRefused(ValueError):
    """Not a key, or of a kind that nobody signs with."""


@lru_cache(maxsize=4096)
def load_public(pem: str) -> PublicKey:
    """The public key of a PEM text; raises KeyRefused."""
    try:
        key = load_pem_public_key(pem.strip().encode())
    except Exception as error:
        # Besides ValueError there are errors of its own kinds for unknown curves and formats.
        raise KeyRefused(f"not a public key: {error}") from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyRefused(f"keys of kind {type(key).__name__} are not in use")
    if not _SMALLEST_RSA <= key.key_size <= _LARGEST_RSA:
        raise KeyRefused(f"an RSA key of {key.key_size} bits")
    return key


@lru_cache(maxsize=1024)
def load_private(pem: str) -> PrivateKey:
    """The private key of a PEM text of ours; raises KeyRefused."""
    try:
        # The check of the numbers takes 50 ms, and we made them ourselves.
        key = load_pem_private_key(pem.strip().encode(), None, unsafe_skip_rsa_key_validation=True)
    except Exception as error:
        raise KeyRefused(f"not a private key: {type(error).__name__}") from error
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise KeyRefused(f"keys of kind {type(key).__name__} are not in use")
    return key


def usual_algorithm(key: PublicKey | PrivateKey) -> str:
    """What a key signs with when nobody names an algorithm."""
    return ED25519 if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey) else RSA_SHA256


def sign(key: PrivateKey, message: bytes) -> bytes:
    """The signature of a message with the usual algorithm of the key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, padding.PKCS1v15(), SHA256())


def is_signed(key: PublicKey, algorithm: str, message: bytes, signature: bytes) -> bool:
    """Whether the key made this signature of the message with this algorithm."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            if algorithm != ED25519:
                return False
            key.verify(signature, message)
        elif algorithm == RSA_SHA256:
            key.verify(signature, message, padding.PKCS1v15(), SHA256())
        elif algorithm == RSA_PSS_SHA512:
            key.verify(signature, message, padding.PSS(padding.MGF1(SHA512()), SHA512().digest_size), SHA512())
        else:
            return False
    except InvalidSignature:
        return False
    return True
