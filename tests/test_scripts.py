"""The entry scripts, on a bare copy of the checkout with stand-ins for uv and the network; and the test databases."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import asyncpg
import pytest

from postgresql import BIN_VARIABLE, URL_VARIABLE

if TYPE_CHECKING:
    from conftest import Databases

ROOT = Path(__file__).parent.parent
SYSTEM_PATH = "/usr/bin:/bin"

# Stands for `uv sync`: writes down how it was called and leaves an environment behind.
FAKE_UV = """#!/bin/sh
if [ "$1" = --version ]; then echo "uv ${FAKE_UV_VERSION:-0.13.9} (test)"; exit; fi
echo "$* cache=${UV_CACHE_DIR:-} downloads=$UV_PYTHON_DOWNLOADS python=${UV_PYTHON:-}" >> uv.log
[ -z "${FAKE_UV_FAILS:-}" ] || exit 2
mkdir -p .venv/bin
ln -sf "$(command -v python3)" .venv/bin/python
printf '#!/bin/sh\\necho "phiomia $* data=$PHIOMIA_DATA bind=$PHIOMIA_BIND"\\n' > .venv/bin/phiomia
chmod +x .venv/bin/phiomia
"""

# Stands for a python3 without venv, without pip or without both; what it "installs" is the stand-in for uv.
FAKE_PYTHON = """#!/bin/sh
case "$1 $2 $3" in
    -c*) echo "$0" ;;
    "-m venv "*) [ {offers} = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip --version") [ {offers} = pip ] ;;
    "-m pip install")
        if [ "$5" = --target ]; then bin="$6/bin"; else bin="$(dirname "$0")"; fi
        mkdir -p "$bin" && cp {uv} "$bin/uv" ;;
esac
"""


class Checkout:
    """A bare copy of the scripts, with a home and a PATH of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.home = root / "home"
        self.programs = root / "bin"
        for folder in (self.root, self.home, self.programs):
            folder.mkdir()
        shutil.copytree(ROOT / "script", self.root / "script")
        (self.root / "pyproject.toml").write_text("[project]\n")
        (self.root / "uv.lock").write_text("version = 1\n")
        self.add_program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    def add_program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {"HOME": str(self.home), "PATH": f"{self.programs}:{SYSTEM_PATH}"} | environment
        return subprocess.run(command, cwd=self.root, env=variables, capture_output=True, text=True)

    def uv_calls(self) -> list[str]:
        log = self.root / "uv.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    made.add_program("uv", FAKE_UV)
    return made


