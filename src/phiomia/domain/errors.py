"""What a verb or a query refuses, in the product's words. Edges turn these into their protocol's answers."""


class DomainError(Exception):
    """Something the caller did can't be done; the message may be shown to a person."""


class NotFound(DomainError):
    """There is no such thing, or the viewer may not know of it."""

    def __init__(self, message: str = "Record not found") -> None:
        super().__init__(message)


class NotAllowed(DomainError):
    """The actor may see it but not do this to it."""

    def __init__(self, message: str = "This action is not allowed") -> None:
        super().__init__(message)


class Invalid(DomainError):
    """A value is wrong. `details` names the parameters: {"username": [("ERR_TAKEN", "is taken")]}."""

    def __init__(self, message: str, details: dict[str, list[tuple[str, str]]] | None = None) -> None:
        super().__init__(message)
        self.details = details


class Limited(DomainError):
    """Too often; `retry_after` says when it may work again, in seconds."""

    def __init__(self, message: str = "Too many requests", retry_after: int = 60) -> None:
        super().__init__(message)
        self.retry_after = retry_after
