"""What stops the work in the jail."""


class Refused(Exception):
    """This file will not be shown, for the given reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
