"""What can go wrong with a database, without the drivers' names."""


class Unavailable(Exception):
    """The database can't be reached, is locked, full or broken; asking again later may help."""


class Conflict(Exception):
    """A unique or foreign key stands against the write."""


class TooSlow(Exception):
    """A scan passed its deadline and was ended."""
