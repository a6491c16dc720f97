"""Versions of releases, as they are compared: `1.6.0`, and before it `1.6.0dev20261130` and `1.6.0rc1`."""

import functools
import re

_FORM = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(dev|rc)(\d+))?")
_RANKS = {"dev": 0, "rc": 1, None: 2}

Order = tuple[int, int, int, int, int]


@functools.cache
def version_order(version: str) -> Order:
    """What to sort versions by. Raises ValueError for what is no version."""
    found = _FORM.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is no version: 1.6.0 and 1.6.0rc1 are")
    major, minor, patch, kind, number = found.groups()
    return int(major), int(minor), int(patch), _RANKS[kind], int(number or 0)


def is_prerelease(version: str) -> bool:
    """Whether it comes before the finished release of the same number."""
    return version_order(version)[3] < _RANKS[None]


def is_at_least(found: str, least: str) -> bool:
    """Compares dotted numbers of other programs: 15.4 is at least 14."""
    return _numbers(found) >= _numbers(least)


def meets(found: str, wanted: str) -> bool:
    """Whether a version meets bounds such as `>=3.11` or `>=14,<18`. Raises ValueError for other bounds."""
    return all(_meets_one(found, bound.strip()) for bound in wanted.split(","))


def _meets_one(found: str, bound: str) -> bool:
    parts = re.fullmatch(r"(>=|<)\s*(\d+(?:\.\d+)*)", bound)
    if parts is None:
        raise ValueError(f"{bound!r} is no bound: >=14 and <18 are")
    return is_at_least(found, parts[2]) == (parts[1] == ">=")


def _numbers(version: str) -> list[int]:
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers
