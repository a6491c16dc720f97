"""Manifests and fragments: read strictly, written the same each time; folded, tagged and read back in git checkouts."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from phiomia.cli.main import main as phiomia
from phiomia.platform.version import version_of
from phiomia.upgrade import change, release
from phiomia.upgrade.ancestry import GitError, read_history, read_release_files
from phiomia.upgrade.checkout import open_checkout
from phiomia.upgrade.closure import hash_roles
from phiomia.upgrade.fragments import read_fragment, read_fragments, write_fragment
from phiomia.upgrade.manifest import (
    Change,
    Cost,
    Downtime,
    Manifest,
    ManifestError,
    Requires,
    Restart,
    Schema,
    Step,
    check_releases,
    read_manifest,
    render_step,
    write_manifest,
)
from phiomia.upgrade.notes import merge_notes
from phiomia.upgrade.render import render_release, render_tree
from phiomia.upgrade.versions import is_prerelease, meets, version_order

ROOT = Path(__file__).parents[2]
DAY = datetime.date(2026, 11, 30)

FULL = Manifest(
    version="1.6.0",
    date=DAY,
    urgency="security",
    min_from="1.2.0",
    stop=True,
    stop_reason='ids grow, "for good"',
    requires=Requires(">=3.11", ">=14", "", "db_size*0.3 + 800", "350"),
    schema=Schema("e0061", "c0044", "1.5.0", "1.6.0", ("e0060", "e0061"), ("c0044",), {"e0061": ("c0043",)}),
    restart=Restart("reload", "restart", "none"),
    downtime=Downtime(2.5, "moves a table"),
    steps=(
        Step(
            "a-b@1", "backfill", "Fill", "a.b:c", ("migrate-expand",), "x > 1", True, Cost(1, "accounts", 4000), "noop"
        ),
        Step("b@2", "config", "Write\\lines", "a:b", manual="bin/phiomia step b", docs="docs/x.md"),
    ),
    changes=(Change("fixed", "Ünïcode\nand\ttabs", ("admin", "user")), Change("added", "More.")),
)


def test_a_manifest_reads_back() -> None:
    text = write_manifest(FULL)
    read = read_manifest(text, "1.6.0.toml")
    assert write_manifest(read) == text
    assert read.steps == FULL.steps
    assert (read.schema, read.requires, read.downtime, read.restart) == (
        FULL.schema,
        FULL.requires,
        FULL.downtime,
        FULL.restart,
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("schema_version = 1", "schema_version = 2", "1.6.0.toml:1: schema_version"),
        ("date = 2026-11-30", 'date = "2026"', "1.6.0.toml:3: date: must be a date"),
        ("date = 2026-11-30\n", "", "date: is missing"),
        ('channel = "stable"', 'channel = "beta"', "1.6.0.toml:4: channel: is 'beta'"),
        ("stop = true", "stopp = true", "1.6.0.toml:7: stopp: is not known"),
        ("stop = true", "stop = 1", "must be a switch"),
        ('version = "1.6.0"', 'version = "1.6"', "is no version"),
        ('version = "1.6.0"', 'version = "1.6.1"', "must be in 1.6.1.toml"),
        ('version = "1.6.0"', 'version = "1.6.0', "1.6.0.toml: "),
        ('python = ">=3.11"', 'python = "3.11"', "requires.python: '3.11' is no bound"),
        ("db_size*0.3 + 800", "db_size*", "requires.disk_free_mb: 'db_size*' ends too early"),
        ('web = "reload"', 'web = "handover"', "restart.web"),
        ('reason = "moves a table"\n', "", "downtime.reason: is missing"),
        ('id = "b@2"', 'id = "b"', "step.id: 'b' must look like"),
        ('id = "b@2"', 'id = "a-b@1"', "step.id: a-b@1 is there twice"),
        ('run = "a:b"', 'run = "rm -rf /"', "step.run"),
        ('phase = "config"', 'phase = "later"', "step.phase"),
        ("x > 1", "x >", "step.only_if"),
        ("rows = ", "row = ", "step.cost: row is not known"),
        ('kind = "added"', 'kind = "new"', "change.kind"),
        ('"admin", "user"', '"everybody"', "change.audience: has 'everybody'"),
        ('["c0043"]', '["c0044"]', "needs a release of its own"),
    ],
)
def test_mistakes_are_named(old: str, new: str, complaint: str) -> None:
    text = write_manifest(FULL)
    assert old in text
    with pytest.raises(ManifestError) as error:
        read_manifest(text.replace(old, new, 1), "1.6.0.toml")
    assert complaint in str(error.value)


def test_the_line_is_that_of_the_right_step() -> None:
    text = write_manifest(FULL).replace('title = "Write', 'titel = "Write')
    line = 1 + next(place for place, one in enumerate(text.splitlines()) if one.startswith("titel"))
    with pytest.raises(ManifestError, match=f"^1.6.0.toml:{line}: step.titel: is not known"):
        read_manifest(text, "1.6.0.toml")


def test_manifests_fit_together() -> None:
    contains = {"1.0.0": frozenset({"1.0.0"}), "1.1.0": frozenset({"1.0.0", "1.1.0"})}
    first = Manifest("1.0.0", DAY)
    for wrong in (
        Manifest("1.1.0", DAY, min_from="0.9.0"),
        Manifest("1.1.0", DAY, steps=(Step("a@1", "config", "t", "a:b", ("lost@1",)),)),
    ):
        with pytest.raises(ManifestError, match=r"1\.1\.0\.toml"):
            check_releases({"1.0.0": first, "1.1.0": wrong}, contains)
    check_releases({"1.0.0": first, "1.1.0": Manifest("1.1.0", DAY, min_from="1.0.0")}, contains)


def test_versions() -> None:
    line = ["0.9.9", "1.0.0dev2", "1.0.0rc1", "1.0.0rc10", "1.0.0", "1.0.1", "1.10.0"]
    assert sorted(sorted(line, key=len), key=version_order) == line
    assert [is_prerelease(one) for one in line[1:5]] == [True, True, True, False]
    assert meets("15.4", ">=14,<16") and not meets("16.0", ">=14,<16") and meets("14", ">=14.0")
    with pytest.raises(ValueError, match="no version"):
        version_order("v1.0.0")


def test_the_changelog_is_what_its_sources_say() -> None:
    assert (ROOT / "CHANGELOG.md").read_text("utf-8") == render_tree(ROOT), "run script/change --render"


def test_a_fragment_reads_back() -> None:
    text = write_fragment(Change("added", "More.", ("api",)), [FULL.steps[0]])
    read = read_fragment(text, "more.toml")
    assert (read.name, read.change.audience, read.steps) == ("more", ("api",), FULL.steps[:1])
    with pytest.raises(ManifestError, match="colour: is not known"):
        read_fragment(text.replace("kind =", "colour =", 1), "more.toml")


def test_what_is_internal_is_for_nobody() -> None:
    text = write_fragment(Change("internal", "Two parsers are one.", ()))
    assert "audience" not in text
    assert read_fragment(text, "parsers.toml").is_internal
    for more in ('audience = ["admin"]\n', f"[[step]]\n{render_step(FULL.steps[0])}"):
        with pytest.raises(ManifestError, match="somebody has to know of it"):
            read_fragment(f"{text}{more}", "parsers.toml")
    with pytest.raises(ManifestError, match="kind"):
        read_manifest(write_manifest(replace(FULL, changes=(Change("internal", "Two.", ()),))), "1.0.0.toml")


def test_the_page_of_a_release() -> None:
    page = render_release(FULL)
    assert page == render_release(read_manifest(write_manifest(FULL), "1.6.0.toml"))
    for words in (
        "# Phiomia 1.6.0",
        "Mends a weakness",
        "ids grow",
        "(for operators)",
        "Needs PostgreSQL >=14",
        "2.5 s",
    ):
        assert words in page


# In checkouts


class Repository:
    """A small checkout with the parts that a release looks at."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("uv.lock", "one")
        self.write("src/phiomia/__init__.py", '"""P."""\n__version__ = "1.0.0"\n')
        self.write(
            "src/phiomia/app.py",
            "def run_web():\n    from phiomia import web\n\n\n"
            "def run_worker():\n    from phiomia.jobs import JOBS\n\n\n"
            "async def run_streaming_role():\n    both()\n\n\ndef both():\n    from phiomia import streaming\n",
        )
        self.write("src/phiomia/web/__init__.py", "import phiomia.shared\n")
        self.write("src/phiomia/web/templates/page.html", "<p>")
        self.write("src/phiomia/streaming.py", "from . import shared\n")
        self.write("src/phiomia/jobs.py", 'JOBS = "phiomia.lazily:run"\nLATER = "phiomia.lazily"\n')
        self.write("src/phiomia/lazily.py", "")
        self.write("src/phiomia/shared.py", "")
        self.write("src/phiomia/migrations/__init__.py", "")
        self.write("src/phiomia/migrations/expand/e0001_first.py", 'revision = "e0001"\ndown_revision = None\n')
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def git(self, *arguments: str) -> str:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"}
        name = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.root), *name, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=kept).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "c")

    def change(self, name: str, text: str) -> None:
        arguments = ["--name", name, "--kind", "added", "--text", text, "--audience", "user"]
        assert change.main(arguments, self.root) == 0

    def release(self, version: str, *options: str) -> Manifest:
        assert release.main([version, "--date", "2026-11-30", *options], self.root) == 0
        self.write("src/phiomia/__init__.py", f'"""P."""\n__version__ = "{version}"\n')
        self.commit()
        with patch.dict(os.environ, self.identity):
            assert release.main([version, "--tag"], self.root) == 0
        return read_manifest((self.root / "releases" / f"{version}.toml").read_text(), f"{version}.toml")

    def tag(self, version: str) -> tuple[int, str]:
        """What making the tag of a release comes to, and what it says."""
        said = io.StringIO()
        with patch.dict(os.environ, self.identity), contextlib.redirect_stderr(said):
            return release.main([version, "--tag"], self.root), said.getvalue()

    @property
    def identity(self) -> dict[str, str]:
        return {"GIT_COMMITTER_NAME": "T", "GIT_COMMITTER_EMAIL": "t@example.com", "HOME": str(self.root)}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "checkout")


