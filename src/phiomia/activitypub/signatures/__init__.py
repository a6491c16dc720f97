"""HTTP signatures in both forms the fediverse speaks: draft-cavage-12 and RFC 9421."""
