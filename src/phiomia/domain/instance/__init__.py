"""This server: its settings, rules, custom emoji and keys. Begin with `queries.py`."""
