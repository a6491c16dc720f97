"""What the supervisor is asked to run, as data that travels between releases. Standard library only."""

import os
import signal
from typing import Any, NamedTuple

PYTHON = "{python}"


class Child(NamedTuple):
    """One role: how many processes of it, and how they are started.

    `{python}` in argv stands for the interpreter of the release; `listen` names the address whose sockets it gets.
    """

    role: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    processes: int = 1
    listen: str = ""
    stop_signal: int = signal.SIGTERM
    hands_over: bool = False
    """Its connections go on in the process that comes after it, which therefore starts before it ends."""
    canary: bool = False
    """Of another release one process answers alone for a while, beside the old ones, before the others do."""


class Release(NamedTuple):
    """What a child is started from. Children of one generation have the same."""

    python: str
    template: tuple[str, ...] = ()
    generation: int = 1
    version: str = ""


class Settings(NamedTuple):
    """Everything the supervisor knows; children are replaced in their order, so workers belong before web."""

    listen: dict[str, tuple[str, ...]]
    children: tuple[Child, ...]
    bus_path: str
    status_path: str = ""
    ready_limit_s: float = 15.0
    """For a child at the start, or one that comes back."""
    reload_limit_s: float = 0.0
    """For all children together at a reload; 0: by what the last start took."""
    settle_s: float = 1.5
    canary_s: float = 0.0
    """For how long the first process of another release answers alone; 0: not at all."""
    stop_limit_s: float = 10.0
    drain_limit_s: float = 300.0
    describe: tuple[str, ...] = ()
    """Arguments after the interpreter that print these settings as JSON; asked of the new release at a reload."""
    template: tuple[str, ...] = ()
    """The program of which the children are copies (see `template.py`); without it each runs its own argv."""
    version: str = ""
    """What the release calls itself."""

    def save(self) -> dict[str, Any]:
        """The settings as plain data for JSON."""
        return {**self._asdict(), "children": [child._asdict() for child in self.children]}


def load_settings(saved: dict[str, Any]) -> Settings:
    """Settings from plain data; what is missing gets its default, what we do not know is left out."""
    known = {name: value for name, value in saved.items() if name in Settings._fields}
    known["listen"] = {name: tuple(addresses) for name, addresses in saved["listen"].items()}
    known["children"] = tuple(_load_child(child) for child in saved["children"])
    known["describe"] = tuple(saved.get("describe", ()))
    known["template"] = tuple(saved.get("template", ()))
    return Settings(**known)


def load_release(saved: dict[str, Any]) -> Release:
    """A release from plain data."""
    known = {name: value for name, value in saved.items() if name in Release._fields}
    return Release(**{**known, "template": tuple(saved.get("template", ()))})


def _load_child(saved: dict[str, Any]) -> Child:
    known = {name: value for name, value in saved.items() if name in Child._fields}
    return Child(**{**known, "argv": tuple(saved["argv"])})


def settings_from_environment(environ: dict[str, str]) -> Settings:
    """The settings of a plain start: every role on this machine, adjusted by PHIOMIA_* variables."""
    runtime = environ.get("RUNTIME_DIRECTORY") or f"{environ.get('XDG_RUNTIME_DIR') or '/tmp'}/phiomia-{os.getuid()}"  # noqa: S108
    child = (PYTHON, "-P", "-m", "phiomia", "child")
    return Settings(
        listen={
            "web": tuple(environ.get("PHIOMIA_WEB_LISTEN", "127.0.0.1:3000").split(",")),
            "streaming": tuple(environ.get("PHIOMIA_STREAMING_LISTEN", "127.0.0.1:4000").split(",")),
        },
        children=(
            Child("worker", (*child, "worker")),
            # While stopping nobody needs the long wait for idle connections: SIGINT asks for the short one.
            Child(
                "web",
                (*child, "web"),
                processes=int(environ.get("PHIOMIA_WEB_PROCESSES", "2")),
                listen="web",
                stop_signal=signal.SIGINT,
            ),
            Child("streaming", (*child, "streaming"), listen="streaming"),
        ),
        bus_path=environ.get("PHIOMIA_BUS_SOCKET", f"{runtime}/bus.sock"),
        status_path=environ.get("PHIOMIA_STATUS_FILE", f"{runtime}/status.json"),
        ready_limit_s=float(environ.get("PHIOMIA_READY_LIMIT", "15")),
        stop_limit_s=float(environ.get("PHIOMIA_STOP_LIMIT", "10")),
        drain_limit_s=float(environ.get("PHIOMIA_DRAIN_LIMIT", "300")),
    )
