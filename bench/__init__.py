"""Measures what has to stay fast. Begin with `__main__.py`; `seed.py` makes the data, `report.py` holds the budgets."""
