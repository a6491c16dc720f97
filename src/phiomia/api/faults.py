"""What is wrong with a parameter, in words that an app can show to people."""

import re
from typing import Final

from phiomia.api.errors import ApiError

_MISSING: Final = re.compile(r"Object missing required field `(.+)`")
# What msgspec says, and what we say instead; {} is the figure.
_SAID: Final = tuple(
    (re.compile(pattern), code, words)
    for pattern, code, words in (
        (r"Expected `str` of length >= 1\Z", "ERR_BLANK", "can't be blank"),
        (r"Expected `str` of length >= (\d+)", "ERR_TOO_SHORT", "is too short (minimum is {} characters)"),
        (r"Expected `str` of length <= (\d+)", "ERR_TOO_LONG", "is too long (maximum is {} characters)"),
        (r"Expected `array` of length >= (\d+)", "ERR_TOO_SHORT", "has too few entries (minimum is {})"),
        (r"Expected `array` of length <= (\d+)", "ERR_TOO_LONG", "has too many entries (maximum is {})"),
        (r"Expected `(?:int|float)` >= (\S+)", "ERR_INVALID", "must be greater than or equal to {}"),
        (r"Expected `(?:int|float)` <= (\S+)", "ERR_INVALID", "must be less than or equal to {}"),
        (r"Invalid enum value", "ERR_INCLUSION", "is not included in the list"),
        (r"Expected `(?:int|float)[^`]*`, got", "ERR_INVALID", "is not a number"),
        (r"Expected `bool[^`]*`, got", "ERR_INVALID", "is neither true nor false"),
        (r"Expected `array[^`]*`, got", "ERR_INVALID", "is not a list"),
        (r"Expected `str[^`]*`, got", "ERR_INVALID", "is not a text"),
        (r"Expected `object[^`]*`, got", "ERR_INVALID", "is not an object"),
    )
)


def describe_fault(message: str) -> ApiError:
    """A 422 that names the parameter, from msgspec's words about it."""
    text, _, where = message.partition(" - at `")
    place = where.rstrip("`").removeprefix("$").lstrip(".")
    if missing := _MISSING.fullmatch(text):
        name = f"{place}.{missing[1]}" if place else missing[1]
        return _refuse(name, "ERR_BLANK", "can't be blank")
    for pattern, code, words in _SAID:
        if found := pattern.match(text):
            return _refuse(place, code, words.format(*found.groups()))
    return _refuse(place, "ERR_INVALID", "is invalid")


def _refuse(name: str, code: str, words: str) -> ApiError:
    name = name or "parameters"
    return ApiError(422, f"Validation failed: {name} {words}", details={name: [(code, words)]})
