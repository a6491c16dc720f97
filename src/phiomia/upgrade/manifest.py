"""Release manifests: `releases/<version>.toml`, from which people and the planner learn what a release asks for."""

from phiomia.upgrade.check_releases import check_releases
from phiomia.upgrade.manifest_parts import (
    AUDIENCES,
    CHANNELS,
    KINDS,
    OWN_STEPS,
    PHASES,
    RESTARTS,
    SCHEMA,
    URGENCIES,
    Change,
    Cost,
    Downtime,
    Manifest,
    ManifestError,
    Requires,
    Restart,
    Schema,
    Step,
)
from phiomia.upgrade.read_manifest import read_manifest, read_releases, read_texts
from phiomia.upgrade.read_steps import read_change, read_steps
from phiomia.upgrade.toml_reader import Reader
from phiomia.upgrade.write_manifest import render_step, write_manifest

__all__ = [
    "AUDIENCES",
    "CHANNELS",
    "KINDS",
    "OWN_STEPS",
    "PHASES",
    "RESTARTS",
    "SCHEMA",
    "URGENCIES",
    "Change",
    "Cost",
    "Downtime",
    "Manifest",
    "ManifestError",
    "Reader",
    "Requires",
    "Restart",
    "Schema",
    "Step",
    "check_releases",
    "read_change",
    "read_manifest",
    "read_releases",
    "read_steps",
    "read_texts",
    "render_step",
    "write_manifest",
]
