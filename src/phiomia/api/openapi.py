"""The API described in OpenAPI 3.1, made of the endpoints' declarations and the schemas of the entities.

What an endpoint takes comes from the Struct of its parameters, what it answers from `entities.schema.json`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

import phiomia
from phiomia.api.endpoint import ENDPOINTS, Endpoint
from phiomia.api.refusals import WORDS, list_refusals
from phiomia.domain.oauth.scopes import SCOPES

Schema = dict[str, Any]

_ENTITIES = Path(__file__).with_name("entities.schema.json")
_REF = "#/components/schemas/"
_BASIC: dict[str, Schema] = {
    "any": {},
    "empty": {"type": "object", "maxProperties": 0},
    "html": {"type": "string"},
    "text": {"type": "string"},
}
# Ways that lead elsewhere, and an answer without a body.
# Which Mastodon has as an option and nobody here offers.
_REFUSED = frozenset({"/api/v1/accounts/:id/email_subscriptions"})
_BODILESS = {"/.well-known/change-password": "302", "/.well-known/proxy": "302", "/api/v1/donation_campaigns": "204"}
_LARGEST_ID = 2**63 - 1
_ID: Schema = {"type": "string", "pattern": "^[0-9]{1,19}$"}
# Files stand beside the parameters, so no Struct names them.
FILES = {
    "/api/v1/media": ("file", "thumbnail"),
    "/api/v2/media": ("file", "thumbnail"),
    "/api/v1/media/:id": ("thumbnail",),
    "/api/v1/accounts/update_credentials": ("avatar", "header"),
    "/api/v1/profile": ("avatar", "header"),
}


def build_document(base_url: str) -> Schema:
    """The whole description, for a server at this address."""
    entities = load_entities()
    params, names = _describe_params()
    paths: Schema = {}
    for one in sorted(ENDPOINTS, key=lambda one: (one.path, one.method)):
        paths.setdefault(template(one.path), {})[one.method.lower()] = _operation(one, params, names)
    schemas = params | _reachable(paths, entities)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Phiomia",
            "version": phiomia.__version__,
            "description": "The client API of Mastodon, as far as this server speaks it.",
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {status: _refusal(status, words) for status, words in WORDS.items()},
            "securitySchemes": _security_schemes(base_url),
        },
    }


@cache
def load_entities() -> Mapping[str, Schema]:
    """The schemas of the entities by the name of their component."""
    schemas: Mapping[str, Schema] = msgspec.json.decode(_ENTITIES.read_bytes())
    return schemas


def template(path: str) -> str:
    """/api/v1/statuses/:id as OpenAPI writes it: /api/v1/statuses/{id}."""
    return re.sub(r":(\w+)", r"{\1}", path)


def returned_schema(kind: str) -> Schema:
    """The schema of a type as endpoints declare it: `entity:Status`, `array<entity:Account>`, `a|b`."""
    choices = re.findall(r"[^|<]+(?:<.*>)?", kind)
    if len(choices) > 1:
        return {"anyOf": [returned_schema(choice) for choice in choices]}
    if kind.startswith("entity:"):
        return {"$ref": _REF + kind.removeprefix("entity:").replace("::", ".")}
    outer, _, inner = kind.removesuffix(">").partition("<")
    if outer == "array":
        return {"type": "array", "items": returned_schema(inner)}
    if outer == "map":
        return {"type": "object", "additionalProperties": returned_schema(inner)}
    return dict(_BASIC.get(kind, {"type": kind}))


def _operation(one: Endpoint, params: Mapping[str, Schema], names: Mapping[type, str]) -> Schema:
    name = names[one.params] if one.params else None
    parameters = [_path_parameter(one.path, part) for part in re.findall(r":(\w+)", one.path)]
    operation: Schema = {
        "operationId": re.sub(r"\W+", "-", f"{one.method.lower()}{one.path}").strip("-"),
        "tags": [_tag(one.path)],
        "summary": one.summary,
        "security": _security(one),
        "responses": _answers(one),
    }
    if one.deprecation:
        operation["deprecated"] = True
    if name and one.method in ("GET", "DELETE"):
        parameters += _query(params[name], params)
    elif name or one.upload_bytes:
        operation["requestBody"] = _body(one, name, params)
    if parameters:
        operation["parameters"] = parameters
    return operation


def _path_parameter(path: str, name: str) -> Schema:
    numeric = (name == "id" or name.endswith("_id")) and "/tags/" not in path
    return {"name": name, "in": "path", "required": True, "schema": dict(_ID) if numeric else {"type": "string"}}


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part]
    if parts[0] != "api":
        return parts[0].lstrip(".")
    return "/".join(parts[2:4]) if parts[2:3] == ["admin"] else parts[2] if len(parts) > 2 else "description"


def _security(one: Endpoint) -> list[Schema]:
    if one.access == "public":
        return []
    # Any one of the scopes is enough.
    by_app: list[Schema] = [{"oauth2": [scope]} for scope in one.scopes] or [{"oauth2": []}]
    nobody: list[Schema] = [{}] if one.access == "optional" else []
    return [*nobody, *by_app, {"bearer": []}]


def _answers(one: Endpoint) -> Schema:
    refusals = {status: {"$ref": f"#/components/responses/{status}"} for status in list_refusals(one)}
    if one.path in _BODILESS:
        return {_BODILESS[one.path]: {"description": one.summary or "Done."}} | refusals
    if one.path in _REFUSED:
        return dict(refusals)
    good: Schema = {
        "description": one.summary or "Done.",
        "content": {_content_type(one.returns): {"schema": returned_schema(one.returns)}},
    }
    if one.paginated == "link-header":
        good["headers"] = {
            "Link": {"description": "Where further pages are: `next`, `prev`.", "schema": {"type": "string"}}
        }
    answers = {"200": good}
    if one.returns == "entity:MediaAttachment" and one.method != "DELETE":
        answers["202" if one.method == "POST" else "206"] = good | {"description": "It is still being decoded."}
    return answers | refusals


def _content_type(returns: str) -> str:
    return {"text": "text/plain", "html": "text/html"}.get(returns, "application/json")


def _refusal(status: str, description: str) -> Schema:
    error: Schema = {"$ref": _REF + "Error"}
    schema = {"anyOf": [{"$ref": _REF + "ValidationError"}, error]} if status == "422" else error
    answer: Schema = {"description": description, "content": {"application/json": {"schema": schema}}}
    if status in ("429", "503"):
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answer


def _security_schemes(base_url: str) -> Schema:
    scopes = {scope: scope.replace(":", " ").replace("_", " ").capitalize() for scope in SCOPES}
    token_url = f"{base_url}/oauth/token"
    return {
        "oauth2": {
            "type": "oauth2",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{base_url}/oauth/authorize",
                    "tokenUrl": token_url,
                    "scopes": scopes,
                },
                "clientCredentials": {"tokenUrl": token_url, "scopes": scopes},
            },
        },
        "bearer": {"type": "http", "scheme": "bearer"},
    }


def _body(one: Endpoint, name: str | None, params: Mapping[str, Schema]) -> Schema:
    whole: Schema = {"$ref": _REF + name} if name else {"type": "object"}
    form: Schema = _form(params[name], params) if name else {"type": "object"}
    content = {"application/json": {"schema": whole}, "application/x-www-form-urlencoded": {"schema": form}}
    if one.upload_bytes:
        files: Schema = {file: {"type": "string", "format": "binary"} for file in FILES.get(one.path, ("file",))}
        content["multipart/form-data"] = {"schema": form | {"properties": form.get("properties", {}) | files}}
    required = bool(name and params[name].get("required"))
    return {"required": required, "content": content}


def _query(schema: Schema, params: Mapping[str, Schema]) -> list[Schema]:
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name.split("[")[0] in required, "schema": kind}
        for name, kind in _flatten(schema, params)
    ]


def _form(schema: Schema, params: Mapping[str, Schema]) -> Schema:
    properties = dict(_flatten(schema, params))
    wanted = schema.get("required", [])
    required = [name for name in properties if name.split("[")[0] in wanted]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _flatten(schema: Schema, params: Mapping[str, Schema], prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Each property under the name that it has in a form: `poll[options][]`."""
    for name, given in schema.get("properties", {}).items():
        key = f"{prefix}[{name}]" if prefix else name
        kind = _resolve(given, params)
        if kind.get("type") == "object" and "properties" in kind:
            yield from _flatten(kind, params, key)
        elif kind.get("type") == "array":
            item = _resolve(kind.get("items", {}), params)
            if "properties" in item:
                yield from _flatten(item, params, f"{key}[]")
            else:
                yield f"{key}[]", kind | {"items": item}
        else:
            yield key, kind