class TestSetup:
    def test_installs_what_the_server_needs(self, checkout: Checkout) -> None:
        done = checkout.run("script/setup")
        assert done.returncode == 0, done.stderr
        [call] = checkout.uv_calls()
        assert call.startswith("sync --quiet --frozen --no-dev ")
        assert "downloads=never python=/" in call

    def test_does_and_says_nothing_the_second_time(self, checkout: Checkout) -> None:
        checkout.run("script/setup")
        done = checkout.run("script/setup")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len(checkout.uv_calls()) == 1

    def test_works_from_any_directory(self, checkout: Checkout) -> None:
        done = checkout.run("sh", "-c", 'cd / && exec "$0"/script/setup', str(checkout.root))
        assert done.returncode == 0, done.stderr
        assert (checkout.root / ".venv/bin/python").exists()

    @pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
    def test_follows_a_change_of_dependencies(self, checkout: Checkout, name: str) -> None:
        checkout.run("script/setup")
        (checkout.root / name).write_text("changed\n")
        checkout.run("script/setup")
        assert len(checkout.uv_calls()) == 2

    def test_adds_the_development_group_and_never_takes_it_away(self, checkout: Checkout) -> None:
        checkout.run("script/setup")
        checkout.run("script/setup", "--dev")
        checkout.run("script/setup")
        checkout.run("script/setup", "--dev")
        assert [call.split()[3] for call in checkout.uv_calls()] == ["--no-dev", "--dev"]

    def test_keeps_test_tools_that_it_did_not_install_itself(self, checkout: Checkout) -> None:
        checkout.run("script/setup")
        (checkout.root / ".venv/.phiomia-setup").unlink()
        pytest_program = checkout.root / ".venv/bin/pytest"
        pytest_program.write_text("#!/bin/sh\n")
        pytest_program.chmod(0o755)
        checkout.run("script/setup")
        assert checkout.uv_calls()[-1].split()[3] == "--dev"

    def test_keeps_the_interpreter_of_an_environment_that_works(self, checkout: Checkout) -> None:
        checkout.run("script/setup")
        (checkout.root / "uv.lock").write_text("changed\n")
        checkout.run("script/setup")
        assert checkout.uv_calls()[-1].endswith("python=")

    def test_tries_again_after_a_failure(self, checkout: Checkout) -> None:
        failed = checkout.run("script/setup", FAKE_UV_FAILS="1")
        assert failed.returncode != 0
        assert "uv sync failed" in failed.stderr
        assert checkout.run("script/setup").returncode == 0

    def test_installs_again_after_the_checkout_has_moved(self, checkout: Checkout) -> None:
        checkout.run("script/setup")
        checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
        assert checkout.run("script/setup").returncode == 0
        assert len(checkout.uv_calls()) == 2

    @pytest.mark.parametrize("home", ["", "/nonexistent"])
    def test_keeps_its_caches_in_the_checkout_without_a_home(self, checkout: Checkout, home: str) -> None:
        checkout.run("script/setup", HOME=home)
        assert f"cache={checkout.root}/.cache/uv" in checkout.uv_calls()[0]
        assert (checkout.root / ".cache/.gitignore").read_text() == "*\n"

    def test_uses_the_ordinary_cache_where_there_is_a_home(self, checkout: Checkout) -> None:
        checkout.run("script/setup")
        assert "cache= " in checkout.uv_calls()[0]
        assert not (checkout.root / ".cache").exists()

    def test_names_the_python_it_needs(self, checkout: Checkout) -> None:
        coreutils = checkout.root.parent / "coreutils"
        coreutils.mkdir()
        for name in ("sh", "dirname", "cat", "cksum", "mkdir", "cut"):
            (coreutils / name).symlink_to(shutil.which(name, path=SYSTEM_PATH) or name)
        checkout.add_program("python3", "#!/bin/sh\nexit 1\n")
        script = checkout.root / "script/setup"
        script.write_text(script.read_text().replace("/usr/bin/python3", ""))
        done = checkout.run("script/setup", PATH=f"{checkout.programs}:{coreutils}")
        assert done.returncode == 1
        assert "needs Python 3.11" in done.stderr

    def test_installs_uv_by_venv_when_the_one_on_path_is_too_old(self, checkout: Checkout) -> None:
        checkout.add_program("python3", FAKE_PYTHON.format(offers="venv", uv=checkout.programs / "uv"))
        done = checkout.run("script/setup", FAKE_UV_VERSION="0.4.30")
        assert done.returncode == 0, done.stderr
        assert "installing uv" in done.stderr
        assert (checkout.root / ".tools/uv").readlink() == Path("venv/bin/uv")
        assert len(checkout.uv_calls()) == 1

    def test_installs_uv_by_pip_where_venv_is_missing(self, checkout: Checkout) -> None:
        checkout.add_program("python3", FAKE_PYTHON.format(offers="pip", uv=checkout.programs / "uv"))
        done = checkout.run("script/setup", FAKE_UV_VERSION="0.4.30")
        assert done.returncode == 0, done.stderr
        assert (checkout.root / ".tools/uv").readlink() == Path("pip/bin/uv")

    def test_names_the_package_when_it_has_neither(self, checkout: Checkout) -> None:
        checkout.add_program("python3", FAKE_PYTHON.format(offers="nothing", uv=checkout.programs / "uv"))
        done = checkout.run("script/setup", FAKE_UV_VERSION="0.4.30")
        assert done.returncode == 1
        assert "apt install python3-venv" in done.stderr
        assert checkout.uv_calls() == []


