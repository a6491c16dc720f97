"""One TOML file and `PHIOMIA_*` variables become the settings (`settings.py`).

A variable wins over the file, the file over the default.
"""

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from phiomia.platform.setting_checks import find_faults
from phiomia.platform.setting_faults import explain_fault, suggest
from phiomia.platform.settings import Config

__all__ = [
    "INTERNAL_NAMES",
    "SHORT_NAMES",
    "Config",
    "ConfigError",
    "find_file",
    "load_config",
    "read_toml",
    "variables",
]

# Short names that operators and tests use, beside PHIOMIA_<SECTION>_<FIELD>.
SHORT_NAMES: dict[str, tuple[str, ...]] = {
    "PHIOMIA_REGISTRATIONS": ("registrations", "mode"),
    "PHIOMIA_CONFIRM_EMAIL": ("registrations", "confirm_email"),
    "PHIOMIA_RATE_LIMITS": ("rate_limits", "enabled"),
    "PHIOMIA_WEB_WORKERS": ("processes", "web"),
    "PHIOMIA_WORKERS": ("processes", "worker"),
    "PHIOMIA_STREAMING_WORKERS": ("processes", "streaming"),
}

# Variables that are not settings: they pass handles between the server's own processes.
INTERNAL_NAMES = {
    "PHIOMIA_CONFIG",
    "PHIOMIA_LISTEN_FD",
    "PHIOMIA_LISTEN_KEPT",
    "PHIOMIA_STREAMING_FD",
    "PHIOMIA_READY_FD",
    "PHIOMIA_BUS_SOCKET",
    "PHIOMIA_STATUS_FILE",
    "PHIOMIA_CURRENT",
    "PHIOMIA_CHECKOUT",
    "PHIOMIA_APP",
    "PHIOMIA_ROLE",
    "PHIOMIA_GENERATION",
    "PHIOMIA_PASSWORD",
}
_INTERNAL_PREFIXES = ("PHIOMIA_TEST_", "PHIOMIA_SUPERVISOR_", "PHIOMIA_DRAIN_", "PHIOMIA_UPGRADE_")


class ConfigError(Exception):
    """A setting is wrong; the message says which, where it came from and how to mend it."""


@cache
def variables() -> Mapping[str, tuple[str, ...]]:
    """Each variable's name with the path of the setting it stands for."""
    found: dict[str, tuple[str, ...]] = {}
    for item in msgspec.structs.fields(Config):
        section = item.type
        if isinstance(section, type) and issubclass(section, Struct):
            for inner in msgspec.structs.fields(section):
                found[f"PHIOMIA_{item.name}_{inner.name}".upper()] = (item.name, inner.name)
        else:
            found[f"PHIOMIA_{item.name}".upper()] = (item.name,)
    return found | SHORT_NAMES


def load_config(environ: Mapping[str, str] | None = None, path: str | None = None) -> Config:
    """The settings from `path` (or $PHIOMIA_CONFIG, or phiomia.toml in the data directory) and variables.

    Raises ConfigError.
    """
    environ = os.environ if environ is None else environ
    file = find_file(environ, path)
    tree: dict[str, Any] = read_toml(file) if file else {}
    origins: dict[tuple[str, ...], str] = {}
    known = variables()
    for name, value in environ.items():
        if not name.startswith("PHIOMIA_") or name in INTERNAL_NAMES:
            continue
        if name not in known:
            if name.startswith(_INTERNAL_PREFIXES):
                continue
            hint = suggest(name, known) or " docs/reference/settings.md lists those that exist."
            raise ConfigError(f"{name} is not a setting.{hint}")
        _put(tree, known[name], _parse(known[name], value, name))
        origins[known[name]] = name
    try:
        config = msgspec.convert(tree, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(explain_fault(error, tree, Config, origins, str(file or "the settings"))) from None
    for place, words in find_faults(config):
        raise ConfigError(f"{origins.get(place, file or 'the settings')}: {words}")
    return config


def find_file(environ: Mapping[str, str], path: str | None) -> Path | None:
    """The configuration file there is: the one named, or phiomia.toml in the data directory. Raises ConfigError."""
    named = path or environ.get("PHIOMIA_CONFIG")
    if named:
        if not Path(named).is_file():
            raise ConfigError(f"The configuration file {named} does not exist.")
        return Path(named)
    usual = Path(environ.get("PHIOMIA_DATA", "./var")) / "phiomia.toml"
    return usual if usual.is_file() else None


def read_toml(file: Path) -> dict[str, Any]:
    """What a configuration file says. Raises ConfigError."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from None


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            # The file has something else where a section should be, which the conversion says better.
            return
    tree[path[-1]] = value


def _parse(path: tuple[str, ...], value: str, name: str) -> Any:
    kind: Any = Config
    for key in path:
        kind = msgspec.inspect.type_info(kind)
        field_ = next(f for f in kind.fields if f.encode_name == key)
        kind = field_.type.cls if isinstance(field_.type, msgspec.inspect.StructType) else field_.type
    if isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    if isinstance(kind, msgspec.inspect.BoolType):
        return _parse_switch(value, name)
    if isinstance(kind, msgspec.inspect.ListType | msgspec.inspect.TupleType):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _parse_switch(value: str, name: str) -> bool:
    word = value.strip().lower()
    if word in ("on", "true", "1", "yes"):
        return True
    if word in ("off", "false", "0", "no"):
        return False
    raise ConfigError(f"{name} is {value!r}; it can be `on` or `off`.")
