"""REST entities: a file per page of Mastodon's "entities" documentation, each a pure function from a view.

`fragments.py` keeps the rendered bytes of statuses and accounts and splices pages out of them.
"""
