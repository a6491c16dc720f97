"""Published vectors: the same strings are signed, and the same signatures hold."""

import asyncio
import struct
from base64 import b64decode
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from phiomia.activitypub import multikey, proofs
from phiomia.activitypub.jcs import canonical
from phiomia.activitypub.signatures import cavage, rfc9421
from phiomia.activitypub.signatures.keys import is_signed, load_public
from phiomia.activitypub.signatures.request import Request, SignatureMalformed, SignatureMissing, SignatureRefused

from .material import Ring, load, message

CAVAGE = load("vectors/cavage-12-appendix-c.json")
RFC9421 = load("vectors/rfc9421-appendix-b.json")
PROOF = load("vectors/fep-8b32.json")
JCS = load("vectors/rfc8785.json")
NOW = 1_700_000_000.0


@pytest.mark.parametrize("case", CAVAGE["cases"], ids=lambda case: case["name"])
def test_cavage_strings_and_signatures(case: dict[str, Any]) -> None:
    text = cavage.signing_string(message(CAVAGE["request"]), case["headers"], {})
    assert text.decode() == case["signing_string"]
    key = load_public(CAVAGE["public_pem"])
    assert is_signed(key, "rsa-v1_5-sha256", text, b64decode(case["signature"]))
    assert not is_signed(key, "rsa-v1_5-sha256", text + b" ", b64decode(case["signature"]))


@pytest.mark.parametrize(
    "case", [case for case in RFC9421["cases"] if case["message"] == "test-request"], ids=lambda case: case["name"]
)
def test_rfc9421_bases_and_signatures(case: dict[str, Any]) -> None:
    plain = message(RFC9421["messages"]["test-request"])
    signed = (("signature-input", case["signature_input_header"]), ("signature", case["signature_header"]))
    request = Request(plain.method, plain.url, plain.headers + signed, plain.body)
    covered, signature = rfc9421.read_headers(request)
    base = rfc9421.base(request, covered)
    assert base.decode() == case["signature_base"]
    if case["algorithm"] == "hmac-sha256":
        # Nobody shares a secret with us: the base is what counts.
        return
    key = load_public(RFC9421["keys"][case["keyid"]]["public_pem"])
    assert is_signed(key, case["algorithm"], base, signature)
    assert not is_signed(key, case["algorithm"], base + b" ", signature)
    assert not is_signed(key, "hmac-sha256", base, signature)


def test_jcs() -> None:
    assert canonical(msgspec.json.decode(JCS["sample"]["input"])).decode() == JCS["sample"]["canonical"]
    sorted_again = msgspec.json.decode(canonical(JCS["sorting"]["input"]))
    assert list(sorted_again.values()) == JCS["sorting"]["order"]
    for bits, text in JCS["numbers"]:
        (number,) = struct.unpack(">d", bytes.fromhex(bits))
        assert canonical(number).decode() == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1: 2}, {1}, 10**400])
def test_jcs_refuses_what_is_not_json(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


def test_jcs_ends_when_nested_deeply() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(ValueError):
        canonical(deep)


def _check(document: dict[str, Any], now: float = NOW, key: str = PROOF["public_key_multibase"]) -> str:
    return asyncio.run(proofs.verify_proof(document, Ring(multikey.read_public(key)), now=now)).key_id


def test_a_proof_holds_and_is_made_alike() -> None:
    signed = PROOF["signed"]
    assert _check(signed) == signed["proof"]["verificationMethod"]
    key = multikey.read_private(PROOF["secret_key_multibase"])
    assert multikey.write_public(key.public_key()) == PROOF["public_key_multibase"]
    made = proofs.prove(PROOF["document"], signed["proof"]["verificationMethod"], key, signed["proof"]["created"])
    assert made == signed


def test_contexts_added_behind_do_not_break_a_proof() -> None:
    document = deepcopy(PROOF["signed"])
    document["@context"].append("https://more.example/context")
    assert _check(document)
    document["@context"].reverse()
    with pytest.raises(SignatureRefused):
        _check(document)


@pytest.mark.parametrize(
    "change",
    [
        {"proofPurpose": "authentication"},
        {"created": "2023-02-24T23:36:39Z"},
        {"expires": "2023-02-25T00:00:00Z"},
        {"created": "yesterday"},
        {"verificationMethod": "https://server.example/users/bob#ed25519-key"},
        {"proofValue": PROOF["signed"]["proof"]["proofValue"][:-1] + "M"},
        {"proofValue": "z0OIl"},
        {"proofValue": "z" + "2" * 10_000},
        {"proofValue": None},
    ],
)
def test_a_changed_proof_is_refused(change: dict[str, Any]) -> None:
    document = deepcopy(PROOF["signed"])
    document["proof"] |= change
    with pytest.raises(SignatureRefused):
        _check(document)


def test_a_changed_document_is_refused() -> None:
    document = deepcopy(PROOF["signed"])
    document["object"]["content"] += "!"
    with pytest.raises(SignatureRefused):
        _check(document)


def test_other_proofs_are_none() -> None:
    for proof in (None, [], "proof", {"type": "DataIntegrityProof", "cryptosuite": "other"}):
        with pytest.raises(SignatureMissing):
            _check({**PROOF["document"], "proof": proof})
    with pytest.raises(SignatureMalformed):
        _check({**PROOF["signed"], "proof": [PROOF["signed"]["proof"]] * 2})
