"""Who sent a request."""

from dataclasses import dataclass
from typing import Protocol

from phiomia.activitypub.signatures import cavage, rfc9421
from phiomia.activitypub.signatures.claim import Claim
from phiomia.activitypub.signatures.keys import PublicKey
from phiomia.activitypub.signatures.request import KeyUnknown, Request, SignatureMissing, SignatureRefused
from phiomia.activitypub.signatures.window import Window

_USUAL = Window()


class KeyLookup(Protocol):
    """Where keys come from: the database, or the server that has them."""

    async def __call__(self, key_id: str, *, fresh: bool) -> PublicKey | None:
        """The key of that name. With `fresh` the one in store did not fit, and is to be asked for again."""
        ...


@dataclass(frozen=True, slots=True)
class VerifiedBy:
    """Whose key made a signature, and how."""

    key_id: str
    algorithm: str


def read(request: Request, *, now: float, window: Window = _USUAL) -> Claim:
    """What the signature of a request claims, all but the key checked; raises SignatureRefused."""
    if request.value("signature-input") is not None:
        return rfc9421.read(request, now, window)
    if request.value("signature") is None:
        raise SignatureMissing("the request is not signed")
    return cavage.read(request, now, window)


async def verify(request: Request, keys: KeyLookup, *, now: float, window: Window = _USUAL) -> VerifiedBy:
    """Whose key signed the request; `now` is in seconds since the epoch. Raises SignatureRefused."""
    return await hold(read(request, now=now, window=window), keys)


async def hold(claim: Claim, keys: KeyLookup) -> VerifiedBy:
    """Who made a claim. A key that does not fit may be an old one, so it is asked for once more."""
    stored = await keys(claim.key_id, fresh=False)
    if stored is not None and claim.holds(stored):
        return VerifiedBy(claim.key_id, claim.algorithm_with(stored))
    fresh = await keys(claim.key_id, fresh=True)
    if fresh is None:
        raise KeyUnknown(f"the key {claim.key_id} is not known")
    if not claim.holds(fresh):
        raise SignatureRefused("the signature does not fit the key")
    return VerifiedBy(claim.key_id, claim.algorithm_with(fresh))