def test_releases_from_fragments(repository: Repository) -> None:
    root = repository.root
    assert change.main(["--name", "same", "--kind", "internal", "--text", "Nothing to see."], root) == 0
    assert "## Unreleased" not in (root / "CHANGELOG.md").read_text()
    repository.change("First thing!", "The first thing.")
    assert "## Unreleased" in (root / "CHANGELOG.md").read_text()
    assert "Nothing to see" not in (root / "CHANGELOG.md").read_text()
    first = repository.release("1.0.0")
    assert [one.text for one in first.changes] == ["The first thing."]
    assert first.schema.expands == ("e0001",)
    assert read_fragments(root / "changelog.d") == []
    assert "## 1.0.0 (2026-11-30)" in (root / "CHANGELOG.md").read_text()
    assert repository.git("cat-file", "-t", "v1.0.0").strip() == "tag"
    assert change.main(["--check"], root) == 0

    repository.write("src/phiomia/__init__.py", '"""P."""\n__version__ = "1.1.0"\n')
    repository.write("src/phiomia/web/templates/page.html", "<b>")
    repository.write("src/phiomia/migrations/expand/e0002_more.py", 'revision = "e0002"\ndepends_on = ("c0001",)\n')
    repository.write("src/phiomia/migrations/contract/c0001_less.py", 'revision = "c0001"\n')
    repository.commit()
    assert release.main(["1.1.0"], root) == 1  # an expand that builds on a contract of the same release
    assert not (root / "releases" / "1.1.0.toml").exists()
    repository.write("src/phiomia/migrations/expand/e0002_more.py", 'revision = "e0002"\n')
    repository.commit()
    second = repository.release("1.1.0", "--min-from", "1.0.0")
    assert vars(second.restart) == {"web": "reload", "workers": "none", "streaming": "none"}
    assert (second.schema.expands, second.schema.contracts) == (("e0002",), ("c0001",))
    assert (root / "CHANGELOG.md").read_text() == render_tree(root)
    assert release.main(["1.1.0"], root) == 1


