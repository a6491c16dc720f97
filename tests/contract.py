"""Whether an answer is what Mastodon's clients expect, by the facts in `facts/`: nothing missing, nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_FACTS = Path(__file__).parent / "facts"
_BASIC: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "empty": lambda value: value == {},
    "any": lambda value: True,
}
Field = Mapping[str, Any]


def assert_returns(endpoint: str, value: Any) -> None:
    """Fails unless `value` has the type that `endpoint` ("GET /api/v1/polls/:id") answers with."""
    faults = list(_check(value, _returns()[endpoint], "$", {}))
    assert not faults, "\n".join(faults)


def assert_answers(endpoint: str, declared: str, value: Any) -> None:
    """The same, with what we declare where Mastodon has no such endpoint."""
    faults = list(_check(value, _returns().get(endpoint, declared), "$", {}))
    assert not faults, "\n".join(faults)


def assert_entity(name: str, value: Any) -> None:
    """Fails unless `value` is an entity of that name."""
    faults = list(_check(value, f"entity:{name}", "$", {}))
    assert not faults, "\n".join(faults)


@cache
def _returns() -> dict[str, str]:
    endpoints = json.loads((_FACTS / "endpoints.json").read_text(encoding="utf-8"))
    returns = {f"{one['method']} {one['path']}": one["returns"] or "any" for one in endpoints}
    # The router knows one name only for a parameter that stands at the same place of several paths.
    return {re.sub(r":\w+", ":id", endpoint): kind for endpoint, kind in returns.items()} | returns


@cache
def _entities() -> dict[str, Any]:
    entities: dict[str, Any] = json.loads((_FACTS / "entities.json").read_text(encoding="utf-8"))["entities"]
    return entities


@cache
def _fields(name: str) -> dict[str, Field]:
    entity = _entities()[name]
    inherited = _fields(entity["extends"]) if "extends" in entity else {}
    return inherited | {field["name"]: field for field in entity["fields"]}


def _check(value: Any, kind: str, where: str, fields: Mapping[str, Field]) -> Iterator[str]:
    choices = _split(kind)
    if len(choices) > 1:
        tries = [list(_check(value, choice, where, fields)) for choice in choices]
        if all(tries):
            yield from min(tries, key=len)
    elif kind.startswith(("array<", "map<")):
        yield from _check_items(value, kind, where, fields)
    elif kind.startswith("entity:"):
        yield from _check(value, "object", where, _fields(kind.removeprefix("entity:")))
    elif not _BASIC[kind](value):
        yield f"{where}: expected {kind}, got {value!r:.80}"
    elif kind == "object" and fields:
        yield from _check_fields(value, fields, where)


def _split(kind: str) -> list[str]:
    """'a|b<c|d>' as ['a', 'b<c|d>']."""
    return re.findall(r"[^|<]+(?:<.*>)?", kind)


def _check_items(value: Any, kind: str, where: str, fields: Mapping[str, Field]) -> Iterator[str]:
    outer, _, inner = kind[:-1].partition("<")
    if not isinstance(value, list if outer == "array" else dict):
        yield f"{where}: expected {kind}, got {value!r:.80}"
        return
    for key, item in enumerate(value) if isinstance(value, list) else value.items():
        yield from _check(item, inner, f"{where}[{key}]", fields)


def _check_fields(value: dict[str, Any], fields: Mapping[str, Field], where: str) -> Iterator[str]:
    for name, field in fields.items():
        here = f"{where}.{name}"
        if name not in value:
            if not field["optional"]:
                yield f"{here}: missing"
        elif value[name] is None:
            if not field["nullable"] and field["type"] != "any":
                yield f"{here}: null, but not nullable"
        else:
            yield from _check(value[name], field["type"], here, {one["name"]: one for one in field.get("fields", [])})
            for item in value[name] if isinstance(value[name], list) else [value[name]]:
                if "enum" in field and isinstance(item, str) and item not in field["enum"]:
                    yield f"{here}: {item!r} is not one of {field['enum']}"
    for name in value.keys() - fields.keys():
        yield f"{where}.{name}: not a known field"