def _resolve(schema: Schema, params: Mapping[str, Schema]) -> Schema:
    """The schema behind a reference; of several forms the first."""
    while True:
        if "anyOf" in schema:
            schema = schema["anyOf"][0]
        elif "$ref" in schema:
            schema = params[schema["$ref"].removeprefix(_REF)]
        else:
            return schema


def _describe_params() -> tuple[dict[str, Schema], dict[type, str]]:
    """The components of all parameters, and the name of each Struct's."""
    kinds = list(dict.fromkeys(one.params for one in ENDPOINTS if one.params))
    refs, found = msgspec.json.schema_components(kinds, ref_template=_REF + "params.{name}")
    components = {f"params.{name}": _plain(schema) for name, schema in found.items()}
    names = {kind: ref["$ref"].removeprefix(_REF) for kind, ref in zip(kinds, refs, strict=True)}
    return components, names


def _plain(schema: Any) -> Any:
    """A schema without what only Python knows: titles, null for "not said", ids as numbers."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("maximum") == _LARGEST_ID:
        return dict(_ID)
    plain = {
        name: {key: _plain(value) for key, value in inner.items()} if name == "properties" else _plain(inner)
        for name, inner in schema.items()
        if name != "title" and not (name == "default" and inner is None)
    }
    kinds = [kind for kind in plain.pop("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        return kinds[0] | plain
    return plain | ({"anyOf": kinds} if kinds else {})


def _reachable(paths: Schema, entities: Mapping[str, Schema]) -> dict[str, Schema]:
    """The entities that answers name, and those that these name."""
    found: dict[str, Schema] = {}
    waiting = ["Error", "ValidationError", *_named(paths)]
    while waiting:
        name = waiting.pop()
        if name not in found and not name.startswith("params."):
            found[name] = entities[name]
            waiting += _named(entities[name])
    return found


def _named(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        reference = tree.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REF):
            yield reference.removeprefix(_REF)
    inner: Sequence[Any] = list(tree.values()) if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    for item in inner:
        yield from _named(item)
