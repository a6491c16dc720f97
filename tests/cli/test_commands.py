"""The command line, as an operator uses it, on real databases."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import apsw
import pytest

from phiomia.cli.main import main
from phiomia.domain.oauth.queries import find_token
from phiomia.domain.users.passwords import verify_password
from phiomia.platform.db import Query, open_database


class Shell:
    """Runs `phiomia` with settings of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PHIOMIA_")}
        self.environ = {**kept, "PHIOMIA_DATA": str(folder / "var"), **variables}

    def __call__(self, *arguments: str, status: int = 0, stdin: str = "") -> str:
        """What it prints; what it complains of when another status is expected."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environ, clear=True),
            patch.multiple(sys, argv=["phiomia", *arguments], stdin=io.StringIO(stdin)),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        assert (ended.value.code or 0) == status, out.getvalue() + err.getvalue()
        return err.getvalue() if status else out.getvalue()

    def one(self, sql: str, **parameters: Any) -> Any:
        """The first row of hand-written SQL."""
        return asyncio.run(self._one(sql, parameters))

    def execute(self, sql: str) -> None:
        """Runs hand-written SQL."""
        asyncio.run(self._execute(sql))

    async def _execute(self, sql: str) -> None:
        db = open_database(self.environ["PHIOMIA_DATABASE_URL"])
        await db.start()
        try:
            await db.write(lambda session: session.execute(Query.raw(sqlite=sql)))
        finally:
            await db.close()

    async def _one(self, sql: str, parameters: dict[str, Any]) -> Any:
        url = self.environ.get("PHIOMIA_DATABASE_URL", f"sqlite:///{self.folder}/var/phiomia.sqlite3")
        db = open_database(url)
        await db.start()
        try:
            async with db.read() as session:
                if "token" in parameters:
                    return await find_token(session, parameters["token"])
                return await session.one(Query.raw(sqlite=sql), **parameters)
        finally:
            await db.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell whose server was never started."""
    return Shell(tmp_path)


@pytest.fixture
def server(migrated_database_url: str, tmp_path: Path) -> Shell:
    """A shell with a database of each kind."""
    return Shell(tmp_path, PHIOMIA_DATABASE_URL=migrated_database_url)


def test_help_and_version_need_nothing(shell: Shell) -> None:
    assert shell("--version").startswith("phiomia ")
    for name in ("serve", "accounts", "tokens", "jobs", "config", "doctor"):
        assert name in shell("--help")
    assert "--confirmed" in shell("accounts", "create", "--help")
    assert not (shell.folder / "var").exists()


def test_help_offers_no_completion_that_would_not_work(shell: Shell) -> None:
    for arguments in (["serve"], ["accounts"], ["accounts", "create"]):
        assert "completion" not in shell(*arguments, "--help")


def test_wrong_usage_is_status_two(shell: Shell) -> None:
    for arguments in (
        ["nonsense"],
        ["accounts", "create"],
        ["accounts", "modify", "alice"],
        ["accounts", "modify", "alice", "--disable", "--enable"],
        ["tokens", "revoke"],
        ["child", "web", "more"],
    ):
        shell(*arguments, status=2)


def test_the_first_account_makes_the_tables(shell: Shell) -> None:
    complaint = shell("accounts", "list", status=1)
    assert complaint.startswith("phiomia: ")
    assert complaint.count("\n") == 1
    assert not (shell.folder / "var").exists(), "looking leaves nothing behind"
    said = shell("accounts", "create", "Alice", "--email", "alice@mail.example", "--confirmed", "--role", "owner")
    password = said.partition("New password: ")[2].strip()
    stored, role, shown = shell.one("SELECT password_hash, role, shown_role FROM users, accounts")
    assert (role, shown) == (3, 3)
    assert asyncio.run(verify_password(stored, password)).right
    assert "Owner" in shell("accounts", "list")