class TestServer:
    def test_serves_from_the_checkout_by_default(self, checkout: Checkout) -> None:
        done = checkout.run("script/server", "--demo", "--workers", "2")
        assert done.stdout == (
            f"phiomia serve --first-run --demo --workers 2 data={checkout.root}/var bind=127.0.0.1:3000\n"
        )

    def test_leaves_what_is_configured(self, checkout: Checkout) -> None:
        done = checkout.run("script/server", PHIOMIA_DATA="/srv/data", PHIOMIA_BIND="127.0.0.1:4000")
        assert done.stdout == "phiomia serve --first-run data=/srv/data bind=127.0.0.1:4000\n"


class TestTest:
    @pytest.fixture
    def bare(self, checkout: Checkout) -> Checkout:
        """A machine that has nothing but a shell, and says it is root's."""
        (checkout.root / "tests/node").mkdir(parents=True)
        (checkout.root / "tests/postgresql.py").write_text(
            "import sys\nif sys.argv[1:] == ['--find']: sys.exit(1)\nprint('ran', *sys.argv[2:])\nsys.exit(5)\n"
        )
        for name in ("sh", "dirname", "cat", "cksum", "mkdir", "cut", "date", "sort", "head", "ln", "chmod", "cmp"):
            (checkout.programs / name).symlink_to(shutil.which(name, path=SYSTEM_PATH) or name)
        checkout.add_program("id", "#!/bin/sh\necho ${FAKE_ID:-0}\n")
        checkout.add_program("apt-get", '#!/bin/sh\necho "$*" >> apt.log\n')
        return checkout

    def test_installs_what_is_missing_as_root(self, bare: Checkout) -> None:
        done = bare.run("script/test", PATH=str(bare.programs), APT_SOURCES=str(bare.root))
        assert done.returncode == 5, done.stderr
        installed = [line.split()[-1] for line in (bare.root / "apt.log").read_text().splitlines()[1:]]
        assert installed[:5] == ["postgresql", "redis-server", "chromium", "nodejs", "npm"]
        assert set(installed[5:]) <= {"nginx-light", "snac2", "sudo", "polkitd"}

    def test_only_names_what_is_missing_otherwise(self, bare: Checkout) -> None:
        done = bare.run("script/test", PATH=str(bare.programs), FAKE_ID="1000")
        assert done.returncode == 5
        assert "apt install postgresql redis-server chromium nodejs npm" in done.stderr
        assert not (bare.root / "apt.log").exists()

    def test_hands_its_options_to_pytest(self, bare: Checkout) -> None:
        done = bare.run("script/test", "-k", "one or two", PATH=str(bare.programs), APT_SOURCES=str(bare.root))
        assert done.stdout == "ran -m pytest -n auto --durations 20 -k one or two\n"


class TestContinuousIntegration:
    @pytest.fixture
    def stubs(self, checkout: Checkout) -> Checkout:
        shutil.copytree(ROOT / ".ci", checkout.root / ".ci")
        (checkout.root / "script/check").write_text("#!/bin/sh\necho checked\nexit ${CHECK_STATUS:-0}\n")
        (checkout.root / "script/test").write_text(
            '#!/bin/sh\n[ -z "${TEST_HANGS:-}" ] || exec sleep 5\necho "tested CI=$CI"\nexit ${TEST_STATUS:-0}\n'
        )
        return checkout

    def test_checks_and_tests(self, stubs: Checkout) -> None:
        done = stubs.run(".ci/run")
        assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ["checked", "tested CI=true"])

    @pytest.mark.parametrize("failing", ["CHECK_STATUS", "TEST_STATUS"])
    def test_needs_both_and_runs_both(self, stubs: Checkout, failing: str) -> None:
        done = stubs.run(".ci/run", **{failing: "1"})
        assert (done.returncode, sorted(done.stdout.splitlines())) == (1, ["checked", "tested CI=true"])

    def test_ends_in_time(self, stubs: Checkout) -> None:
        assert stubs.run(".ci/run", TEST_HANGS="1", TEST_SECONDS="0.1").returncode == 124


def run_beside_postgresql(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name not in {"CI", URL_VARIABLE}}
    program = [sys.executable, str(ROOT / "tests/postgresql.py"), *command]
    return subprocess.run(program, env=variables | environment, capture_output=True, text=True)


