"""The protocol as a library: signatures, proofs, WebFinger, signed requests. No database, no rules of the product."""
