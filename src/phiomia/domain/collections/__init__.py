"""Collections: accounts that a member recommends under a title. Begin with `models.py`."""
