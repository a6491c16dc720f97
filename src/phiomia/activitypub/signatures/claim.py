"""What a signature claims, read and plausible, but not yet checked with the key."""

from dataclasses import dataclass

from phiomia.activitypub.signatures.keys import PublicKey, is_signed, usual_algorithm


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature by `key_id`. It holds if it signs one of `messages`; without `algorithm`, the key decides."""

    key_id: str
    algorithm: str | None
    messages: tuple[bytes, ...]
    signature: bytes

    def algorithm_with(self, key: PublicKey) -> str:
        """The algorithm this is checked with."""
        return self.algorithm or usual_algorithm(key)

    def holds(self, key: PublicKey) -> bool:
        """Whether the key made the signature."""
        algorithm = self.algorithm_with(key)
        return any(is_signed(key, algorithm, message, self.signature) for message in self.messages)
