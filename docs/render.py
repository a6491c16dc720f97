"""Writes what in the documentation follows from the code: settings, commands, endpoints, and the entities' schemas.

script/docs            writes the files
script/docs --check    only tells which of them are stale
"""

import dataclasses
import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FACTS = ROOT / "tests" / "facts"
MADE = "<!-- Made by script/docs; do not edit. -->"


def main(arguments: Sequence[str]) -> int:
    """Writes every file, or with --check names the stale ones and fails."""
    files = render_all()
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run script/docs", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def render_all() -> dict[Path, str]:
    """Each file with its text."""
    reference = ROOT / "docs" / "reference"
    return {
        ROOT / "src/phiomia/api/entities.schema.json": render_entities(),
        reference / "settings.md": render_settings(),
        reference / "commands.md": render_commands(),
        reference / "api.md": render_api(),
    }


# Settings


def render_settings() -> str:
    """The settings, a table for each section."""
    import msgspec

    from phiomia.platform.config import SHORT_NAMES, Config

    short = {path: name for name, path in SHORT_NAMES.items()}
    plain, sections = [], []
    for field in msgspec.structs.fields(Config):
        kind = field.type
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            rows = [_setting(inner, (field.name, inner.name), short) for inner in msgspec.structs.fields(kind)]
            sections.append(f"## [{field.name}]\n\n{kind.__doc__}\n\n{_settings_table(rows)}")
        else:
            plain.append(_setting(field, (field.name,), short))
    return _page(
        "Settings",
        "Settings come from `phiomia.toml` in the data directory (or the file that `PHIOMIA_CONFIG` names) and from\n"
        "variables of the environment. A variable wins over the file, the file over the default. In a variable, lists\n"
        "and pairs are written with commas, switches as `on` or `off`. What is misspelt is refused at the start.",
        "## At the top of the file\n\n" + _settings_table(plain),
        *sections,
    )


def _settings_table(rows: Iterable[Sequence[str]]) -> str:
    return _table(("setting", "variable", "default", "meaning"), rows)


def _setting(field: Any, path: tuple[str, ...], short: Mapping[tuple[str, ...], str]) -> tuple[str, ...]:
    import msgspec

    info = msgspec.inspect.type_info(field.type)
    extra = info.extra_json_schema if isinstance(info, msgspec.inspect.Metadata) else None
    meaning = (extra or {}).get("description", "")
    choices = _choices(info)
    if choices:
        meaning += f" ({', '.join(f'`{choice}`' for choice in choices)})"
    variables = f"`{'_'.join(('PHIOMIA', *path)).upper()}`"
    if path in short:
        variables = f"`{short[path]}` or {variables}"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return (f"`{field.name}`", variables, _default(default), meaning)


def _choices(info: Any) -> Sequence[Any]:
    import msgspec

    info = info.type if isinstance(info, msgspec.inspect.Metadata) else info
    return info.values if isinstance(info, msgspec.inspect.LiteralType) else ()


def _default(value: Any) -> str:
    if value == "" or value == []:
        return "empty"
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


# Commands


def render_commands() -> str:
    """The commands of `phiomia` with their options."""
    root = importlib.import_module("phiomia.cli.commands").phiomia
    return _page(
        "Commands",
        "`phiomia --help` and `phiomia COMMAND --help` tell the same. In a checkout it is `.venv/bin/phiomia`.",
        *(_command(path, command) for path, command in _commands(("phiomia",), root)),
    )


def _commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    is_group = hasattr(command, "list_commands")
    if not is_group or _options(command):
        yield path, command
    for name in command.list_commands(None) if is_group else ():
        inner = command.get_command(None, name)
        if not inner.hidden:
            yield from _commands((*path, name), inner)


def _command(path: tuple[str, ...], command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = " ".join([*path, *(_metavar(argument) for argument in arguments)])
    rows = [(_metavar(argument), _words(argument)) for argument in arguments]
    rows += [(f"`{', '.join([*option.opts, *option.secondary_opts])}`", _words(option)) for option in _options(command)]
    text = f"## {' '.join(path)}\n\n{_sentence(command.help)}\n"
    if arguments:
        text += f"\n```\n{usage}\n```\n"
    return text + (f"\n{_table(('option', 'meaning'), rows)}" if rows else "")


def _options(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "option"]


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.rstrip("_").upper())


def _words(param: Any) -> str:
    default = param.default if not callable(param.default) else None
    told = f" Default: {default}." if isinstance(default, int | str) and not isinstance(default, bool) else ""
    return f"{_sentence(param.help)}{told}"


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("<", "&lt;")


# Endpoints


