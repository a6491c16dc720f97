"""Apps, authorization codes and tokens. Begin with `tokens.py`."""
