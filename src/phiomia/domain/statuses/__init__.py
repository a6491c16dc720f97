"""Statuses. Only `create.py` writes one, whoever asked; `policy.py` says who may see it; `whole.py` loads views,
`rows.py` makes pages of ids, and `lacking.py` asks for what a page needs besides."""
