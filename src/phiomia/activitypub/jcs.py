"""RFC 8785: the one way to write a JSON value, so that it can be hashed."""

import json
import math
from decimal import Decimal
from typing import Any

_DEPTH = 128


def canonical(value: Any) -> bytes:
    """The canonical form of a value made of dict, list, str, int, float, bool and None; ValueError for any other."""
    try:
        return _write(value, 0).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a lone surrogate") from error


def _write(value: Any, depth: int) -> str:
    if depth > _DEPTH:
        raise ValueError("nested too deeply")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list):
        return f"[{','.join(_write(item, depth + 1) for item in value)}]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_write(v, depth + 1)}" for key, v in pairs) + "}"
    raise ValueError(f"no JSON: {type(value).__name__}")


def _number(value: float) -> str:
    """A number as JavaScript writes it."""
    try:
        double = float(value)
    except OverflowError as error:
        raise ValueError("a number too large") from error
    if not math.isfinite(double):
        raise ValueError("not a finite number")
    if double == 0:
        return "0"
    # The shortest digits that read back as the same number, and where the point stands among them.
    _, numbers, exponent = Decimal(repr(abs(double))).normalize().as_tuple()
    digits = "".join(map(str, numbers))
    point = len(digits) + int(exponent)
    sign = "-" if double < 0 else ""
    if len(digits) <= point <= 21:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"
