"""Looks at manifests together."""

from collections.abc import Mapping

from phiomia.upgrade.manifest_parts import OWN_STEPS, Manifest, ManifestError


def check_releases(releases: Mapping[str, Manifest], contains: Mapping[str, frozenset[str]]) -> None:
    """Looks at manifests together: `contains` gives each one's ancestors and itself. Raises ManifestError."""
    for version, manifest in releases.items():
        known = contains.get(version, frozenset({version}))
        if manifest.min_from and manifest.min_from not in known:
            raise ManifestError(f"{version}.toml: min_from: {manifest.min_from} is no release before {version}")
        steps = {step.id for other in known if other in releases for step in releases[other].steps}
        for step in manifest.steps:
            for need in step.needs:
                if need not in steps and need not in OWN_STEPS:
                    raise ManifestError(f"{version}.toml: step {step.id}: needs {need}, which no release has")
