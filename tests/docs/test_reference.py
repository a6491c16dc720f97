"""Every setting, command and endpoint is documented, and the pages say what the code says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from phiomia.api.endpoint import ENDPOINTS, Endpoint
from phiomia.api.routes import load_endpoints
from phiomia.cli.commands import phiomia
from phiomia.platform.config import Config, variables

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
FACTS = ROOT / "tests" / "facts" / "endpoints.json"

load_endpoints()
OURS = [one for one in ENDPOINTS if one.handler.__module__.startswith("phiomia.")]


def test_no_page_is_stale() -> None:
    # In a process of its own: tests may have declared endpoints in this one.
    check = subprocess.run([sys.executable, ROOT / "docs/render.py", "--check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def test_every_variable_is_named() -> None:
    page = (REFERENCE / "settings.md").read_text()
    assert [name for name in variables() if f"`{name}`" not in page] == []


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, description in _settings(Config) if not description] == []


def test_every_command_is_named_and_says_what_it_does() -> None:
    page = (REFERENCE / "commands.md").read_text()
    for path, command in _commands("phiomia", phiomia):
        assert command.help, f"{path} has no help"
        assert f"## {path}\n" in page
        for param in command.params:
            assert getattr(param, "help", None), f"{path}: {param.name} has no help"


@pytest.mark.parametrize("one", OURS, ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_is_named_and_says_what_it_gives(one: Endpoint) -> None:
    assert one.summary
    assert f"`{one.method} {one.path}`" in (REFERENCE / "api.md").read_text()


def test_every_page_says_how_long_it_may_be() -> None:
    rows = {line.split("`")[1]: line for line in (REFERENCE / "api.md").read_text().splitlines() if "| `" in line}
    faults = []
    for one in json.loads(FACTS.read_text()):
        limit = next((param for param in one["params"] if param["name"] == "limit" and "max" in param), None)
        name = f"{one['method']} {one['path']}"
        if limit is not None and name in rows and f"{limit['default']}, at most {limit['max']}" not in rows[name]:
            faults.append(f"{rows[name]}: {limit['default']}, at most {limit['max']} in Mastodon")
    assert faults == [], "\n".join(faults)


def _settings(kind: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _settings(field.type, f"{field.name}.")
        else:
            info = msgspec.inspect.type_info(field.type)
            extra = info.extra_json_schema if isinstance(info, msgspec.inspect.Metadata) else None
            yield prefix + field.name, str((extra or {}).get("description", ""))


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        inner = command.get_command(None, name)
        if not inner.hidden:  # another name of one that is shown
            yield from _commands(f"{path} {name}", inner)
