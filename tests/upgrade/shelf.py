"""What is made once for all processes of a run of tests and then copied: repositories, releases, databases of them.

Building a release takes seconds of processor time, a copy of it a twentieth of one. Whatever is about building itself
does without.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from phiomia.upgrade.build import MARK

T = TypeVar("T")


class Shelf:
    """The folder that the processes share. Who wants something that is not there makes it; others wait for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def hold(self, name: str, *, wait: bool = True) -> Iterator[Path | None]:
        """The place of that name, for this process alone; None where another has it and nobody wants to wait."""
        with (self._folder / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield None
                return
            yield self._folder / name

    def take_tree(self, name: str, to: Path, make: Callable[[Path], T]) -> T:
        """Fills a folder as `make` would; gives what that gave."""
        with self.hold(name) as place:
            assert place is not None
            told = place.with_suffix(".told")
            if not told.exists():
                made = make(place)
                told.write_bytes(pickle.dumps(made))
        copy_tree(place, to)
        taken: T = pickle.loads(told.read_bytes())
        return taken

    def take_file(self, name: str, to: Path, make: Callable[[Path], None]) -> None:
        """The same for a file."""
        with self.hold(name) as place:
            assert place is not None
            if not place.exists():
                unfinished = place.with_suffix(".unfinished")
                make(unfinished)
                unfinished.rename(place)
        shutil.copyfile(place, to)


def open_shelf(folders: pytest.TempPathFactory) -> Shelf:
    """That of this run of tests; it goes when pytest's folders go."""
    own = folders.getbasetemp()
    return Shelf((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shelf")


def copy_tree(source: Path, to: Path) -> None:
    """Copies what is in a folder, with its times: by them bytecode is known to fit."""
    to.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", f"{source}/.", str(to)], check=True)


def copy_release(app: Path, name: str, to: Path, seen_as: Path | None = None) -> None:
    """Puts a release with its web assets into another app directory, which its processes know by that name."""
    copy_tree(app / "assets", to / "assets")
    release = to / "releases" / name
    copy_tree(app / "releases" / name, release)
    # As if it had just been built.
    os.utime(release / MARK)
    for path in release.glob("venv/lib/python*/site-packages/phiomia.pth"):
        path.chmod(0o644)
        path.write_text(f"{(seen_as or to) / 'releases' / name / 'src'}\n")
        path.chmod(0o444)
