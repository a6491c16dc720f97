"""The locked libraries in pip's words, for machines without uv: names, versions, conditions and hashes.

Standard library only.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Key = tuple[str, str]
_OWN = "phiomia"


def export_requirements(lock: str) -> str:
    """What `pip install --require-hashes` takes, from the text of `uv.lock`."""
    packages = {(one["name"], one["version"]): one for one in tomllib.loads(lock)["package"]}
    wanted = _conditions(packages)
    return "".join(_line(packages[key], wanted[key]) for key in sorted(wanted) if key[0] != _OWN)


def _conditions(packages: Mapping[Key, Mapping[str, Any]]) -> dict[Key, set[str]]:
    """For each package that is needed, under which conditions; an empty one is always true."""
    found: dict[Key, set[str]] = {}
    waiting = [(key, "") for key in packages if key[0] == _OWN]
    while waiting:
        key, condition = waiting.pop()
        known = found.setdefault(key, set())
        if condition in known or "" in known:
            continue
        if not condition:
            known.clear()
        known.add(condition)
        for edge in packages[key].get("dependencies", ()):
            both = " and ".join(f"({one})" for one in (condition, edge.get("marker", "")) if one)
            waiting += [(target, both) for target in _targets(packages, edge)]
    return found


def _targets(packages: Mapping[Key, Mapping[str, Any]], edge: Mapping[str, Any]) -> Iterator[Key]:
    for name, version in packages:
        if name == edge["name"] and edge.get("version", version) == version:
            yield name, version


def _line(package: Mapping[str, Any], conditions: set[str]) -> str:
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    hashes = "".join(f" \\\n    --hash={one['hash']}" for one in files)
    marker = "" if "" in conditions else " ; " + " or ".join(f"({one})" for one in sorted(conditions))
    return f"{package['name']}=={package['version']}{marker}{hashes}\n"
