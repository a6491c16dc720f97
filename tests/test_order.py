"""Tests that share servers are done by one process, and what takes long is begun first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from xdist.remote import Producer

from order import SECONDS, SHARING, WAITING, ByUnit, count_processes, estimate, find_unit

TESTS = Path(__file__).parent


class _Node:
    """A process, as xdist sees it."""

    shutting_down = False
    gateway = SimpleNamespace(id="gw")

    def __init__(self) -> None:
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def _deal(pytestconfig: Any, monkeypatch: Any, tests: list[str], processes: int) -> list[list[str]]:
    """Which tests each process does; all take the same time."""
    monkeypatch.setattr(pytestconfig.option, "tx", [f"{processes}*popen"])
    monkeypatch.setattr(pytestconfig.option, "loadscopereorder", True)
    scheduler, nodes = ByUnit(pytestconfig, Producer("order", enabled=False)), [_Node() for _ in range(processes)]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    for turn in range(len(tests)):
        for node in nodes:
            if turn < len(node.given):
                scheduler.mark_test_complete(node, node.given[turn])
    return [[tests[index] for index in node.given] for node in nodes]


def test_one_process_does_what_shares_servers(pytestconfig: Any, monkeypatch: Any) -> None:
    quick = [f"tests/api/test_{n}.py::test_{m}" for n in range(30) for m in range(5)]
    for files in SHARING.values():
        sharing = [f"tests/{file}::test_{n}" for file in files for n in range(3)]
        # They may lie anywhere in the list.
        tests = [test for n, one in enumerate(sharing) for test in (one, *quick[n * 4 : n * 4 + 4])]
        dealt = _deal(pytestconfig, monkeypatch, tests, 3)
        assert sorted(test for tests in dealt for test in tests) == sorted(tests)
        assert sorted(bool(set(tests) & set(sharing)) for tests in dealt) == [False, False, True]


def test_the_order_of_the_list_is_kept(pytestconfig: Any, monkeypatch: Any) -> None:
    few, many = ["tests/upgrade/test_apply.py::test_1"], [f"tests/api/test_1.py::test_{n}" for n in range(9)]
    assert _deal(pytestconfig, monkeypatch, few + many, 1) == [few + many]


def test_half_of_the_processes_begin_with_what_waits(pytestconfig: Any, monkeypatch: Any) -> None:
    waiting = [f"tests/{unit}::test_1" for unit in WAITING if unit not in SHARING]
    busy = [f"tests/api/test_{n}.py::test_1" for n in range(12)]
    one, other = _deal(pytestconfig, monkeypatch, waiting + busy, 2)
    assert one[: len(waiting)] == waiting
    assert other == [test for test in busy if test not in one]
    # Nobody is idle when the one kind is through.
    one, other = _deal(pytestconfig, monkeypatch, waiting[:2] + busy, 2)
    assert one[:2] == waiting[:2] and len(one) == len(other)


def test_what_takes_long_is_known_by_names_that_exist() -> None:
    files = {file for name in SHARING.values() for file in name} | (set(SECONDS) - set(SHARING))
    assert [file for file in sorted(files) if not (TESTS / file).exists()] == []
    assert all(estimate(file) == SECONDS[unit] for unit, files in SHARING.items() for file in files)
    assert (find_unit("api/test_1.py"), estimate("api/test_1.py")) == ("api/test_1.py", 0)


def test_cores_are_counted_not_their_threads(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("".join(f"physical id\t: 0\ncore id\t\t: {core}\n\n" for core in (0, 0)))
    assert count_processes(tmp_path / "cpuinfo") == 3
    (tmp_path / "cpuinfo").write_text("".join(f"physical id\t: 0\ncore id\t\t: {core}\n\n" for core in (0, 1)))
    assert count_processes(tmp_path / "cpuinfo") == 4
    assert count_processes(tmp_path / "not told") == 4
