"""Messages for Web Push: the example of RFC 8291, and one that another library made in the older encoding."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from phiomia.platform.webpush import Keys, make_private_key, public_point, read_keys, seal, seal_legacy, sign_claims

TEXT = b"When I grow up, I want to be a watermelon"
POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SENDER_POINT = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
STANDARD = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
# Made with http-ece 1.2.1 from the same keys.
LEGACY = "4qwOLFm_mNy0vf1A8f3Bm6B5UD15y3aV_xZy14pixUhcPTIoZKHzq5i3dZ6PzqSMxBI_-VDUZ4jW04M"


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _sender() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(_bytes(SENDER), "big"), ec.SECP256R1())


def _keys() -> Keys:
    keys = read_keys(POINT, AUTH)
    assert keys is not None
    return keys


def test_the_example_of_the_standard() -> None:
    sealed = seal(TEXT, _keys(), private=_sender(), salt=_bytes(SALT))
    assert sealed.body == _bytes(STANDARD)
    assert sealed.headers == {"Content-Encoding": "aes128gcm"}


def test_the_older_encoding() -> None:
    sealed = seal_legacy(TEXT, _keys(), private=_sender(), salt=_bytes(SALT))
    assert sealed.body == _bytes(LEGACY)
    assert sealed.headers == {
        "Content-Encoding": "aesgcm",
        "Encryption": f"salt={SALT}",
        "Crypto-Key": f"dh={SENDER_POINT}",
    }


@pytest.mark.parametrize(
    ("point", "auth"),
    [
        ("", AUTH),
        (POINT, ""),
        (POINT[:-4], AUTH),
        (POINT[:40] + "AAAA" + POINT[44:], AUTH),
        ("ü", AUTH),
        (POINT, POINT),
    ],
)
def test_what_can_not_be_keys(point: str, auth: str) -> None:
    assert read_keys(point, auth) is None


def test_keys_with_padding_and_in_the_other_alphabet() -> None:
    usual = POINT.replace("-", "+").replace("_", "/") + "="
    assert read_keys(usual, AUTH + "==") == _keys()


def test_the_sender_shows_who_it_is() -> None:
    private = make_private_key()
    head, claims, signature = sign_claims(private, "https://push.example", "mailto:a@b.example", 1_700_000_000).split(
        "."
    )
    assert json.loads(_bytes(head)) == {"typ": "JWT", "alg": "ES256"}
    assert json.loads(_bytes(claims)) == {
        "aud": "https://push.example",
        "exp": 1_700_000_000,
        "sub": "mailto:a@b.example",
    }
    raw = _bytes(signature)
    assert len(raw) == 64
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_point(private))
    proof = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(proof, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
