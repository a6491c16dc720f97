"""Installs the server from a checkout: its user, the layout that upgrades need, a first release, and its units.

Whatever is there already and right is left alone, so that it can be run again after anything went wrong.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from phiomia.platform.config import Config, ConfigError, load_config
from phiomia.upgrade.build import read_release
from phiomia.upgrade.places import APP, CHECKOUT, Places
from phiomia.upgrade.proxies import render_caddy, render_nginx
from phiomia.upgrade.units import (
    UNITS,
    Layout,
    layout_of,
    render_command,
    render_hook,
    render_polkit,
    render_sudoers,
    render_units,
)

ROOT = Path("/")
# It becomes part of units and of rules about who may do what.
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
_NEW_ENOUGH = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
_BUILD = (
    "import sys; from pathlib import Path; from phiomia.upgrade.build import build_release;"
    " from phiomia.upgrade.places import find_places; from phiomia.upgrade.report import PlainReport;"
    " from phiomia.upgrade.switch import point; places = find_places();"
    " point(places, build_release(places, sys.argv[1], sys.argv[2], PlainReport()).path)"
)
_BEGIN = (
    "import asyncio, sys; from phiomia.platform.config import load_config; from phiomia.serving import prepare;"
    " from phiomia.upgrade import ledger; config = load_config(); prepare(config);"
    " ledger.begin(config.database_url, sys.argv[1])"
)


class InstallError(Exception):
    """It can't be installed like that; the message says why and what to do."""


class Wishes(NamedTuple):
    """How the server is to be installed. With a `prefix` everything lies in that directory and is the caller's."""

    source: Path
    prefix: Path | None = None
    user: str = "phiomia"
    home: Path = Path("/home/phiomia")
    domain: str = ""
    bind: str = "127.0.0.1:3000"
    streaming_bind: str = "127.0.0.1:4000"
    database: str = ""
    dry_run: bool = False


