"""What a whole idle server takes: the promise of the README, measured as the kernel counts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phiomia.platform.notify import read_status

# CPython 3.11 on x86-64 needs 107 to 120. The rest is for other versions and machines, and for what is still to come.
BUDGET_MB = 150
SUPERVISOR_MB = 12
START_LIMIT_S = 60


def memory_mb(pid: int) -> dict[str, float]:
    """The sums of a process's mappings; Pss counts a page that n processes share as 1/n of a page in each."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(value.split()[0]) / 1024 for name, _, value in (line.partition(":") for line in lines)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The status of a server that has just been set up, once nothing but its roles runs."""
    if not os.access("/proc/self/smaps_rollup", os.R_OK):
        pytest.skip("the kernel does not tell the memory of a process")
    data = tmp_path_factory.mktemp("memory")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PHIOMIA_")}
    with open(data / "output", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "phiomia", "serve", "--first-run"],
            env=environ | {"PHIOMIA_DATA": str(data), "PHIOMIA_BIND": address},
            stdout=output,
            stderr=output,
        )
    try:
        yield wait_until_idle(process, data)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_until_idle(process: "subprocess.Popen[bytes]", data: Path) -> dict[str, Any]:
    """Waits until every role serves and the template has gone."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
        path = data / "run" / "status.json"
        if not path.exists() or read_status(str(path))["state"] != "running":
            continue
        status = read_status(str(path))
        tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if sorted(map(int, tasks)) == sorted(child["pid"] for child in status["children"]):
            time.sleep(2)  # the jobs of the first start
            return status
    pytest.fail((data / "output").read_text())


def test_idle_server_stays_within_its_memory(server: dict[str, Any]) -> None:
    roles = sorted(child["role"] for child in server["children"])
    assert roles == ["streaming", "web", "web", "worker"]
    sizes = {f"{child['role']} {child['pid']}": memory_mb(child["pid"])["Pss"] for child in server["children"]}
    sizes["supervisor"] = memory_mb(server["pid"])["Pss"]
    assert sum(sizes.values()) <= BUDGET_MB, sizes
    assert sizes["supervisor"] <= SUPERVISOR_MB, sizes


def test_roles_share_what_they_loaded(server: dict[str, Any]) -> None:
    for child in server["children"]:
        memory = memory_mb(child["pid"])
        assert memory["Pss_Anon"] < 0.65 * memory["Anonymous"], (child["role"], memory)
