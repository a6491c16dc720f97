"""Bringing a server from one release to the next. `schema.py` moves the database."""