def test_each_role_has_what_it_imports(repository: Repository) -> None:
    before = hash_roles(repository.root)
    for path, roles in (
        ("src/phiomia/shared.py", {"web", "streaming"}),
        ("src/phiomia/lazily.py", {"workers"}),
        ("src/phiomia/streaming.py", {"streaming"}),
        ("src/phiomia/other.py", set()),
        ("uv.lock", {"web", "workers", "streaming"}),
    ):
        file = repository.root / path
        old = file.read_text() if file.exists() else ""
        repository.write(path, f"{old}# changed\n")
        now = hash_roles(repository.root)
        assert {role for role in now if now[role] != before[role]} == roles, path
        repository.write(path, old)


def test_ancestry_from_git(repository: Repository) -> None:
    repository.release("1.0.0")
    repository.git("branch", "maintenance")
    repository.release("1.1.0")
    repository.git("checkout", "--quiet", "maintenance")
    repository.release("1.0.1")
    repository.git("tag", "v-not-a-release")
    repository.git("checkout", "--quiet", "main")
    repository.git("branch", "v1.0.0")  # a branch of a tag's name
    history = read_history(repository.root)
    assert history.here == ("1.1.0", frozenset({"1.0.0", "1.1.0"}))
    assert history.contains["1.0.1"] == {"1.0.0", "1.0.1"}
    repository.commit()
    assert read_history(repository.root).here.name.endswith("+unreleased")
    found = open_checkout(repository.root)
    assert found.versions == ["1.0.0", "1.0.1", "1.1.0"]
    assert set(found.releases_of("1.1.0").manifests) == {"1.0.0", "1.1.0"}
    with pytest.raises(GitError):
        found.releases_of("2.0.0")


