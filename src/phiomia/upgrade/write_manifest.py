"""Writes manifests: the text reads back as the same and is always the same."""

import dataclasses
from typing import Any

from phiomia.upgrade.manifest_parts import SCHEMA, Manifest, Step
from phiomia.upgrade.toml import render_table


def write_manifest(manifest: Manifest) -> str:
    """The text of a manifest, which reads back as the same and is always the same."""
    head = {
        "schema_version": SCHEMA,
        "version": manifest.version,
        "date": manifest.date,
        "channel": manifest.channel,
        "urgency": manifest.urgency,
        "min_from": manifest.min_from,
        "stop": manifest.stop,
        "stop_reason": manifest.stop_reason,
    }
    schema = dataclasses.asdict(manifest.schema)
    needs = dict(sorted(schema.pop("needs").items()))
    parts = [render_table(head)]
    for name, table in (
        ("requires", dataclasses.asdict(manifest.requires)),
        ("schema", {**schema, **({"needs": needs} if needs else {})}),
        ("restart", dataclasses.asdict(manifest.restart)),
        ("downtime", dataclasses.asdict(manifest.downtime)),
    ):
        parts.append(f"[{name}]\n{render_table({key: value for key, value in table.items() if value != ''})}")
    parts += [f"[[step]]\n{render_step(step)}" for step in manifest.steps]
    parts += [f"[[change]]\n{render_table(_present(change))}" for change in manifest.changes]
    return "\n".join(parts)


def render_step(step: Step) -> str:
    """The lines of one step; what has its default is left out."""
    return render_table(_present(step))


def _present(one: Any) -> dict[str, Any]:
    values = {}
    for each in dataclasses.fields(one):
        value = getattr(one, each.name)
        if each.default is dataclasses.MISSING or value != each.default:
            values[each.name] = _present(value) if dataclasses.is_dataclass(value) else value
    return values
