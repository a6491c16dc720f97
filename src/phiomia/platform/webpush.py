"""What Web Push puts on the wire: messages only the subscriber can read (RFC 8291), and who sends them (RFC 8292).

Beside the standard `aes128gcm` there is `aesgcm`, the draft before it, which older apps still decrypt.
"""

import base64
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

_POINT: Final = 65
_SECRET: Final = 16
_RECORD: Final = 4_096


class Keys(NamedTuple):
    """What a subscriber made for us: a public key (an uncompressed point of P-256), and a secret."""

    p256dh: bytes
    auth: bytes


class Sealed(NamedTuple):
    """A message as it is sent, with the headers that belong to it."""

    body: bytes
    headers: dict[str, str]


def read_keys(p256dh: str, auth: str) -> Keys | None:
    """The keys from their base64; None when they can't be keys."""
    point, secret = _decode(p256dh), _decode(auth)
    if point is None or secret is None or len(point) != _POINT or len(secret) != _SECRET:
        return None
    try:
        _read_point(point)
    except ValueError:
        return None
    return Keys(point, secret)


def seal(
    message: bytes, keys: Keys, *, private: "ec.EllipticCurvePrivateKey | None" = None, salt: bytes = b""
) -> Sealed:
    """A message for one subscriber in the standard encoding; key and salt are fresh unless a test gives them."""
    salt, point, shared = _agree(keys, private, salt)
    mixed = _derive(shared, keys.auth, b"WebPush: info\0" + keys.p256dh + point, 32)
    key = _derive(mixed, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(mixed, salt, b"Content-Encoding: nonce\0", 12)
    head = salt + _RECORD.to_bytes(4, "big") + bytes((_POINT,)) + point
    # The delimiter of the last record; ours is always the only one.
    return Sealed(head + _encrypt(key, nonce, message + b"\x02"), {"Content-Encoding": "aes128gcm"})


def seal_legacy(
    message: bytes, keys: Keys, *, private: "ec.EllipticCurvePrivateKey | None" = None, salt: bytes = b""
) -> Sealed:
    """The same in the encoding of the draft: salt and key are headers."""
    salt, point, shared = _agree(keys, private, salt)
    mixed = _derive(shared, keys.auth, b"Content-Encoding: auth\0", 32)
    size = _POINT.to_bytes(2, "big")
    context = b"P-256\0" + size + keys.p256dh + size + point
    key = _derive(mixed, salt, b"Content-Encoding: aesgcm\0" + context, 16)
    nonce = _derive(mixed, salt, b"Content-Encoding: nonce\0" + context, 12)
    return Sealed(
        _encrypt(key, nonce, b"\0\0" + message),
        {"Content-Encoding": "aesgcm", "Encryption": f"salt={encode(salt)}", "Crypto-Key": f"dh={encode(point)}"},
    )


def sign_claims(private_key: bytes, audience: str, subject: str, expires: int) -> str:
    """The token that shows a push service who sends; `private_key` is DER, `expires` in seconds."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    claims = {"aud": audience, "exp": expires, "sub": subject}
    signed = f"{_HEAD}.{encode(msgspec.json.encode(claims))}"
    r, s = utils.decode_dss_signature(_load(private_key).sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def public_point(private_key: bytes) -> bytes:
    """The public key that belongs to a private one in DER."""
    return _write_point(_load(private_key).public_key())


def make_private_key() -> bytes:
    """A new private key, in DER."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def encode(data: bytes) -> str:
    """Base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_HEAD: Final = encode(b'{"typ":"JWT","alg":"ES256"}')


def _decode(text: str) -> bytes | None:
    plain = text.strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None


def _agree(keys: Keys, private: "ec.EllipticCurvePrivateKey | None", salt: bytes) -> tuple[bytes, bytes, bytes]:
    from cryptography.hazmat.primitives.asymmetric import ec

    own = private or ec.generate_private_key(ec.SECP256R1())
    shared = own.exchange(ec.ECDH(), _read_point(keys.p256dh))
    return salt or os.urandom(16), _write_point(own.public_key()), shared


def _derive(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(hashes.SHA256(), size, salt, info).derive(secret)


def _encrypt(key: bytes, nonce: bytes, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key).encrypt(nonce, text, None)


def _read_point(point: bytes) -> "ec.EllipticCurvePublicKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def _write_point(key: "ec.EllipticCurvePublicKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


@lru_cache(maxsize=4)
def _load(private_key: bytes) -> "ec.EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_der_private_key(private_key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
