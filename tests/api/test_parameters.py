"""Every parameter that Mastodon's endpoints take is taken here: none is left aside in silence."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from phiomia.api.endpoint import ENDPOINTS
from phiomia.api.openapi import build_document
from phiomia.api.routes import load_endpoints

_FACTS = Path(__file__).parents[1] / "facts" / "endpoints.json"
# What is left aside, and why.
_LEFT_ASIDE: Final = {
    ("POST", "/api/v1/accounts", "date_of_birth"): "no server asks for an age: min_age is null",
    ("GET", "/api/v1/timelines/home", "local"): "Mastodon has it in the links between pages and gives the same posts",
    ("POST", "/api/v1/statuses", "media_attributes[]"): "Mastodon reads it of edits alone",
    ("POST", "/api/v1/statuses", "Idempotency-Key"): "a header; see test_statuses.py",
}


@cache
def _taken() -> dict[tuple[str, str], set[str]]:
    load_endpoints()
    document = json.loads(msgspec.json.encode(build_document("https://phiomia.example")))
    return {
        (method.upper(), _shape(path)): set(_names(operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _names(operation: Any) -> list[str]:
    names = [one["name"] for one in operation.get("parameters", ())]
    for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
        if kind != "application/json":  # the same, nested
            names += content["schema"]["properties"]
    return [name for given in names for name in _prefixes(given)]


def _prefixes(name: str) -> list[str]:
    """The name, and what it is a part of: the facts name some lists of things whole."""
    parts = re.findall(r"[^\[]+|\[[^\]]*\]", name)
    return ["".join(parts[: count + 1]) for count in range(len(parts))]


def _shape(path: str) -> str:
    return re.sub(r":\w+|\{\w+\}", "*", path)


def _facts() -> list[Any]:
    facts = json.loads(_FACTS.read_text(encoding="utf-8"))
    return [one for one in facts if not one["removed"] and (one["method"], _shape(one["path"])) in _taken()]


def test_all_endpoints_are_compared() -> None:
    ours = {(one.method, _shape(one.path)) for one in ENDPOINTS if one.handler.__module__.startswith("phiomia.")}
    assert len(_facts()) > 200
    assert ours <= _taken().keys()


@pytest.mark.parametrize("one", _facts(), ids=lambda one: f"{one['method']} {one['path']}")
def test_takes_every_parameter(one: Any) -> None:
    taken = _taken()[one["method"], _shape(one["path"])]
    named = {part["name"] for part in one["params"] if part["in"] != "path"}
    missing = {name for name in named if name.replace("[:index]", "[]").replace("[][]", "[]") not in taken}
    assert missing == {name for method, path, name in _LEFT_ASIDE if (method, path) == (one["method"], one["path"])}