def render_api() -> str:
    """The endpoints that exist, and how many of Mastodon's that is."""
    from phiomia.api.endpoint import ENDPOINTS
    from phiomia.api.routes import load_endpoints

    load_endpoints()
    facts = _facts()
    places = {
        (verb, _unnamed(fact["path"])): fact for fact in facts for verb in (fact["method"], *fact.get("also", ()))
    }
    served = sorted({(one.path, one.method) for one in ENDPOINTS} | set(_elsewhere()))
    declared = {(one.path, one.method): one for one in ENDPOINTS}
    groups: dict[str, list[tuple[str, ...]]] = {}
    done: dict[str, set[str]] = {}
    for path, method in served:
        fact = places.get((method, _unnamed(path)))
        if fact is None and (path, method) not in declared:
            continue  # a page, not part of the API
        group = fact["group"] if fact else "of our own"
        groups.setdefault(group, []).append(_endpoint(path, method, declared.get((path, method)), fact))
        if fact:
            done.setdefault(group, set()).add(f"{fact['method']} {fact['path']}")
    return _page(
        "The API",
        "What exists of Mastodon's client API. The same for machines: `/api/openapi.json` on every server. Access is\n"
        "`public` (no token), `optional` (more with one), `app` (any token) or `user` (a person's token); of several\n"
        "scopes one is enough.",
        _limits_of_all(),
        _coverage(facts, done),
        *(f"## {group}\n\n{_table(_COLUMNS, rows)}" for group, rows in sorted(groups.items())),
    )


_COLUMNS = ("endpoint", "gives", "access", "scopes", "paging", "limits")


def _limits_of_all() -> str:
    from phiomia.platform import limits
    from phiomia.platform.settings import RateLimits

    rates = RateLimits()
    rows = [(f"each {name}", _rate(getattr(rates, kind))) for name, kind in (
        ("account", "account"), ("token", "token"), ("address without a token", "ip"), ("reader of pages", "paging"),
    )]  # fmt: skip
    rows += [
        ("a body that is no upload", f"{limits.JSON_BODY_BYTES >> 10} KiB"),
        ("parameters", f"{limits.PARAMETERS}, nested {limits.PARAMETER_DEPTH} deep"),
        ("the time a body may take", f"{limits.BODY_SECONDS} s, an upload {limits.UPLOAD_SECONDS} s"),
    ]
    return (
        "## Limits\n\nThese hold for every endpoint; further ones stand beside it: how many things a page has unless\n"
        "`limit` says otherwise and at most, how often it may be asked, how large a file may be. How often can be set\n"
        "([settings](settings.md)), the figures are the defaults.\n\n" + _table(("of", "limit"), rows)
    )


def _limits(one: Any) -> str:
    from phiomia.platform import limits
    from phiomia.platform.settings import RateLimits

    said = []
    if sizes := _page_sizes(one):
        size = getattr(limits, sizes)
        said.append(f"{size}" if isinstance(size, int) else f"{size[0]}, at most {size[1]}")
    if one.rate is not None:
        said.append(_rate(getattr(RateLimits(), one.rate)))
    if one.upload_bytes:
        said.append(f"{one.upload_bytes >> 20} MiB")
    return "; ".join(said)


def _page_sizes(one: Any) -> str:
    """The name of the page sizes that an endpoint with a `limit` goes by."""
    fields = getattr(one.params, "__struct_fields__", ())
    return _find_sizes(one.handler.__code__, one.handler.__globals__, 3) if "limit" in fields else ""


def _find_sizes(code: Any, scope: Mapping[str, Any], depth: int) -> str:
    """What a function goes by, or one inside of it, or one of its module that it calls."""
    for name in code.co_names:
        if name.startswith("PAGE_"):
            return str(name)
    called = [scope.get(name) for name in code.co_names] if depth else []
    inner = [one for one in code.co_consts if hasattr(one, "co_names")]
    inner += [one.__code__ for one in called if inspect.isfunction(one) and one.__globals__ is scope]
    return next(filter(None, (_find_sizes(each, scope, depth - 1) for each in inner)), "")


