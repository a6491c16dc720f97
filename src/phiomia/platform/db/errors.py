"""What can go wrong with a database, without the drivers' names."""


class Unavailable(Exception):
    """The database can't be reached, is locked, full or broken; asking again later may help.

    `mend` says what an operator can do about it, where that is known.
    """

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(f"{what} To mend it, {mend}." if mend else what)
        self.what = what
        self.mend = mend


class Conflict(Exception):
    """A unique or foreign key stands against the write."""


class TooSlow(Exception):
    """A scan passed its deadline and was ended."""
