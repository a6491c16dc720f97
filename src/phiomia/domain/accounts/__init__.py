"""Actors known here, local and remote: profile, counters, viewer. Begin with `models.py`, then `queries.py`."""
