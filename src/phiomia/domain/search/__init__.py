"""Finding accounts, tags and statuses by words. Begin with `names.py` and `queries.py`."""
