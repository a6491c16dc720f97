"""Multibase and Multikey: Ed25519 keys and signatures as short texts."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_PUBLIC = b"\xed\x01"
_PRIVATE = b"\x80\x26"
# Reading takes time that grows with the square of the length, and nothing here is longer than a signature.
_LONGEST = 128


def read_public(text: str) -> Ed25519PublicKey:
    """The key of a `publicKeyMultibase`; raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(_without(_PUBLIC, decode(text)))


def write_public(key: Ed25519PublicKey) -> str:
    """The `publicKeyMultibase` of a key."""
    return encode(_PUBLIC + key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def read_private(text: str) -> Ed25519PrivateKey:
    """The key of a `secretKeyMultibase`; raises ValueError."""
    return Ed25519PrivateKey.from_private_bytes(_without(_PRIVATE, decode(text)))


def decode(text: str) -> bytes:
    """The bytes of a multibase text in base58btc; raises ValueError."""
    if not text.startswith("z") or len(text) > _LONGEST:
        raise ValueError("not a text in base58btc")
    number = 0
    for letter in text[1:]:
        if letter not in _VALUES:
            raise ValueError(f"{letter!r} is not of base58")
        number = number * 58 + _VALUES[letter]
    zeros = len(text) - 1 - len(text[1:].lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode(data: bytes) -> str:
    """Bytes as a multibase text in base58btc."""
    number, letters = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        letters = _LETTERS[rest] + letters
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "z" + "1" * zeros + letters


def _without(prefix: bytes, data: bytes) -> bytes:
    if not data.startswith(prefix):
        raise ValueError("not an Ed25519 key")
    return data[len(prefix) :]