def test_what_is_kept_is_not_for_everybody_on_the_machine(shell: Shell) -> None:
    usual = os.umask(0o022)
    try:
        shell("accounts", "create", "alice", "--email", "alice@mail.example", "--confirmed")
    finally:
        os.umask(usual)
    database = shell.folder / "var" / "phiomia.sqlite3"
    assert database.stat().st_mode & 0o007 == 0
    assert "every user of this machine" not in shell("doctor")
    database.parent.chmod(0o755)
    database.chmod(0o644)
    assert f"→ chmod o= {database.parent}" in shell("doctor")


def test_accounts(server: Shell) -> None:
    server("accounts", "create", "alice", "--email", "a@mail.example", "--password", "correct horse", "--confirmed")
    assert "in use already" in server("accounts", "create", "Alice", "--email", "b@mail.example", status=1)
    assert "no role" in server("accounts", "modify", "alice", "--role", "King", status=1)
    assert "Nobody here" in server("accounts", "modify", "bob", "--confirm", status=1)
    said = server("accounts", "create", "bob", "--email", "b@mail.example")
    assert "A mail to b@mail.example" in said
    assert server.one("SELECT count(*) FROM jobs WHERE type = 'users.send_confirmation'")[0] == 1
    assert "unconfirmed" in server("accounts", "list")
    server("accounts", "modify", "bob", "--confirm", "--role", "Moderator", "--disable")
    assert server.one("SELECT role FROM users WHERE email = 'b@mail.example'")[0] == 1
    listed = server("accounts", "list")
    assert "Moderator" in listed and "disabled" in listed
    server("accounts", "modify", "bob", "--remove-role", "--enable", "--email", "bob@mail.example")
    assert server.one("SELECT role, disabled_at, email_key FROM users WHERE role = 0 AND email LIKE 'bob%'")[1] is None
    assert "in use already" in server("accounts", "modify", "bob", "--email", "A@mail.example", status=1)


def test_moderating_accounts(server: Shell) -> None:
    server("accounts", "create", "alice", "--email", "a@mail.example", "--confirmed")
    assert "Nobody called" in server("accounts", "suspend", "bob", status=1)
    assert "not limited" in server("accounts", "unlimit", "alice", status=1)
    assert "Limited alice." in server("accounts", "limit", "@alice", "--text", "You shout.")
    assert server.one("SELECT action, text FROM account_warnings")[0:2] == ("silence", "You shout.")
    assert "limited" in server("accounts", "list")
    assert "Suspended alice." in server("accounts", "suspend", "Alice@127.0.0.1:3000")
    assert "which is more" in server("accounts", "limit", "alice", status=1)
    assert "suspended" in server("accounts", "list")
    assert "not suspended any more" in server("accounts", "unsuspend", "alice")
    assert "not suspended by" in server("accounts", "unsuspend", "alice", status=1)
    assert "active" in server("accounts", "list")


def test_tokens(server: Shell) -> None:
    server("accounts", "create", "alice", "--email", "a@mail.example", "--confirmed")
    first = server("tokens", "create", "alice", "--scopes", "read write").strip()
    second = server("tokens", "create", "alice", "--app", "Script").strip()
    third = server("tokens", "create", "alice").strip()
    assert len(first) == 43
    assert server.one("", token=first).scopes == "read write"
    assert server.one("SELECT count(*) FROM apps")[0] == 2, "the same name is the same app"
    assert "unknown" in server("tokens", "create", "alice", "--scopes", "everything", status=1)
    assert server("tokens", "revoke", first) == "Revoked 1.\n"
    assert server.one("", token=first) is None
    assert "no such token" in server("tokens", "revoke", first, status=1)
    # Those of earlier releases may look like options.
    for old in ("-uQ1", "--user-Q1", "-help"):
        assert "no such token" in server("tokens", "revoke", old, status=1)
    assert server("tokens", "revoke", "-", stdin=f"{second}\n") == "Revoked 1.\n"
    server("accounts", "modify", "alice", "--disable")
    assert server.one("", token=third) is not None, "a frozen login keeps its tokens"
    assert server.one("SELECT count(*) FROM stream_events WHERE kind = 'token'")[0] == 3
    assert server("tokens", "revoke", "--user", "alice") == "Revoked 1.\n"


