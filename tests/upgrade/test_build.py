"""A release built for real: by uv, with the libraries that its lock names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from release_world import Installation, Repository

from missing import miss
from phiomia.upgrade.build import find_uv

pytestmark = pytest.mark.timeout(300)


def test_with_uv(repository: Repository, tmp_path: Path) -> None:
    if find_uv() is None:
        miss("uv is not installed")
    installation = Installation(repository, tmp_path)
    (installation.tools / "uv").unlink()
    release = installation.build("0.1.0")
    told = json.loads((release / "RELEASE.json").read_text())
    assert (told["version"], told["commit"]) == ("0.1.0", repository.commit_of("0.1.0"))
    script = "import falcon, phiomia, sys; print(falcon.__file__, phiomia.__file__, sys.prefix)"
    done = subprocess.run(
        [release / "venv/bin/python", "-P", "-c", script], capture_output=True, text=True, env=installation.environment
    )
    # Nothing comes from what runs the tests.
    assert all(Path(one).is_relative_to(release) for one in done.stdout.split()), done.stdout + done.stderr
    said = subprocess.run([release / "venv/bin/phiomia", "--version"], capture_output=True, text=True)
    assert said.stdout.startswith("phiomia 0.1.0"), said
    # Nobody writes into a release, not even its compiled modules: all of them are there.
    assert not release.stat().st_mode & 0o222
    assert list((release / "src/phiomia/__pycache__").glob("__init__.*.pyc"))