class TestWithoutPostgreSQL:
    def test_fails_in_ci(self) -> None:
        done = run_beside_postgresql("true", CI="true", **{BIN_VARIABLE: "/nonexistent"})
        assert done.returncode == 1
        assert "PostgreSQL is not installed" in done.stderr

    def test_runs_what_can_run_elsewhere(self) -> None:
        done = run_beside_postgresql("sh", "-c", "exit 3", **{BIN_VARIABLE: "/nonexistent"})
        assert done.returncode == 3

    @pytest.mark.parametrize(("ci", "summary"), [("true", "1 passed, 1 error in"), ("", "1 passed, 1 skipped in")])
    def test_a_test_on_it_is_skipped_but_fails_in_ci(self, tmp_path: Path, ci: str, summary: str) -> None:
        (tmp_path / "test_one.py").write_text("def test_one(database_url): pass\n")
        for name in ("conftest.py", "missing.py", "order.py", "postgresql.py", "scratch.py", "server.py", "tables.py"):
            shutil.copy(ROOT / "tests" / name, tmp_path)
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = postgresql\n")
        variables = {name: value for name, value in os.environ.items() if name != URL_VARIABLE}
        # Without plugins it starts in a tenth of the time.
        variables |= {"CI": ci, BIN_VARIABLE: "/nonexistent", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
        assert summary in done.stdout


@pytest.mark.postgresql
class TestCluster:
    def test_lives_as_long_as_the_command(self) -> None:
        done = run_beside_postgresql("sh", "-c", f'echo "${URL_VARIABLE}"; exit 7')
        assert done.returncode == 7
        wait_until_refused(port_of(done.stdout))

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
    def test_ends_with_the_process_that_started_it(self, number: signal.Signals) -> None:
        variables = {name: value for name, value in os.environ.items() if name != URL_VARIABLE}
        command = [
            sys.executable,
            str(ROOT / "tests/postgresql.py"),
            "sh",
            "-c",
            f'echo "${URL_VARIABLE}"; exec sleep 5',
        ]
        with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            data = asyncio.run(fetch_value(url, "SHOW data_directory"))
            process.send_signal(number)
            process.wait()
            wait_until_refused(port_of(url))
        if number is signal.SIGKILL:
            shutil.rmtree(Path(data).parent)
        else:
            assert not Path(data).exists()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return
        time.sleep(0.02)
    pytest.fail("PostgreSQL still accepts connections")


async def fetch_value(url: str, query: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval(query))
    finally:
        await connection.close()


def execute(url: str, statement: str) -> str:
    """The first value of the first row, on either database."""
    if url.startswith("sqlite:"):
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        try:
            return str(next(iter(connection.execute(statement)), (None,))[0])
        finally:
            connection.close()
    return asyncio.run(fetch_value(url, statement))


class TestDatabases:
    @pytest.mark.parametrize("turn", ["first", "second"])
    def test_each_test_has_its_own(self, database_url: str, turn: str) -> None:
        execute(database_url, "CREATE TABLE only_here (id integer)")

    def test_names_say_the_dialect(self, database_url: str, dialect: str) -> None:
        assert database_url.startswith(f"{dialect}://")

    def test_copies_what_was_prepared_once(self, databases: Databases, dialect: str, tmp_path: Path) -> None:
        prepared: list[str] = []

        def prepare(url: str) -> None:
            prepared.append(url)
            execute(url, "CREATE TABLE kept AS SELECT 42 AS answer")

        with ExitStack() as cleanup:
            urls = [databases.create(dialect, tmp_path, cleanup, prepare) for _ in range(3)]
            assert [execute(url, "SELECT answer FROM kept") for url in urls] == ["42"] * 3
        assert len(prepared) == 1
        assert prepared[0] not in urls

    def test_migrated_ones_have_tables(self, migrated_database_url: str, dialect: str) -> None:
        catalogue = "sqlite_schema" if dialect == "sqlite" else "pg_tables"
        column = "name" if dialect == "sqlite" else "tablename"
        assert execute(migrated_database_url, f"SELECT 1 FROM {catalogue} WHERE {column} = 'statuses'") == "1"

    def test_only_postgresql(self, postgresql_url: str, request: pytest.FixtureRequest) -> None:
        assert execute(postgresql_url, "SELECT 1") == "1"
        assert request.node.get_closest_marker("postgresql")
