"""Follows, requests, blocks, mutes between accounts. Begin with `follow.py`."""
