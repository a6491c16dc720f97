"""JSON of other servers becomes drafts: tolerant of every flavour, strict in what comes out.

Begin with `note.py` and `actor.py`. Whatever the document, a parser gives a draft or raises `Rejected`.
"""
