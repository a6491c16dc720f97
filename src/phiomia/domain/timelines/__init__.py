"""Feeds (stored ids of one account) and timelines (what is shown). Begin with `home.py`."""
