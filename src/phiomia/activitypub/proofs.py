"""FEP-8b32: proofs of integrity inside objects, of the kind eddsa-jcs-2022."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phiomia.activitypub import multikey
from phiomia.activitypub.jcs import canonical
from phiomia.activitypub.signatures.claim import Claim
from phiomia.activitypub.signatures.keys import ED25519
from phiomia.activitypub.signatures.request import SignatureMalformed, SignatureMissing, SignatureRefused
from phiomia.activitypub.signatures.verify import KeyLookup, VerifiedBy, hold

_TYPE = "DataIntegrityProof"
_SUITE = "eddsa-jcs-2022"
_PURPOSE = "assertionMethod"
_SIGNATURE_BYTES = 64


def read_proof(document: Mapping[str, Any], *, now: float) -> Claim:
    """What the proof of a document claims, all but the key checked; raises SignatureRefused.

    SignatureMissing is raised when there is no proof of this kind: others are to be ignored.
    """
    proof = _proof_of(document)
    method, value = proof.get("verificationMethod"), proof.get("proofValue")
    if not isinstance(method, str) or not isinstance(value, str):
        raise SignatureMalformed("a proof needs verificationMethod and proofValue")
    if proof.get("proofPurpose") != _PURPOSE:
        raise SignatureRefused("the proof was made for another purpose")
    created, expires = _moment(proof, "created"), _moment(proof, "expires")
    if expires is not None and (expires < now or (created is not None and expires < created)):
        raise SignatureRefused("the proof has expired")
    try:
        signature = multikey.decode(value)
        message = _hashed(_unsecured(document, proof), proof)
    except ValueError as error:
        raise SignatureMalformed(f"the proof cannot be read: {error}") from error
    if len(signature) != _SIGNATURE_BYTES:
        raise SignatureMalformed("the proof is not a signature")
    return Claim(method, ED25519, (message,), signature)


async def verify_proof(document: Mapping[str, Any], keys: KeyLookup, *, now: float) -> VerifiedBy:
    """Whose key made the proof of a document. `keys` must give only keys that their owner lists for assertions.

    Raises SignatureRefused.
    """
    return await hold(read_proof(document, now=now), keys)


def prove(document: Mapping[str, Any], method: str, key: Ed25519PrivateKey, created: str) -> dict[str, Any]:
    """The document with a proof; `method` is the id of the key, `created` a moment in RFC 3339."""
    proof: dict[str, Any] = {
        "type": _TYPE,
        "cryptosuite": _SUITE,
        "verificationMethod": method,
        "proofPurpose": _PURPOSE,
        "created": created,
    }
    if "@context" in document:
        proof["@context"] = document["@context"]
    signature = key.sign(_hashed(_unsecured(document, proof), proof))
    return {**document, "proof": {**proof, "proofValue": multikey.encode(signature)}}


def _proof_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    given = document.get("proof")
    found = [
        proof
        for proof in (given if isinstance(given, list) else [given])
        if isinstance(proof, dict) and proof.get("type") == _TYPE and proof.get("cryptosuite") == _SUITE
    ]
    if not found:
        raise SignatureMissing("the document has no proof that is understood")
    if len(found) > 1:
        raise SignatureMalformed("the document has several proofs")
    return found[0]


def _unsecured(document: Mapping[str, Any], proof: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in document.items() if key != "proof"}
    if "@context" not in proof:
        return plain
    meant, given = _list(proof["@context"]), _list(plain.get("@context"))
    if given[: len(meant)] != meant:
        raise SignatureRefused("the proof was made for another context")
    # Somebody may have added contexts after the proof was made.
    return {**plain, "@context": proof["@context"]}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _hashed(plain: Mapping[str, Any], proof: Mapping[str, Any]) -> bytes:
    options = {key: value for key, value in proof.items() if key != "proofValue"}
    return sha256(canonical(options)).digest() + sha256(canonical(plain)).digest()


def _moment(proof: Mapping[str, Any], name: str) -> float | None:
    text = proof.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise SignatureMalformed(f"{name} of the proof is not a moment") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
