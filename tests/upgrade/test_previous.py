"""The release before works on the schema of this one, and this one before anything is removed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from previous import ROOT, SAMPLE, Check, Tree, check_previous, export

from phiomia import __version__
from phiomia.upgrade.release_rules import find_previous

_FEW = ("tests/domain/test_made_up.py",)
_TESTS = """
import pytest

from phiomia.upgrade.database import connect


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_of_the_schema(migrated_database_url: str) -> None:
    with connect(migrated_database_url) as connection:
        connection.rows("SELECT count(*) FROM follows")


def test_of_its_own() -> None:
    assert {it_holds}


def test_of_nobody() -> None:
    assert True
"""
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


# A sample of its tests, since all of them take minutes; with PHIOMIA_TEST_PREVIOUS set it is all of them.
@pytest.mark.timeout(1200)
def test_the_release_before(tmp_path: Path) -> None:
    found = find_previous(ROOT, __version__)
    if found is None:
        pytest.skip(f"there is no release before {__version__} in the history that is here")
    assert check_previous(found, tmp_path, 0 if "PHIOMIA_TEST_PREVIOUS" in os.environ else SAMPLE) == []


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The last commit, in the place of a release before."""
    tree = export("HEAD", tmp_path_factory.mktemp("before"))
    (tree.root / _FEW[0]).write_text(_TESTS.format(it_holds=True))
    return tree


def newer(before: Tree, folder: Path, body: str) -> Tree:
    """A release after it, with a migration more."""
    root = folder / "newer"
    shutil.copytree(before.root / "src", root / "src")
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
    check = Check("it", before, before, newer(before, tmp_path, body), tmp_path / "check")
    wrong = check.run(which=_FEW)
    assert (wrong == []) == passes, wrong
    assert passes or ("own schema" not in wrong[0] and f"{_FEW[0]}::test_of_the_schema" in wrong[0])


@pytest.mark.timeout(300)
def test_what_a_release_got_wrong_itself_is_told_apart(before: Tree, tmp_path: Path) -> None:
    shutil.copytree(before.root, tmp_path / "mistaken", symlinks=True, ignore=shutil.ignore_patterns("venv"))
    mistaken = Tree(tmp_path / "mistaken", before.python)
    (mistaken.root / _FEW[0]).write_text(_TESTS.format(it_holds=False))
    mistake, right = (f"{_FEW[0]}::test_{name}" for name in ("of_its_own", "of_nobody"))
    more = newer(before, tmp_path, 'op.add_column("accounts", sa.Column("mood", sa.Text()))')
    check = Check("it", mistaken, mistaken, more, tmp_path / "check")
    [found] = check.run(which=_FEW)
    assert mistake in found and "on its own schema too" in found
    [stale] = check.run(which=_FEW, sample=0, mistakes=[mistake, right])
    assert right in stale and "take it out" in stale
