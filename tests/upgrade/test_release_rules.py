"""What must hold between releases: of this checkout, and of made-up ones."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest

from phiomia.upgrade.change import main as change
from phiomia.upgrade.manifest import Manifest, Step, write_manifest
from phiomia.upgrade.release import read_schema
from phiomia.upgrade.release_rules import check_checkout, find_previous

ROOT = Path(__file__).resolve().parents[2]


def test_this_checkout() -> None:
    assert change(["--check"], ROOT) == 0
    assert check_checkout(ROOT) == []


class Tree:
    """A small repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("releases", "changelog.d", "src/phiomia/upgrade", "src/phiomia/migrations/contract"):
            (root / name).mkdir(parents=True)
        self.write("src/phiomia/upgrade/steps.py", "async def tidy(context): ...\n")
        self.git("init", "--quiet")
        self.git("config", "user.email", "nobody@mail.example")
        self.git("config", "user.name", "Nobody")

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def git(self, *arguments: str) -> str:
        return subprocess.run(["git", "-C", self.root, *arguments], capture_output=True, text=True, check=True).stdout

    def release(self, version: str, *steps: Step, min_from: str = "") -> str:
        manifest = Manifest(version, datetime.date(2026, 12, 1), min_from=min_from, steps=steps)
        self.write(f"releases/{version}.toml", write_manifest(manifest))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", version)
        return self.git("rev-parse", "HEAD").strip()


TIDY = Step("tidy@1", "config", "Tidy up", "phiomia.upgrade.steps:tidy")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_changes_are_told_of(tree: Tree) -> None:
    tree.release("0.1.0")
    assert check_checkout(tree.root) == []
    tree.write("src/phiomia/upgrade/steps.py", "async def tidy(context): return\n")
    assert "script/change" in check_checkout(tree.root)[0]
    tree.write("changelog.d/tidier.toml", 'kind = "fixed"\ntext = "It is tidy."\naudience = ["admin"]\n')
    assert check_checkout(tree.root) == []
    (tree.root / "changelog.d/tidier.toml").unlink()
    tree.write("changelog.d/tidier.toml", 'kind = "internal"\ntext = "The code is tidy."\n')
    assert check_checkout(tree.root) == []


def test_instructions_are_kept_until_min_from_has_passed_them(tree: Tree) -> None:
    tree.release("0.1.0")
    tree.release("0.2.0", TIDY)
    assert check_checkout(tree.root) == []
    tree.write("src/phiomia/upgrade/steps.py", "")
    tree.write("changelog.d/gone.toml", 'kind = "removed"\ntext = "Nothing is tidied."\naudience = ["admin"]\n')
    assert "0.2.0 asks for tidy@1" in check_checkout(tree.root)[0]
    tree.release("0.3.0", min_from="0.1.0")
    assert len(check_checkout(tree.root)) == 1
    tree.release("0.4.0", min_from="0.2.0")
    assert check_checkout(tree.root) == []


def test_the_previous_release_needs_no_tag(tree: Tree) -> None:
    assert find_previous(tree.root, "0.1.0.dev0") is None
    first = tree.release("0.1.0")
    assert find_previous(tree.root, "0.1.0") is None
    second = tree.release("0.1.1")
    assert find_previous(tree.root, "0.1.1") == ("0.1.0", first)
    tree.write("src/phiomia/upgrade/steps.py", "")
    third = tree.release("0.2.0")
    assert find_previous(tree.root, "0.2.0") == ("0.1.1", second)
    # Until the next one is cut, what changes still has that number.
    tree.write("src/phiomia/upgrade/steps.py", "async def tidy(context): ...\n")
    assert find_previous(tree.root, "0.2.0") == ("0.2.0", third)
    assert find_previous(tree.root, "0.1.0.dev0") is None


def test_which_code_may_run_follows_from_migrations(tree: Tree) -> None:
    assert read_schema(tree.root, []).compat_after_contract == ""
    folder = "src/phiomia/migrations/contract"
    tree.write(f"{folder}/c0001_a.py", 'revision = "c0001"\nMIN_CODE = "0.10.0"\n')
    tree.write(f"{folder}/c0002_b.py", 'revision = "c0002"\nMIN_CODE = "0.9.0"\n')
    schema = read_schema(tree.root, [])
    assert (schema.compat, schema.compat_after_contract) == ("", "0.10.0")
