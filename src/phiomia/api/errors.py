"""Refusals as Mastodon words them: a JSON object with `error`."""

import errno
from typing import Any

import msgspec

from phiomia.domain.errors import DomainError, Invalid, Limited, NotAllowed, NotFound
from phiomia.platform.bodies import CutOff
from phiomia.platform.db import Conflict, TooSlow, Unavailable

_SOON = "5"
_LATER = "60"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


class ApiError(Exception):
    """An answer that is not the one hoped for."""

    def __init__(
        self,
        status: int,
        error: str,
        description: str | None = None,
        *,
        details: dict[str, list[tuple[str, str]]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"error": error}
        if description is not None:
            self.body["error_description"] = description
        if details is not None:
            self.body["details"] = {
                name: [{"error": code, "description": text} for code, text in faults]
                for name, faults in details.items()
            }

    def encode(self) -> bytes:
        """The body as JSON."""
        return msgspec.json.encode(self.body)


def from_exception(error: Exception) -> ApiError | None:
    """The API's word for what the domain or the database raised; None for what nobody foresaw."""
    match error:
        case ApiError():
            return error
        case NotFound():
            return ApiError(404, str(error))
        case NotAllowed():
            return ApiError(403, str(error))
        case Invalid():
            return ApiError(422, str(error), details=error.details)
        case Limited():
            return ApiError(429, str(error), headers={"Retry-After": str(error.retry_after)})
        case DomainError():
            return ApiError(422, str(error))
        case Conflict():
            return ApiError(422, "Duplicate record or one that refers to something missing")
        case Unavailable():
            return ApiError(503, "The server can't reach its database right now", headers={"Retry-After": _SOON})
        case TooSlow():
            return ApiError(503, "This took too long", headers={"Retry-After": _SOON})
        case CutOff():
            return ApiError(400, "The request did not arrive whole")
        case OSError() if error.errno in _NO_ROOM:
            return ApiError(503, "The server has no room for this right now", headers={"Retry-After": _LATER})
    return None
