"""A server as its operator starts it: `phiomia serve`, under its supervisor, on a free port of this machine.

    def test_something(phiomia: RunningServer) -> None:
        alice = phiomia.sign_up("alice")
        requests.get(f"{phiomia.url}/api/v1/timelines/home", headers=alice.headers)

There is one server for each database and test process, so members get names that nobody else has. A server that logs
an error it did not foresee fails the test that asked for it.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from postgresql import find_free_port
from scratch import find_scratch
from tables import file_as_started

START_SECONDS = 60.0
STOP_SECONDS = 45.0
PATIENCE = 60.0
PASSWORD = "correct horse battery"
UNFORESEEN = "unforeseen error"
SCOPES = "read write follow push profile"
_numbers = itertools.count(1)
T = TypeVar("T")


@dataclass(frozen=True)
class Member:
    """Somebody who can sign in."""

    username: str
    email: str
    token: str
    id: str

    @property
    def headers(self) -> dict[str, str]:
        """What says who asks."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class RunningServer:
    """One server; as a context it is started and stopped."""

    folder: Path
    database_url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    # Whether it finds a database as from the second start on: making one is a fifth of the first start.
    has_begun: bool = True

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # pytest's own folders may have names that are too long for the sockets in it.
        self.data = Path(tempfile.mkdtemp(prefix="phiomia-", dir=find_scratch()))
        weakref.finalize(self, shutil.rmtree, self.data, ignore_errors=True)
        self.log = self.folder / "stderr"
        self.port = find_free_port()
        self.bind = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.bind}"
        self.process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._app: dict[str, str] = {}

    def __enter__(self) -> RunningServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the server and of commands beside it."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PHIOMIA_")}
        return {
            **inherited,
            "PHIOMIA_DATA": str(self.data),
            "PHIOMIA_BIND": self.bind,
            "PHIOMIA_RATE_LIMITS": "off",
            "PHIOMIA_REGISTRATIONS": "open",
            "PHIOMIA_CONFIRM_EMAIL": "off",
            **({"PHIOMIA_DATABASE_URL": self.database_url} if self.database_url else {}),
            **self.settings,
        }

    def start(self, *options: str) -> None:
        """Starts it and waits until it serves."""
        file = self.data / "phiomia.sqlite3"
        if self.has_begun and not self.database_url and not file.exists():
            shutil.copyfile(file_as_started(), file)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "phiomia", "serve", *options],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self._is_ready, "the server serves", START_SECONDS)

    def stop(self) -> None:
        """Ends it as an operator would; it must take that well."""
        if self.process is None:
            return
        process, self.process = self.process, None
        ended_before = process.poll()
        if ended_before is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                pytest.fail(f"the server does not stop:\n{self.output()[-4000:]}", pytrace=False)
        assert process.returncode == 0, f"the server ended with {process.returncode}:\n{self.output()[-4000:]}"
        self.check_log()

    def kill(self) -> None:
        """Kills the supervisor without a warning, and waits until its children have noticed."""
        assert self.process is not None
        pids = [child["pid"] for child in self.status["children"]]
        process, self.process = self.process, None
        process.kill()
        process.wait()
        self.until(lambda: not any(map(is_alive, pids)), "its children end")

    @property
    def status(self) -> dict[str, Any]:
        """What the supervisor says about itself."""
        status: dict[str, Any] = json.loads((self.data / "run" / "status.json").read_text())
        return status

    def pids(self, role: str) -> list[int]:
        """The processes of a role that serve."""
        children = self.status["children"]
        return [child["pid"] for child in children if child["role"] == role and child["state"] == "ready"]

    def output(self) -> str:
        """Everything the server has said."""
        return self.log.read_text(errors="replace")

    def check_log(self) -> None:
        """Fails if since the last time something went wrong that nobody had thought of."""
        output = self.output()
        new, self._read = output[self._read :], len(output)
        faults = [line for line in new.splitlines() if UNFORESEEN in line or '"level":"error"' in line]
        if faults:
            pytest.fail("the server logged:\n" + "\n".join(line.replace("\\n", "\n") for line in faults), pytrace=False)

    def until(self, condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
        """What the condition gives once it holds; fails with `what` when that takes too long."""
        begun = time.monotonic()
        while not (met := condition()):
            ended = self.process is not None and self.process.poll() is not None
            waited = time.monotonic() - begun
            if ended or waited > seconds:
                pytest.fail(f"never came to pass: {what}\n{self.output()[-4000:]}", pytrace=False)
            # What takes long is asked for less often, since asking costs both sides processor time.
            time.sleep(min(max(waited / 20, 0.02), 0.25))
        return met

    def _is_ready(self) -> bool:
        try:
            # The supervisor listens from the beginning: the answer comes when the first process serves.
            serves = requests.get(f"{self.url}/health/ready", timeout=START_SECONDS).ok
            return serves and not self._has_stand_in()
        except requests.RequestException:
            return False

    def _has_stand_in(self) -> bool:
        """Whether, after a slow start, somebody who only says 503 may still take connections."""
        if not (self.data / "run" / "status.json").exists():  # roles that are started alone
            return False
        return any(child["role"].startswith("stand-in") for child in self.status["children"])

    def command(self, *arguments: str, **environment: str) -> str:
        """What `phiomia …` prints."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "phiomia", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"phiomia {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def sign_up(self, name: str, confirm: Callable[[str], None] | None = None) -> Member:
        """A new member, who joined through an app; `confirm` does with the e-mail address what may be needed."""
        username, email = _fresh(name)
        form = {"username": username, "email": email, "password": PASSWORD, "agreement": "true", "locale": "en"}
        answer = self._post("/api/v1/accounts", form, {"Authorization": f"Bearer {self._app_token()}"})
        if confirm is not None:
            confirm(email)
        return self._member(username, email, answer["access_token"])

    def _app_token(self) -> str:
        if not self._app:
            redirect = "urn:ietf:wg:oauth:2.0:oob"
            form = {"client_name": "Tests", "redirect_uris": redirect, "scopes": SCOPES}
            made = self._post("/api/v1/apps", form, {})
            grant = {"grant_type": "client_credentials", "scope": SCOPES, "redirect_uri": redirect}
            client = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
            self._app = self._post("/oauth/token", grant | client, {})
        return self._app["access_token"]

    def _post(self, path: str, form: dict[str, str], headers: dict[str, str]) -> Any:
        answer = requests.post(f"{self.url}{path}", data=form, headers=headers, timeout=PATIENCE)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def _member(self, username: str, email: str, token: str) -> Member:
        headers = {"Authorization": f"Bearer {token}"}
        own = requests.get(f"{self.url}/api/v1/accounts/verify_credentials", headers=headers, timeout=PATIENCE)
        assert own.ok, own.text
        return Member(username, email, token, own.json()["id"])

    def authorize(self, member: Member, address: str) -> str:
        """The code a member gets, who follows an app's link, signs in and says yes, in a browser."""
        browser = requests.Session()
        page = browser.get(address, timeout=PATIENCE)
        page = _submit(browser, page, email=member.email, password=PASSWORD)
        page = _submit(browser, page)
        assert "/oauth/authorize/native?code=" in page.url, f"{page.url}: {page.text}"
        code = page.url.partition("code=")[2]
        assert code in page.text
        return code


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and not only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _fresh(name: str) -> tuple[str, str]:
    username = f"{name}{next(_numbers)}{secrets.token_hex(2)}"
    return username, f"{username}@mail.example"


def _submit(browser: requests.Session, page: requests.Response, **typed: str) -> requests.Response:
    from web.browser import Forms  # loads the whole of the web role

    assert page.ok, f"{page.url}: {page.status_code} {page.text}"
    action, fields = next(form for form in Forms(page.text).forms if "csrf" in form[1] and "sign_out" not in form[0])
    return browser.post(requests.compat.urljoin(page.url, action), data=fields | typed, timeout=PATIENCE)


class Servers:
    """The servers of this test process, started when the first test asks for one."""

    def __init__(self, make_database: Callable[[str, Path, ExitStack], str], folder: Path, cleanup: ExitStack) -> None:
        self._make_database = make_database
        self._folder = folder
        self._cleanup = cleanup
        self._running: dict[str, RunningServer] = {}
        self._tried: set[str] = set()

    def get(self, dialect: str) -> RunningServer:
        """The server on that database."""
        if dialect not in self._running:
            if dialect in self._tried:
                pytest.fail(f"the server on {dialect} did not start", pytrace=False)
            self._tried.add(dialect)
            url = "" if dialect == "sqlite" else self._make_database(dialect, self._folder, self._cleanup)
            server = RunningServer(self._folder / dialect, url)
            self._running[dialect] = self._cleanup.enter_context(server)
        return self._running[dialect]


@pytest.fixture(scope="session")
def servers(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Starts a server for each database."""
    with ExitStack() as cleanup:
        yield Servers(databases.as_started, tmp_path_factory.mktemp("servers"), cleanup)


@pytest.fixture
def phiomia(servers: Servers, dialect: str) -> Iterator[RunningServer]:
    """A running server, on SQLite and on PostgreSQL in turn; it must not log errors while the test runs."""
    server = servers.get(dialect)
    server.check_log()
    yield server
    server.check_log()
