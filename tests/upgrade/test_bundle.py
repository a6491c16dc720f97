"""Upgrades of machines without a network: out of one file, of which nothing is believed that is not proven."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from release_world import SERVED, Installation, Repository, _step
from shelf import Shelf
from trust_world import Key, World

from phiomia.upgrade import bundle as bundle_maker
from phiomia.upgrade.bundle import BundleError, describe_machine, make_bundle
from phiomia.upgrade.install_wheels import has_wheels
from phiomia.upgrade.places import Places
from phiomia.upgrade.report import PlainReport
from phiomia.upgrade.take_bundle import take_bundle

pytestmark = pytest.mark.timeout(300)

_LOCK = """version = 1

[[package]]
name = "phiomia"
version = "0.1.0"
source = {{ editable = "." }}
dependencies = [{{ name = "libraries" }}]

[[package]]
name = "libraries"
version = "1.0"
wheels = [{{ url = "https://mirror.example/libraries-1.0-py3-none-any.whl", hash = "sha256:{digest}" }}]
"""


# Taking one in


class Parcel:
    """A bundle that is put together by hand, so that something can be wrong with it."""

    def __init__(self, world: World, version: str, since: str = "") -> None:
        self.path = world.folder / "b.tar"
        repository = world.folder / "repository.bundle"
        without = [f"^refs/tags/v{since}^{{commit}}"] if since else []
        world.git("bundle", "create", "--quiet", str(repository), f"refs/tags/v{version}", *without)
        self.files = {"repository.bundle": repository.read_bytes(), "wheels/one-1.0-py3-none-any.whl": b"wheel"}
        self.told: dict[str, Any] = {"format": 1, "version": version, "since": since, **describe_machine()}
        self.told["files"] = [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in self.files.items()
        ]

    def write(self, *more: tarfile.TarInfo) -> Path:
        """Writes it, with further members."""
        with tarfile.open(self.path, "w") as archive:
            for name, data in ({"bundle.json": json.dumps(self.told).encode()} | self.files).items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
            for member in more:
                archive.addfile(member, io.BytesIO(b"x" * member.size))
        return self.path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """1.0.0 is installed, 1.1.0 comes in a bundle."""
    made = World(tmp_path)
    made.release("1.0.0")
    made.install("1.0.0")
    made.release("1.1.0")
    return made


def test_its_tags_and_libraries_are_taken(world: World) -> None:
    """The checkout learns of the release, and what an older bundle brought is gone."""
    world.places.wheels.mkdir(parents=True)
    (world.places.wheels / "old-1.0-py3-none-any.whl").write_text("old")
    parcel = Parcel(world, "1.1.0", "1.0.0")
    assert take_bundle(world.places, parcel.write(), PlainReport()) == "1.1.0"
    assert world.git("tag", at=world.places.checkout).split() == ["v1.0.0", "v1.1.0"]
    assert [(path.name, path.read_bytes()) for path in world.places.wheels.iterdir()] == [
        ("one-1.0-py3-none-any.whl", b"wheel")
    ]
    assert [path.name for path in world.places.shared.iterdir()] == ["wheels"]


def _link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def _damage(parcel: Parcel) -> Path:
    parcel.files["wheels/one-1.0-py3-none-any.whl"] = b"whale"
    return parcel.write()


def _leave_out(parcel: Parcel) -> Path:
    del parcel.files["wheels/one-1.0-py3-none-any.whl"]
    return parcel.write()


def _rename(to: str) -> Callable[[Parcel], Path]:
    def rename(parcel: Parcel) -> Path:
        parcel.told["files"][1]["name"] = to
        parcel.files[to] = parcel.files.pop("wheels/one-1.0-py3-none-any.whl")
        return parcel.write()

    return rename


def _say(**told: Any) -> Callable[[Parcel], Path]:
    def say(parcel: Parcel) -> Path:
        parcel.told |= told
        return parcel.write()

    return say


def _as_link(parcel: Parcel) -> Path:
    del parcel.files["wheels/one-1.0-py3-none-any.whl"]
    return parcel.write(_link("wheels/one-1.0-py3-none-any.whl", "/etc/passwd"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_damage, "is damaged: its checksum is another one"),
        (_leave_out, "it was cut off"),
        (_rename("wheels/../../evil.whl"), "does not belong there"),
        (_rename("/tmp/evil.whl"), "does not belong there"),
        (_rename("wheels/.hidden.whl"), "does not belong there"),
        (lambda parcel: parcel.write(tarfile.TarInfo("../evil")), "has '../evil', which does not belong there"),
        (lambda parcel: parcel.write(_link("wheels", "/tmp")), "has 'wheels', which does not belong there"),
        (_as_link, "does not belong there"),
        (_say(format=2), "has the format 2"),
        (_say(python="2.7"), "was made with Python 2.7"),
        (_say(platform="toaster"), "on toaster"),
        (_say(version="../1"), "does not say properly"),
        (_say(files=[]), "does not say properly"),
        (_say(version="1.2.0"), "has no tag v1.2.0"),
    ],
)
def test_what_is_wrong_with_it(world: World, spoil: Callable[[Parcel], Path], words: str) -> None:
    """It is said, and nothing of it stays."""
    path = spoil(Parcel(world, "1.1.0"))
    with pytest.raises(BundleError) as error:
        take_bundle(world.places, path, PlainReport())
    assert words in str(error.value)
    assert world.git("tag", at=world.places.checkout).split() == ["v1.0.0"]
    assert not world.places.wheels.exists()
    assert not list(world.places.shared.iterdir()) if world.places.shared.exists() else True
    assert not (world.folder / "evil").exists() and not Path("/tmp/evil.whl").exists()


def test_what_is_no_bundle(world: World) -> None:
    path = world.folder / "b.tar"
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(BundleError, match="can't be read"):
        take_bundle(world.places, path, PlainReport())
    with pytest.raises(BundleError, match="can't be read"):
        take_bundle(world.places, world.folder / "nowhere.tar", PlainReport())
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("hello"))
    with pytest.raises(BundleError, match="no bundle of a release"):
        take_bundle(world.places, path, PlainReport())


def test_it_must_fit_the_checkout(world: World) -> None:
    """A tag that is another one here, or history that is missing."""
    world.release("1.2.0")
    with pytest.raises(BundleError, match=r"does not fit this checkout and comes after 1\.1\.0"):
        take_bundle(world.places, Parcel(world, "1.2.0", "1.1.0").write(), PlainReport())
    path = Parcel(world, "1.1.0").write()
    world.git("tag", "--annotate", "--message", "other", "v1.1.0", "v1.0.0", at=world.places.checkout)
    with pytest.raises(BundleError, match=r"The tag v1\.1\.0 is another one in the bundle"):
        take_bundle(world.places, path, PlainReport())


# The whole way


class Provided(Repository):
    """Releases whose only library leads to those of what runs the tests."""

    wheels: Path

    def _forget_contracts(self) -> None:
        super()._forget_contracts()
        digest = hashlib.sha256(make_wheel(self.wheels).read_bytes()).hexdigest()
        (self.root / "uv.lock").write_text(_LOCK.format(digest=digest))

    def _make_releases(self, heads: tuple[str, ...]) -> None:
        self._release("0.1.0")
        self._release("0.1.1", steps=(_step("tidy", "config"),), restart=SERVED)


def make_wheel(folder: Path) -> Path:
    """A library that only leads to others."""
    path = folder / "libraries-1.0-py3-none-any.whl"
    info = "libraries-1.0.dist-info"
    files = {
        "libraries.pth": sysconfig.get_paths()["purelib"] + "\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: libraries\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


def alone() -> list[str]:
    """The beginning of a command that has no network, where the system lets us."""
    probe = ["unshare", "--map-root-user", "--net"]
    there = shutil.which("unshare") and subprocess.run([*probe, "true"], capture_output=True).returncode == 0
    return probe if there else []


def test_from_one_machine_to_another(tmp_path: Path) -> None:
    """One with a network makes the bundle, one without is upgraded out of it."""
    Provided.wheels = tmp_path / "mirror"
    Provided.wheels.mkdir()
    repository = Provided(tmp_path / "origin")
    installation = Installation(repository, tmp_path / "server", Shelf(tmp_path / "shelf"))
    installation.forget("0.1.1")
    live = tmp_path / "live"
    git = ["git", "-C", str(live)]
    subprocess.run(["git", "init", "--quiet", live], check=True)
    fetch = ["fetch", "--quiet", "--no-tags", str(repository.root), "refs/tags/v0.1.0:refs/tags/v0.1.0"]
    subprocess.run([*git, *fetch], check=True)
    subprocess.run([*git, "checkout", "--quiet", "refs/tags/v0.1.0"], check=True)
    installation.places = Places(live, installation.places.app)
    installation.begin_again("0.1.0")
    bundle = tmp_path / "b.tar"
    said = installation.command(
        *("upgrade", "bundle", "0.1.1", "--since", "0.1.0", "--output", str(bundle)),
        *("--checkout", str(repository.root)),
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(Provided.wheels),
        PIP_CONFIG_FILE=os.devnull,
    )
    assert f"{bundle}: " in said and " MB, to 0.1.1 from 0.1.0" in said
    with tarfile.open(bundle) as archive:
        assert archive.getnames() == ["bundle.json", "repository.bundle", "wheels/libraries-1.0-py3-none-any.whl"]

    (installation.tools / "uv").unlink()
    upgrade = [
        *alone(),
        str(installation.places.current / "venv/bin/phiomia"),
        "upgrade",
        "--from",
        str(bundle),
        "--yes",
    ]
    environment = installation.environment | {"UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_NO_INDEX": "0"}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            upgrade, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=250, check=False
        )

    signers = installation.directory("0.1.0") / "releases/allowed_signers"
    signers.parent.chmod(0o755)
    signers.write_text(Key(tmp_path / "key").line())
    done = run()
    assert done.returncode == 1 and "v0.1.1 is not signed" in done.stdout, done.stdout + done.stderr
    assert installation.current == "0.1.0"
    signers.unlink()
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert installation.current == "0.1.1" and installation.ran == ["tidy"]
    assert "b.tar leads to 0.1.1 and holds " in done.stdout + done.stderr


def test_every_stop_has_its_libraries(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to 0.4.0 stops at 0.3.0, wherever it begins; with the history it can be followed elsewhere."""
    collected: list[str] = []

    def collect(_root: Path, version: str, folder: Path) -> None:
        collected.append(version)
        (folder / "wheels").mkdir(exist_ok=True)

    monkeypatch.setattr(bundle_maker, "_download", collect)
    output = tmp_path / "b.tar"
    made = make_bundle(repository.root, "0.4.0", output, PlainReport())
    assert made.stops == ("0.3.0", "0.4.0") and collected == ["0.3.0", "0.4.0"]
    assert made.since == "" and made.size == output.stat().st_size
    live = tmp_path / "live"
    subprocess.run(["git", "init", "--quiet", live], check=True)
    places = Places(live, tmp_path / "app")
    places.app.mkdir()
    assert take_bundle(places, output, PlainReport()) == "0.4.0"
    tags = subprocess.run(["git", "-C", live, "tag"], capture_output=True, text=True, check=True).stdout.split()
    assert tags == ["v0.1.0", "v0.1.1", "v0.1.2", "v0.2.0", "v0.3.0", "v0.4.0"]
    assert make_bundle(repository.root, "0.4.0", output, PlainReport(), since="0.3.0").stops == ("0.4.0",)
    with pytest.raises(BundleError, match="does not follow"):
        make_bundle(repository.root, "0.1.0", output, PlainReport(), since="0.3.0")


def test_only_files_that_the_release_names_are_used(tmp_path: Path) -> None:
    """Another file of the right name is as good as none."""
    wheels, release = tmp_path / "wheels", tmp_path / "release"
    wheels.mkdir()
    release.mkdir()
    wheel = make_wheel(wheels)
    (release / "uv.lock").write_text(_LOCK.format(digest=hashlib.sha256(wheel.read_bytes()).hexdigest()))
    assert has_wheels(wheels, release) and not has_wheels(tmp_path / "nowhere", release)
    wheel.write_bytes(wheel.read_bytes() + b"x")
    assert not has_wheels(wheels, release)
