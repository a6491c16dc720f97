"""The release before works on the schema of this one, and this one before anything is removed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from previous import ROOT, Tree, check_previous, export, run_tests

from phiomia import __version__
from phiomia.upgrade.release_rules import find_previous

_FEW = ("tests/domain/test_relationships.py",)
_REVISION = '''"""Made up."""
import sqlalchemy as sa
from alembic import op

revision = "e9001"
down_revision = {down!r}
branch_labels = None
depends_on = None
COST = {{"accounts": None}}


def upgrade() -> None:
    {body}
'''


# Asked for by name: tests of 0.1.1 expected of posts what was no longer so, and releases can't be mended.
@pytest.mark.skipif("PHIOMIA_TEST_PREVIOUS" not in os.environ, reason="runs with PHIOMIA_TEST_PREVIOUS set")
@pytest.mark.timeout(600)
def test_the_release_before(tmp_path: Path) -> None:
    found = find_previous(ROOT, __version__)
    if found is None:
        pytest.skip(f"there is no release before {__version__} in the history that is here")
    assert check_previous(found, tmp_path) == []


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The last commit, in the place of a release before."""
    return export("HEAD", tmp_path_factory.mktemp("before"))


def newer(before: Tree, folder: Path, body: str) -> Tree:
    """A release after it, with a migration more."""
    root = folder / "newer"
    shutil.copytree(before.root / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    migrations = root / "src/phiomia/migrations"
    init = migrations / "__init__.py"
    found = re.search(r"^HEADS = (.*)$", init.read_text(), re.MULTILINE)
    assert found is not None
    heads = re.findall(r'"(e\w+)"', found[1])
    down = heads[0] if len(heads) == 1 else tuple(heads)
    init.write_text(init.read_text().replace(found[0], 'HEADS = frozenset({"e9001"})'))
    (migrations / "expand" / "e9001_made_up.py").write_text(_REVISION.format(down=down, body=body))
    return Tree(root)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("body", "passes"),
    [
        pytest.param('op.add_column("accounts", sa.Column("mood", sa.Text()))', True, id="additive"),
        pytest.param('op.rename_table("follows", "followings")', False, id="renaming"),
    ],
)
def test_the_harness_knows_good_from_bad(before: Tree, tmp_path: Path, body: str, passes: bool) -> None:
    done = run_tests(before, before, newer(before, tmp_path, body), tmp_path, sample=2, which=_FEW)
    assert (done.returncode == 0) == passes, done.stdout + done.stderr
    assert "passed" in done.stdout if passes else "failed" in done.stdout or "error" in done.stdout
