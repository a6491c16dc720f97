"""What takes long is begun first, by all."""

from __future__ import annotations

from itertools import pairwise

from order import SECONDS, SHARED, find_unit, spread


def _file(item: str) -> str:
    return item.partition("::")[0]


def test_every_share_begins_with_what_takes_long() -> None:
    quick = [f"api/test_{n}.py::{m}" for n in range(10) for m in range(7)]
    long = [f"{name}::{m}" for name in sorted(SECONDS) for m in range(2)]
    found = spread([*quick, *long], _file, 3)
    assert sorted(found) == sorted([*quick, *long])
    size = len(found) // 3
    begun = [SECONDS[_file(found[start])] for start in (0, size, 2 * size)]
    assert begun == sorted(SECONDS.values(), reverse=True)[:3]
    # Files stay together, for what their tests share.
    files = [_file(item) for item in found]
    assert sum(one != other for one, other in pairwise(files)) <= len(set(files)) + 2


def test_nothing_is_lost_when_little_is_asked_for() -> None:
    for count in range(5):
        items = [f"upgrade/test_apply.py::{n}" for n in range(count)]
        assert sorted(spread(items, _file, 4)) == items
    assert spread([], _file, 1) == []


def test_what_shares_servers_is_done_by_one_process() -> None:
    sharing = [(f"clients/test_{n}.py", ("phiomia", "servers")) for n in range(4)]
    quick = [(f"api/test_{n}.py", ("tmp_path",)) for n in range(50)]
    tests = [test for pair in zip(sharing, quick, strict=False) for test in pair] + quick[4:]
    found = spread(tests, lambda test: find_unit(*test), 3)
    assert sorted(found) == sorted(tests)
    assert all(name in SECONDS for name in SHARED)
    size = len(found) // 3
    assert len({found.index(test) // size for test in sharing}) == 1
