"""The description of the API: valid, complete, and true of what is declared."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis

from phiomia.api.endpoint import ENDPOINTS, Endpoint
from phiomia.api.openapi import FILES, build_document, load_entities, returned_schema, template
from phiomia.api.routes import load_endpoints
from world import World, story

load_endpoints()
EXAMPLES = [one for one in ENDPOINTS if one.handler.__module__.startswith("phiomia.")]


@cache
def _document() -> Any:
    # As a client gets it.
    return json.loads(msgspec.json.encode(build_document("https://phiomia.example")))


def _operation(method: str, path: str) -> Any:
    return _document()["paths"][template(path)][method.lower()]


def test_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(_document()).validate()


def test_every_reference_leads_somewhere() -> None:
    schemas = _document()["components"]["schemas"]
    named = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(_document()))
    assert set(named) - schemas.keys() == set()


def test_every_schema_is_one() -> None:
    for name, schema in _document()["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}), name


def test_holds_no_entity_that_nothing_names() -> None:
    entities = {name for name in _document()["components"]["schemas"] if not name.startswith("params.")}
    named = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(_document()))
    assert "Status" in entities
    assert entities - set(named) == set()


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_is_in_it(one: Endpoint) -> None:
    operation = _operation(one.method, one.path)
    assert operation["summary"] == one.summary
    assert ("requestBody" in operation) == (
        one.method not in ("GET", "DELETE") and bool(one.params or one.upload_bytes)
    )
    in_path = [part["name"] for part in operation.get("parameters", ()) if part["in"] == "path"]
    assert in_path == re.findall(r":(\w+)", one.path)
    assert "429" in operation["responses"]
    # What nobody here offers promises no success.
    offered = not one.path.endswith("/email_subscriptions")
    assert any(status < "400" for status in operation["responses"]) == offered


@pytest.mark.parametrize(
    "one", [one for one in EXAMPLES if one.upload_bytes], ids=lambda one: f"{one.method} {one.path}"
)
def test_uploads_name_their_files(one: Endpoint) -> None:
    assert one.path in FILES
    properties = _operation(one.method, one.path)["requestBody"]["content"]["multipart/form-data"]["schema"][
        "properties"
    ]
    assert {"type": "string", "format": "binary"} in properties.values()


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for path in _document()["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_cursors_are_digits_and_lists_have_brackets() -> None:
    query = {part["name"]: part for part in _operation("GET", "/api/v1/timelines/tag/:hashtag")["parameters"]}
    assert query["max_id"]["schema"] == {"type": "string", "pattern": "^[0-9]{1,19}$"}
    assert query["any[]"]["schema"]["type"] == "array"
    assert query["hashtag"]["in"] == "path"


def test_forms_are_flat_and_json_is_not() -> None:
    content = _operation("PATCH", "/api/v1/accounts/update_credentials")["requestBody"]["content"]
    assert "source[privacy]" in content["application/x-www-form-urlencoded"]["schema"]["properties"]
    reference = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert "source" in _document()["components"]["schemas"][reference]["properties"]


def test_any_one_of_the_scopes_is_enough() -> None:
    block = _operation("POST", "/api/v1/accounts/:id/block")
    assert block["security"] == [{"oauth2": ["write:blocks"]}, {"oauth2": ["follow"]}, {"bearer": []}]
    assert _operation("GET", "/api/v2/instance")["security"] == []
    assert _operation("GET", "/api/v1/timelines/public")["security"][0] == {}


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("entity:Admin::Account", {"$ref": "#/components/schemas/Admin.Account"}),
        ("array<entity:Tag>", {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}}),
        (
            "map<array<string>>",
            {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        ),
        ("string|integer", {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ("empty", {"type": "object", "maxProperties": 0}),
        ("any", {}),
    ],
)
def test_types_of_answers(kind: str, schema: object) -> None:
    assert returned_schema(kind) == schema


def test_an_entity_that_extends_another_has_its_fields() -> None:
    entities = load_entities()
    assert entities["CredentialAccount"]["properties"].keys() > entities["Account"]["properties"].keys()


@story("description", "instance")
async def test_is_served_and_kept(world: World) -> None:
    answer = await world.client.get("/api/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json["servers"] == [{"url": "https://phiomia.example"}]
    assert "/api/v2/instance" in answer.json["paths"]
    assert (await world.client.get("/api/openapi.json")).body == answer.body


@story("description", "instance")
async def test_answers_are_as_described(world: World) -> None:
    document = (await world.client.get("/api/openapi.json")).json
    answer = (await world.client.get("/api/v2/instance")).json
    schema = {"$ref": "#/components/schemas/Instance", "components": document["components"]}
    assert [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(answer)] == []