def test_a_new_password_ends_every_token(server: Shell) -> None:
    server("accounts", "create", "alice", "--email", "a@mail.example", "--confirmed")
    token = server("tokens", "create", "alice").strip()
    password = server("accounts", "reset-password", "alice").partition(": ")[2].strip()
    assert asyncio.run(verify_password(server.one("SELECT password_hash FROM users")[0], password)).right
    assert server.one("", token=token) is None
    assert "New password" in server("accounts", "modify", "alice", "--reset-password")


def test_settings_are_shown_as_toml_with_their_origin(shell: Shell) -> None:
    file = shell.folder / "settings.toml"
    file.write_text('bind = "127.0.0.1:4000"\n[instance]\ntitle = "A \\"quoted\\" ünit"\nrules = ["Be kind"]\n')
    shell.environ["PHIOMIA_DATABASE_URL"] = "postgresql://me:secret@db.example/phiomia"
    shell.environ["PHIOMIA_REGISTRATIONS"] = "open"
    text = shell("--config", str(file), "config", "show")
    shown = tomllib.loads(text)
    assert shown["bind"] == "127.0.0.1:4000"
    assert shown["instance"]["title"] == 'A "quoted" ünit'
    assert shown["instance"]["rules"] == ["Be kind"]
    assert shown["registrations"]["mode"] == "open"
    assert shown["database"]["url"] == "postgresql://me:****@db.example/phiomia"
    assert "me:secret" not in text
    for origin in (f"(from {file})", "(from PHIOMIA_DATABASE_URL)", "(from PHIOMIA_REGISTRATIONS)", "(default)"):
        assert origin in text
    assert "settings are right" in shell("--config", str(file), "config", "check")


def test_wrong_settings_are_told_in_one_line(shell: Shell) -> None:
    assert "does not exist" in shell("--config", "nowhere.toml", "config", "check", status=1)
    shell.environ["PHIOMIA_BIND"] = "nonsense"
    assert "127.0.0.1:3000" in shell("config", "check", status=1)
    assert shell("accounts", "list", status=1).count("\n") == 1
    del shell.environ["PHIOMIA_BIND"]
    shell.environ["PHIOMIA_NONSENSE"] = "1"
    assert "PHIOMIA_NONSENSE" in shell("config", "check", status=1)


def test_only_what_makes_somebody_makes_a_database(shell: Shell) -> None:
    for arguments in (("tokens", "create", "owner"), ("jobs",), ("jobs", "dead"), ("relays", "list")):
        assert "has no tables yet. Start the server once" in shell(*arguments, status=1)
        assert not (shell.folder / "var").exists()


def test_an_empty_list_says_so(server: Shell) -> None:
    assert server("relays", "list") == "There are no relays.\n"
    assert server("jobs", "dead") == "No job has died.\n"


def test_what_is_not_there_can_not_be_judged(server: Shell) -> None:
    for kind in ("tag", "status", "link"):
        said = server("trends", "allow", kind, "99", status=1)
        assert said == f"phiomia: There is no {kind} 99. `phiomia trends list {kind}` shows them with their numbers.\n"
    server("accounts", "create", "alice", "--email", "alice@mail.example", "--confirmed")
    said = server("accounts", "unsuspend", "alice", status=1)
    assert said == "phiomia: alice is not suspended by moderators of this server.\n"


def test_jobs_alone_shows_the_counts(server: Shell) -> None:
    assert server("jobs") == server("jobs", "counts")
    assert "dead" in server("jobs")


def test_the_doctor_finds_a_healthy_server(server: Shell) -> None:
    said = server("doctor")
    assert "tables up to date" in said
    assert "FAIL" not in said


def test_the_doctor_says_how_to_mend(shell: Shell) -> None:
    shell.environ["PHIOMIA_DATABASE_URL"] = "postgresql://nobody:secret@127.0.0.1:1/phiomia"
    shell.environ["PHIOMIA_BUS_URL"] = "redis://127.0.0.1:1/0"
    (shell.folder / "var").write_text("in the way")
    done = run_process("-m", "phiomia", shell, "doctor")
    assert done.returncode == 1
    assert "nobody:secret" not in done.stdout
    for words in ("FAIL  data directory", "FAIL  database", "FAIL  bus", "→ start the database"):
        assert words in done.stdout, done.stdout + done.stderr
    assert "reached" in shell("accounts", "list", status=1)


