"""TOML that this package writes: few forms, always the same text for the same values."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any


def render_table(values: Mapping[str, Any]) -> str:
    """The lines `key = value` of one table, in the order given."""
    return "".join(f"{_key(key)} = {render_value(value)}\n" for key, value in values.items())


def render_value(value: Any) -> str:
    """One value. Raises TypeError for what manifests never hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {render_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(render_value(inner) for inner in value) + "]"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _text(key)


def _text(text: str) -> str:
    # JSON escapes are TOML escapes, except that TOML wants U+007F escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
