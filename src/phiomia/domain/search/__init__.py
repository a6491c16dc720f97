"""Finding accounts, tags and statuses by words. Begin with `queries.py`."""