def _rate(rate: tuple[int, int]) -> str:
    count, seconds = rate
    span = f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{seconds // 60} min"
    return f"{count} in {span}"


def _unnamed(path: str) -> str:
    # The router knows one name only for a parameter that stands at the same place of several paths.
    return re.sub(r":\w+", ":", path)


def _facts() -> list[Any]:
    facts = json.loads((FACTS / "endpoints.json").read_text("utf-8"))
    return [fact for fact in facts if fact["removed"] is None]


def _endpoint(path: str, method: str, one: Any, fact: Any) -> tuple[str, ...]:
    if one is None:
        access = {"none": "public"}.get(fact["auth"], fact["auth"])
        return (f"`{method} {path}`", fact["summary"], access, _scopes(fact["scopes"]), fact["paginated"] or "", "")
    return (f"`{method} {path}`", one.summary, one.access, _scopes(one.scopes), one.paginated or "", _limits(one))


def _scopes(scopes: Iterable[str]) -> str:
    return ", ".join(f"`{scope}`" for scope in scopes)


def _coverage(facts: Sequence[Any], done: Mapping[str, set[str]]) -> str:
    live: dict[str, int] = {}
    for fact in facts:
        live[fact["group"]] = live.get(fact["group"], 0) + 1
    total = sum(len(names) for names in done.values())
    rows = [(group, str(len(done.get(group, ()))), str(count)) for group, count in sorted(live.items())]
    rows.append(("**all**", f"**{total}**", f"**{len(facts)}**"))
    return f"## How much of it\n\n{_table(('group', 'implemented', 'in Mastodon 4.6'), rows)}"


def _elsewhere() -> Iterator[tuple[str, str]]:
    """What the web pages, the health checks and the streaming role answer."""
    import falcon.asgi
    import falcon.inspect

    from phiomia.api.health import mount_health
    from phiomia.platform.config import Config
    from phiomia.platform.rates import Rates
    from phiomia.streaming.channels import PATHS
    from phiomia.streaming.request import ROOT as STREAMING
    from phiomia.web.context import WebContext
    from phiomia.web.routes import mount

    # Only the paths are asked for, so most of what the pages stand on may be missing.
    parts: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(WebContext))
    app: Any = falcon.asgi.App()
    mount_health(app, parts["db"])
    mount(app, WebContext(**parts | {"config": Config(), "rates": Rates()}))
    for route in falcon.inspect.inspect_routes(app):
        for method in route.methods:
            if not method.internal:
                yield route.path, method.method.upper()
    for path in ("", "health", *PATHS):
        yield f"{STREAMING}/{path}".rstrip("/"), "GET"


# Entities


def render_entities() -> str:
    """The JSON schemas of Mastodon's entities, one on each line."""
    entities = json.loads((FACTS / "entities.json").read_text("utf-8"))["entities"]
    lines = [
        f'"{name.replace("::", ".")}": {json.dumps(_entity(name, entities), ensure_ascii=False)}'
        for name in sorted(entities)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _entity(name: str, entities: Mapping[str, Any]) -> dict[str, Any]:
    return _object(list(_fields(name, entities).values()))


def _fields(name: str, entities: Mapping[str, Any]) -> dict[str, Any]:
    entity = entities[name]
    inherited = _fields(entity["extends"], entities) if "extends" in entity else {}
    return inherited | {field["name"]: field for field in entity["fields"]}


def _object(fields: Sequence[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    if fields:
        schema["properties"] = {field["name"]: _field(field) for field in fields}
    required = [field["name"] for field in fields if not field["optional"]]
    return schema | ({"required": required} if required else {})


_FORMATS = {"datetime": "date-time", "date": "date", "email": "email"}


def _field(field: Any) -> dict[str, Any]:
    schema = _type(field["type"], field.get("fields", []))
    inner = schema["items"] if schema.get("type") == "array" else schema
    if "enum" in field:
        inner["enum"] = list(field["enum"])
    if field.get("format") in _FORMATS and inner.get("type") == "string":
        inner["format"] = _FORMATS[field["format"]]
    if field.get("deprecated"):
        schema["deprecated"] = True
    return _or_null(schema) if field["nullable"] else schema


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema:
        return schema
    if "type" not in schema:
        return {"anyOf": [*(schema.get("anyOf") or [schema]), {"type": "null"}]}
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"].append(None)
    return schema | {"type": [schema["type"], "null"]}


def _type(kind: str, fields: Sequence[Any]) -> dict[str, Any]:
    choices = re.findall(r"[^|<]+(?:<.*>)?", kind)
    if len(choices) > 1:
        return {"anyOf": [_type(choice, fields) for choice in choices]}
    if kind.startswith("entity:"):
        return {"$ref": "#/components/schemas/" + kind.removeprefix("entity:").replace("::", ".")}
    outer, _, inner = kind.removesuffix(">").partition("<")
    if outer == "array":
        return {"type": "array", "items": _type(inner, fields)}
    if outer == "map":
        return {"type": "object", "additionalProperties": _type(inner, fields)}
    return {} if kind == "any" else _object(fields) if kind == "object" else {"type": kind}


# Markdown


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", MADE, *(part.rstrip() for part in parts)]) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    # Neither a file nor variables of this machine may show in what is written.
    for variable in [name for name in os.environ if name.startswith("PHIOMIA_")]:
        del os.environ[variable]
    sys.exit(main(sys.argv[1:]))
