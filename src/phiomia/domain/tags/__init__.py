"""Hashtags. Begin with `normalise.py`."""
