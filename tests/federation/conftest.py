"""The two servers of `peers.py`, for tests that ask for them."""

from .peers import peers, running_peers

__all__ = ["peers", "running_peers"]
