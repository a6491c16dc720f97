"""ActivityPub: what other servers send, ask for and get. Begin with `inbox/`, `documents/` and `outbox/`."""
