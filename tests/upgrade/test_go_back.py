"""Going back brings all roles of a supervisor at once, and each alone where they can't all come."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from phiomia.upgrade import go_back as module
from phiomia.upgrade.go_back import go_back
from phiomia.upgrade.switch import Pointed, SwitchRefused

ALL = ["workers", "web", "streaming"]


class Servers:
    """Supervisors with their roles; `behind` run the release that shall go, and `refusing` stay with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *supervisors: tuple[str, ...], refusing: str = "") -> None:
        self.behind = set(ALL)
        self.refusing = refusing
        self.asked: list[list[str]] = []
        running = [SimpleNamespace(roles=roles) for roles in supervisors]
        monkeypatch.setattr(module, "find_supervisors", lambda _run_dir: running)
        monkeypatch.setattr(module, "is_taken_up", lambda _run_dir, name, _release: name not in self.behind)
        monkeypatch.setattr(module, "bring_roles", self.bring)

    def bring(self, _run_dir: Path, names: Sequence[str], how: str) -> None:
        """All of them or none, as a supervisor does it."""
        self.asked.append(list(names))
        assert how == "reload"
        if self.refusing in names:
            raise SwitchRefused("no room")
        self.behind -= set(names)


def back(folder: Path) -> list[str]:
    """What went wrong on the way to a release."""
    (folder / "0.1.0").mkdir()
    places = SimpleNamespace(current=folder / "current", previous=folder / "previous")
    site: Any = SimpleNamespace(places=places, run_dir=folder)
    failures = go_back(site, Pointed(folder / "0.1.0", None))
    assert places.current.resolve() == folder / "0.1.0"
    return failures


def test_roles_of_one_supervisor_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(monkeypatch, ("worker", "streaming", "web"))
    assert back(tmp_path) == []
    assert servers.asked == [ALL] and not servers.behind


def test_one_that_is_back_already_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(monkeypatch, ("worker", "streaming", "web"))
    servers.behind = {"web"}
    assert back(tmp_path) == []
    assert servers.asked == [["web"]]


def test_one_that_cannot_come_does_not_keep_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(monkeypatch, ("worker", "streaming", "web"), refusing="streaming")
    assert back(tmp_path) == ["streaming: no room"]
    assert servers.behind == {"streaming"}


def test_whoever_enqueues_goes_before_those_who_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(monkeypatch, ("worker",), ("streaming",), ("web",))
    assert back(tmp_path) == []
    assert servers.asked == [["web"], ["streaming"], ["workers"]]
