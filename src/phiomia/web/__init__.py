"""Pages for people, rendered on the server; every one of them works without JavaScript.

Begin with `routes.py` (which page is where) and `visit.py` (what a page's handler gets).
"""
