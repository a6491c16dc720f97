"""What apps show when a parameter is wrong: words for people, with the parameter's name."""

import re
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from phiomia.api.endpoint import ENDPOINTS
from phiomia.api.faults import describe_fault
from phiomia.api.routes import load_endpoints
from world import World, story


class _Part(msgspec.Struct):
    word: Annotated[str, Meta(max_length=3)]


class _Everything(msgspec.Struct):
    text: Annotated[str, Meta(min_length=2, max_length=3)] = "ab"
    filled: Annotated[str, Meta(min_length=1)] = "a"
    number: Annotated[int, Meta(ge=0, le=10)] = 0
    share: float | None = None
    flag: bool = False
    choice: Literal["x", "y"] = "x"
    ids: Annotated[tuple[int, ...], Meta(min_length=1, max_length=2)] = (1,)
    part: _Part | None = None
    digits: Annotated[str, Meta(pattern="^[0-9]+$")] = "1"


@pytest.mark.parametrize(
    ("given", "name", "code", "words"),
    [
        ({"text": "a"}, "text", "ERR_TOO_SHORT", "is too short (minimum is 2 characters)"),
        ({"text": "abcd"}, "text", "ERR_TOO_LONG", "is too long (maximum is 3 characters)"),
        ({"text": 1}, "text", "ERR_INVALID", "is not a text"),
        ({"filled": ""}, "filled", "ERR_BLANK", "can't be blank"),
        ({"number": "x"}, "number", "ERR_INVALID", "is not a number"),
        ({"number": -1}, "number", "ERR_INVALID", "must be greater than or equal to 0"),
        ({"number": 11}, "number", "ERR_INVALID", "must be less than or equal to 10"),
        ({"share": "x"}, "share", "ERR_INVALID", "is not a number"),
        ({"flag": "x"}, "flag", "ERR_INVALID", "is neither true nor false"),
        ({"choice": "z"}, "choice", "ERR_INCLUSION", "is not included in the list"),
        ({"ids": "x"}, "ids", "ERR_INVALID", "is not a list"),
        ({"ids": ["x"]}, "ids[0]", "ERR_INVALID", "is not a number"),
        ({"ids": []}, "ids", "ERR_TOO_SHORT", "has too few entries (minimum is 1)"),
        ({"ids": [1, 2, 3]}, "ids", "ERR_TOO_LONG", "has too many entries (maximum is 2)"),
        ({"part": "x"}, "part", "ERR_INVALID", "is not an object"),
        ({"part": {"word": "abcd"}}, "part.word", "ERR_TOO_LONG", "is too long (maximum is 3 characters)"),
        ({"part": {}}, "part.word", "ERR_BLANK", "can't be blank"),
        ({"digits": "a"}, "digits", "ERR_INVALID", "is invalid"),
    ],
)
def test_says_what_is_wrong(given: dict[str, Any], name: str, code: str, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, _Everything, strict=False)
    refusal = describe_fault(str(caught.value))
    assert refusal.body["error"] == f"Validation failed: {name} {words}"
    assert refusal.body["details"] == {name: [{"error": code, "description": words}]}


load_endpoints()
MODULES = sorted({one.handler.__module__.rpartition(".")[2] for one in ENDPOINTS})


@story(*MODULES)
async def test_no_answer_speaks_of_types(world: World) -> None:
    alice, said = await world.account("alice"), []
    for one in ENDPOINTS:
        if one.params is None or not one.handler.__module__.startswith("phiomia."):
            continue
        path = re.sub(r":\w+", "1", one.path)
        names = [field.encode_name for field in msgspec.structs.fields(one.params)]
        for value in ({"x": "y"}, "x" * 5_000, ["\u00e9"], -1):
            for name in names:
                way: dict[str, Any] = {"json": {name: value}}
                if one.method in ("GET", "DELETE"):
                    way = {"query": {name: value}} if not isinstance(value, dict) else {"query": {f"{name}[x]": "y"}}
                answer = await world.client.request(one.method, path, alice, **way)
                if re.search(rb"Expected `|Invalid enum|Object missing", answer.body):
                    said.append(f"{one.method} {one.path} {name}: {answer.body!r}")
    assert said == []
