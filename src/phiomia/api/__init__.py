"""Mastodon's REST API: a file per page of its "methods" documentation. Begin with `endpoint.py` and `routes.py`."""
