"""Statuses. Only `create.py` writes one, whoever asked; `policy.py` says who may see it; `queries.py` loads views."""
