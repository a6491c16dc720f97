"""`phiomia config`: what the settings are, where each came from, and whether they make sense."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from phiomia.cli.group import Group
from phiomia.platform import config as settings
from phiomia.platform.config import Config, load_config
from phiomia.platform.setting_faults import SECRETS
from phiomia.platform.unreachable import hide_password

app = Group("config", help="The settings.")


class Setting(NamedTuple):
    """One setting as it is in force."""

    section: str
    name: str
    value: Any
    origin: str
    description: str
    variable: str


@app.command()
def check() -> None:
    """Check the settings without starting anything."""
    config = load_config()
    file = find_file()
    print(f"The settings are right ({file or 'no file: defaults'} and {len(_set_variables())} variables).")
    print(f"Address {config.base_url}, handles @name@{config.domain}, database {hide_password(config.database_url)}.")


@app.command()
def show() -> None:
    """Print every setting as TOML, with what it means and where it came from. Passwords are masked."""
    section = ""
    for setting in list_settings(load_config()):
        if setting.section != section:
            section = setting.section
            print(f"\n[{section}]")
        print(f"# {setting.description}; {setting.variable} ({setting.origin})")
        print(f"{setting.name} = {to_toml(_mask(setting.name, setting.value))}")


def list_settings(config: Config, environ: Mapping[str, str] | None = None) -> Iterator[Setting]:
    """Every setting, those without section first."""
    variables = _set_variables(os.environ if environ is None else environ)
    file = find_file()
    written = settings.read_toml(file) if file else {}
    plain = [field for field in msgspec.structs.fields(Config) if not _is_section(field.type)]
    sections = [field for field in msgspec.structs.fields(Config) if _is_section(field.type)]
    for field in plain:
        place = (field.name,)
        origin = _origin(place, variables, written, file)
        yield Setting("", field.name, getattr(config, field.name), origin, _describe(field), _variable(place))
    for outer in sections:
        for field in msgspec.structs.fields(outer.type):
            path = (outer.name, field.name)
            value = getattr(getattr(config, outer.name), field.name)
            origin = _origin(path, variables, written, file)
            yield Setting(outer.name, field.name, value, origin, _describe(field), _variable(path))


def find_file() -> Path | None:
    """The file that the settings are read from."""
    return settings.find_file(os.environ, None)


def to_toml(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(to_toml(item) for item in value)}]"
    # Strings and numbers are written as in JSON; TOML knows no escape of DEL, which JSON leaves alone.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _set_variables(environ: Mapping[str, str] | None = None) -> dict[tuple[str, ...], str]:
    environ = os.environ if environ is None else environ
    return {path: name for name, path in settings.variables().items() if name in environ}


def _origin(
    path: tuple[str, ...], variables: dict[tuple[str, ...], str], written: dict[str, Any], file: Path | None
) -> str:
    if path in variables:
        return f"from {variables[path]}"
    for key in path:
        if not isinstance(written, dict) or key not in written:
            return "default"
        written = written[key]
    return f"from {file}"


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _describe(field: msgspec.structs.FieldInfo) -> str:
    info = msgspec.inspect.type_info(field.type)
    if isinstance(info, msgspec.inspect.Metadata) and info.extra_json_schema:
        return str(info.extra_json_schema.get("description", ""))
    return ""


def _variable(path: tuple[str, ...]) -> str:
    return "PHIOMIA_" + "_".join(path).upper()


def _mask(name: str, value: Any) -> Any:
    if name.endswith(SECRETS) and value:
        return "****"
    return hide_password(value) if isinstance(value, str) and "://" in value else value
