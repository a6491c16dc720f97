"""What members don't want to meet. Begin with `models.py`; `known.py` is what reading asks."""