def test_a_damaged_file_is_told_without_alarm(shell: Shell) -> None:
    (shell.folder / "var").mkdir()
    (shell.folder / "var" / "phiomia.sqlite3").write_bytes(b"no database " * 2_000)
    done = run_process("-m", "phiomia", shell, "doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAIL  database" in done.stdout and "put a backup back" in done.stdout
    said = shell("serve", status=1)
    assert "can't be reached" in said and "put a backup back" in said
    assert "Unforeseen" not in said


def test_who_meets_a_locked_database_is_told_what_helps(shell: Shell) -> None:
    shell("accounts", "create", "alice", "--email", "alice@mail.example", "--confirmed")
    shell.environ["PHIOMIA_DATABASE_BUSY_SECONDS"] = "0.05"
    holder = apsw.Connection(str(shell.folder / "var" / "phiomia.sqlite3"))
    holder.execute("BEGIN IMMEDIATE")
    said = shell("tokens", "create", "alice", status=1)
    assert "database is locked" in said and "try again" in said and said.count("\n") == 1


def test_a_server_says_which_database_it_lacks(shell: Shell) -> None:
    shell.environ["PHIOMIA_DATABASE_URL"] = "postgresql://nobody:secret@127.0.0.1:1/phiomia"
    assert "phiomia doctor" in shell("backup", "create", status=1)
    said = shell("serve", status=1)
    assert "postgresql://nobody:****@127.0.0.1:1/phiomia can't be reached" in said
    assert "start the database" in said


def test_commands_load_little_and_never_show_where_they_fail(shell: Shell) -> None:
    code = "import atexit, sys; from phiomia.cli.main import main;"
    code += "heavy = ('sqlalchemy', 'falcon', 'aiohttp', 'argon2', 'jinja2', 'apsw', 'pydantic', 'rich.console');"
    code += "atexit.register(lambda: print([name for name in heavy if name in sys.modules]));"
    for arguments, said in ((["config", "check"], "settings are right"), (["--version"], "phiomia ")):
        done = run_process("-c", f"{code} sys.argv = {['phiomia', *arguments]}; main()", shell)
        assert said in done.stdout
        assert done.stdout.endswith("[]\n"), done.stderr
    done = run_process("-m", "phiomia", shell, "accounts", "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


# What takes as long to load as the rest of a command.
HEAVY = (
    "sqlalchemy",
    "phiomia.side_effects",
    "phiomia.jobs",
    "phiomia.app",
    "sqlalchemy.dialects.postgresql",
)
LOADED = f"""
import atexit, sys
atexit.register(lambda: print("loaded:", *[name for name in {HEAVY} if name in sys.modules]))
from phiomia.cli.main import main
main()
"""


def test_only_who_records_an_event_loads_what_follows_it(server: Shell) -> None:
    server("accounts", "create", "alice", "--email", "a@mail.example", "--confirmed")
    dialect = ["sqlalchemy.dialects.postgresql"] if "postgresql" in server.environ["PHIOMIA_DATABASE_URL"] else []
    for command, loaded in (
        (("--help",), []),
        (("config", "show"), []),
        (("doctor",), []),
        (("accounts", "list"), ["sqlalchemy", *dialect]),
        (("tokens", "create", "alice", "--scopes", "read"), ["sqlalchemy", *dialect]),
        (("accounts", "modify", "alice", "--reset-password"), ["sqlalchemy", "phiomia.side_effects", *dialect]),
    ):
        done = run_process("-c", LOADED, server, *command)
        assert done.returncode == 0, done.stderr
        assert done.stdout.partition("loaded:")[2].split() == loaded, command
    assert server.one("SELECT count(*) FROM jobs WHERE type = 'users.send_notice'")[0] == 1, "once, though tried twice"


def run_process(flag: str, what: str, shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, flag, what, *arguments]
    return subprocess.run(command, env=shell.environ, capture_output=True, text=True, timeout=60)