class Installer:
    """One installation; `say` gets a line for each thing."""

    def __init__(self, wishes: Wishes, say: Callable[[str], None]) -> None:
        self.wishes = wishes
        self.say = say
        self.home = wishes.prefix or wishes.home
        self.places = Places(self.home / "live", self.home / "app")
        self.config_file = self.places.shared / "phiomia.toml"
        self.user = wishes.user if wishes.prefix is None else pwd.getpwuid(os.getuid()).pw_name

    @property
    def layout(self) -> Layout:
        """What the files are written for."""
        return layout_of(
            self._read_config(),
            user=self.user,
            home=self.home,
            places=self.places,
            config_file=self.config_file,
            root=self.wishes.prefix or ROOT,
        )

    def install(self) -> None:
        """Does all of it. Raises InstallError."""
        self._check()
        self._make_user()
        self._make_folders()
        self._make_checkout()
        self._write(self.config_file, self._first_config(), 0o640, own=True, keep=True)
        self._make_release()
        self._write_files()
        self._enable()

    # Before anything is touched

    def _check(self) -> None:
        if not sys.platform.startswith("linux"):
            raise InstallError("The server needs Linux.")
        if shutil.which("git") is None:
            raise InstallError("git is not installed: `apt install git`.")
        if not (self.wishes.source / ".git").exists():
            raise InstallError(f"{self.wishes.source} is no git checkout: clone the repository and run it from there.")
        if self.wishes.prefix is not None:
            return
        if os.geteuid() != 0 and not self.wishes.dry_run:
            raise InstallError(
                "Only root can make a user and units. Use sudo, or --prefix DIR for a place of your own."
            )
        if shutil.which("systemctl") is None:
            raise InstallError("systemd is not installed: use --prefix DIR and start `phiomia serve` from there.")
        self._check_user()

    def _check_user(self) -> None:
        if self.user == "root":
            raise InstallError("The server must not run as root: name another user with --user.")
        if not _USER.fullmatch(self.user):
            raise InstallError(f"{self.user!r} is no name for a user: small letters, digits, - and _, please.")
        known = _find_user(self.user)
        if known is not None and Path(known.pw_dir) != self.home:
            raise InstallError(
                f"There is a user {self.user} already, at home in {known.pw_dir} and not in {self.home}."
                f" Say --home {known.pw_dir} if it is meant for this server, or --user for another name."
            )
        if known is None and self.home.exists() and any(self.home.iterdir()):
            raise InstallError(f"{self.home} is there already and belongs to nobody's user {self.user}: choose --home.")

    # User, directories, checkout

    def _make_user(self) -> None:
        if self.wishes.prefix is not None:
            return
        if _find_user(self.user) is not None:
            self._told("user", self.user, "is there")
            return
        self._told("user", self.user, f"made, at home in {self.home}")
        if not self.wishes.dry_run:
            command = ["useradd", "--system", "--user-group", "--create-home", "--home-dir", str(self.home)]
            self._run([*command, "--shell", "/bin/bash", self.user], "make the user")

    def _make_folders(self) -> None:
        places = self.places
        for path in (self.home, places.app, places.releases, places.shared, places.shared / "data", places.state):
            self._make_folder(path)

    def _make_folder(self, path: Path) -> None:
        if path.is_dir():
            return
        self._told("directory", path, "made")
        if not self.wishes.dry_run:
            path.mkdir(mode=0o750, parents=True)
            self._give(path)

    def _make_checkout(self) -> None:
        checkout = self.places.checkout
        if (checkout / ".git").exists():
            self._told("checkout", checkout, "is there")
            return
        if checkout.resolve() == self.wishes.source.resolve():
            return
        self._told("checkout", checkout, f"cloned from {self.wishes.source}")
        if self.wishes.dry_run:
            return
        git = ["git", "-c", f"safe.directory={self.wishes.source}", "-c", f"safe.directory={self.wishes.source}/.git"]
        self._run([*git, "clone", "--quiet", "--no-hardlinks", str(self.wishes.source), str(checkout)], "clone")
        origin = self._ask([*git, "-C", str(self.wishes.source), "remote", "get-url", "origin"])
        if origin:
            self._run(["git", "-C", str(checkout), "remote", "set-url", "origin", origin], "name where it comes from")
        self._run(["chown", "-R", f"{self.user}:", str(checkout)], "give the checkout to its user")

    # The first release

    def _first_config(self) -> str:
        wishes = self.wishes
        lines = [
            "# Settings of this server. `phiomia config show` prints all there are.",
            f'data = "{self.places.shared / "data"}"',
            f'bind = "{wishes.bind}"',
            f'streaming_bind = "{wishes.streaming_bind}"' if wishes.streaming_bind else "",
            f'public_url = "https://{wishes.domain}"'
            if wishes.domain
            else '# public_url = "https://social.example"  # before anybody joins: it is part of every handle',
            f'\n[database]\nurl = "{wishes.database}"' if wishes.database else "",
        ]
        return "".join(f"{line}\n" for line in lines if line)

    def _read_config(self) -> Config:
        if self.config_file.exists():
            try:
                return load_config({}, str(self.config_file))
            except ConfigError as error:
                raise InstallError(str(error)) from None
        return load_config(
            {
                "PHIOMIA_DATA": str(self.places.shared / "data"),
                "PHIOMIA_BIND": self.wishes.bind,
                "PHIOMIA_STREAMING_BIND": self.wishes.streaming_bind,
                **({"PHIOMIA_PUBLIC_URL": f"https://{self.wishes.domain}"} if self.wishes.domain else {}),
            }
        )

    def _make_release(self) -> None:
        current = read_release(self.places.current)
        if current is not None:
            self._told("release", current.version, "is installed; `phiomia upgrade` changes that")
        elif self.wishes.dry_run:
            self._told("release", self.wishes.source, f"built into {self.places.releases} and made the current one")
        else:
            self._build()
        current = read_release(self.places.current)
        if current is not None and not self.wishes.dry_run:
            released = "+" not in current.version
            name = current.version if released else f"{current.commit[:12]}+unreleased"
            self._run([str(current.python), "-P", "-c", _BEGIN, name], "prepare the database", own=True)
            self._told("database", "", "fits this release")

    def _build(self) -> None:
        python = self._find_python()
        version, commit = self._find_version()
        self._told("release", version, f"built with {python}; this takes a moment")
        command = [python, "-P", "-c", _BUILD, version, commit]
        self._run(command, "build the release", own=True, PYTHONPATH=str(self.places.checkout / "src"))
        if "+" in version:
            self.say("WARNING    what is checked out is no release. Nobody has tested how to upgrade from it.")

    def _find_version(self) -> tuple[str, str]:
        """The release at the checkout's HEAD, or what to call it. Raises InstallError."""
        git = ["git", "-C", str(self.places.checkout)]
        commit = self._ask([*git, "rev-parse", "HEAD"], own=True)
        tags = self._ask([*git, "tag", "--points-at", "HEAD", "--sort=-version:refname", "v[0-9]*"], own=True).split()
        if not commit:
            raise InstallError(f"{self.places.checkout} has no commit.")
        if tags:
            return tags[0].removeprefix("v"), commit
        from phiomia import __version__

        return f"{__version__}+unreleased", commit

    def _find_python(self) -> str:
        """An interpreter that the server's user may run. Raises InstallError."""
        own = getattr(sys, "_base_executable", sys.executable)
        for name in (own, *_PYTHONS):
            path = shutil.which(name)
            if path and self._try([path, "-c", _NEW_ENOUGH], own=True).returncode == 0:
                return path
        raise InstallError(
            f"{self.user} can run no Python from 3.11 on with the module venv (tried {own} and those in the PATH):"
            " `apt install python3 python3-venv`."
        )

    # Files

    def _write_files(self) -> None:
        layout = self.layout
        root = layout.root
        units = root / "etc/systemd/system" if root == ROOT else root / "systemd"
        for name, text in render_units(layout).items():
            self._write(units / name, text, 0o644)
        self._write(layout.command, render_command(layout), 0o755)
        self._write(self.places.checkout / ".git/hooks/post-checkout", render_hook(layout), 0o755, own=True)
        for name, text in (("nginx", render_nginx(layout)), ("Caddyfile", render_caddy(layout))):
            self._write(self.places.shared / f"{name}.sample", text, 0o644, own=True)
        for folder, name, text, mode in (
            ("etc/polkit-1/rules.d", "50-phiomia.rules", render_polkit(layout), 0o644),
            ("etc/sudoers.d", "phiomia", render_sudoers(layout), 0o440),
        ):
            if root == ROOT and (root / folder).is_dir():
                self._write(root / folder / name, text, mode)

    def _write(self, path: Path, text: str, mode: int, *, own: bool = False, keep: bool = False) -> None:
        there = path.exists()
        if there and (keep or path.read_text("utf-8") == text):
            self._told("file", path, "is there")
            return
        self._told("file", path, "written anew" if there else "written")
        if self.wishes.dry_run:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text, "utf-8")
        temporary.chmod(mode)
        if own:
            self._give(temporary)
        os.replace(temporary, path)

    def _enable(self) -> None:
        if self.wishes.prefix is not None:
            return
        sockets = [name for name in render_units(self.layout) if name.endswith(".socket")]
        self._told("units", " ".join(UNITS), "enabled")
        if not self.wishes.dry_run:
            self._run(["systemctl", "daemon-reload"], "let systemd read the units")
            self._run(["systemctl", "enable", "--quiet", *sockets, *UNITS], "enable the units")

    # Programs

    def _give(self, path: Path) -> None:
        if self.wishes.prefix is None:
            known = pwd.getpwnam(self.user)
            os.chown(path, known.pw_uid, known.pw_gid)

    def _try(
        self, command: Sequence[str], *, own: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*(self._as_user(environment) if own else ()), *command],
            cwd=self.home if self.home.is_dir() else ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def _as_user(self, environment: dict[str, str]) -> Iterator[str]:
        """The beginning of a command that is run as the server's user, who has nothing of ours around."""
        if self.wishes.prefix is None:
            yield from ("runuser", "-u", self.user, "--")
        yield from ("env", *(f"--unset={name}" for name in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")))
        if self.wishes.prefix is None:
            yield f"HOME={self.home}"
        yield from (f"{CHECKOUT}={self.places.checkout}", f"{APP}={self.places.app}")
        yield f"PHIOMIA_CONFIG={self.config_file}"
        yield from (f"{name}={value}" for name, value in environment.items())

    def _run(self, command: Sequence[str], what: str, *, own: bool = False, **environment: str) -> None:
        done = self._try(command, own=own, **environment)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}")[-2000:]
            raise InstallError(f"Could not {what}: {said}")

    def _ask(self, command: Sequence[str], *, own: bool = False) -> str:
        done = self._try(command, own=own)
        return done.stdout.strip() if done.returncode == 0 else ""

    def _told(self, kind: str, name: object, what: str) -> None:
        prefix = "would be " if self.wishes.dry_run and not what.startswith("is ") else ""
        self.say(f"{kind:<10} {name}: {prefix}{what}" if name else f"{kind:<10} {prefix}{what}")


def _find_user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