def test_manifests_are_read_as_they_were_written(repository: Repository) -> None:
    texts = {"0.8.0.toml": "one = 'ä'\n\n", "0.9.0.toml": "", "0.9.1.toml": "no end of line"}
    for name, text in texts.items():
        repository.write(f"releases/{name}", text)
    repository.write("releases/README.md", "no manifest")
    repository.commit()
    repository.git("tag", "v0.9.1")
    assert read_release_files(repository.root, "0.9.1") == texts
    repository.write("releases/1.0.0.toml/within", "")
    repository.commit()
    repository.git("tag", "v1.0.0")
    with pytest.raises(GitError, match="no file"):
        read_release_files(repository.root, "1.0.0")


def test_notes_of_several_releases(repository: Repository) -> None:
    for version, text in (("1.0.0", "One."), ("1.1.0", "Two."), ("1.2.0", "Three.")):
        repository.change(text, text)
        repository.release(version)
    found = open_checkout(repository.root)
    notes = merge_notes(found.place_of("1.0.0"), "1.2.0", found.releases_of("1.2.0"))
    assert "Three." in notes and "Two." in notes and "One." not in notes
    assert "Releases: 1.1.0, 1.2.0." in notes
    assert "has everything" in merge_notes(found.place_of("1.2.0"), "1.1.0", found.releases_of("1.1.0"))


def test_versions_of_checkouts(repository: Repository, tmp_path: Path) -> None:
    assert version_of(repository.root, "1.0.0") == "1.0.0+unreleased"
    repository.release("1.0.0")
    assert version_of(repository.root, "1.0.0") == "1.0.0"
    repository.commit()
    assert version_of(repository.root, "1.0.0") == "1.0.0+unreleased"
    assert version_of(tmp_path / "nowhere", "1.0.0") == "1.0.0"
    (tmp_path / "built").mkdir()
    (tmp_path / "built/RELEASE.json").write_text('{"version": "1.0.0+unreleased"}')
    assert version_of(tmp_path / "built", "1.0.0") == "1.0.0+unreleased"
    shutil.rmtree(repository.root / ".git")
    assert version_of(repository.root, "1.0.0") == "1.0.0"


def run(root: Path, *arguments: str, status: int = 0) -> str:
    """What the command prints about a checkout, on a server without a database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PHIOMIA_")}
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, {**kept, "PHIOMIA_DATA": str(root / "var")}, clear=True),
        patch.object(sys, "argv", ["phiomia", *arguments, "--checkout", str(root)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        phiomia()
    assert (ended.value.code or 0) == status, out.getvalue() + err.getvalue()
    return out.getvalue() + err.getvalue()


def test_commands_before_the_first_release(repository: Repository) -> None:
    assert "Nothing is released yet" in run(repository.root, "releases")
    assert "Nothing is released yet" in run(repository.root, "upgrade", "plan")
    assert "Nothing is released yet" in run(repository.root, "upgrade", "notes", "1.0.0..1.1.0", status=1)
    assert json.loads(run(repository.root, "upgrade", "plan", "1.0.0", "--json", status=1))["refusals"]


def test_commands(repository: Repository) -> None:
    repository.release("1.0.0")
    repository.change("new", "Something new.")
    repository.release("1.1.0")
    root = repository.root
    assert run(root, "releases").splitlines()[0].split()[:2] == ["1.1.0", "2026-11-30"]
    assert "nothing to do" in run(root, "upgrade", "plan")
    repository.git("checkout", "--quiet", "refs/tags/v1.0.0")
    assert "Something new." in run(root, "upgrade", "notes", "1.0.0..1.1.0")
    assert "Something new." in run(root, "upgrade", "notes", "..")
    assert "1.0.0 → 1.1.0" in run(root, "upgrade", "plan")
    made = json.loads(run(root, "upgrade", "plan", "1.1.0", "--json"))
    assert len(made["hash"]) == 64 and [leg["end"] for leg in made["legs"]] == ["1.1.0"]
    assert "no release 3.0.0" in run(root, "upgrade", "plan", "3.0.0", status=1)


def test_code_that_calls_itself_otherwise_is_not_tagged(repository: Repository) -> None:
    assert release.main(["0.1.0", "--date", "2026-11-30"], repository.root) == 0
    repository.write("src/phiomia/__init__.py", '__version__ = "0.0.9"\n')
    repository.commit()
    status, said = repository.tag("0.1.0")
    assert status != 0 and "its code calls itself 0.0.9: set the version in pyproject.toml" in said
    assert repository.git("tag") == ""
    repository.write("src/phiomia/__init__.py", '__version__ = "0.1.0"\n')
    repository.commit()
    assert repository.tag("0.1.0")[0] == 0 and repository.git("tag") == "v0.1.0\n"
