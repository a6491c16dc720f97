"""What members are told. Begin with `notify.py`; `rules.py` says who is told, `effects.py` of what."""
