"""Ids: in order, never twice, and where apps get numbers, numbers that JavaScript holds."""

import pytest

from phiomia.platform import ids
from phiomia.platform.ids import moment_of, new_exact_id, new_id


def test_exact_ids_are_whole_in_javascript() -> None:
    made = [new_exact_id() for _ in range(10_000)]
    assert all(int(float(one)) == one for one in made)
    assert made == sorted(set(made))


def test_exact_ids_are_of_their_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = moment_of(new_exact_id()) + 1_000_000
    monkeypatch.setattr(ids, "now_ms", lambda: moment)
    monkeypatch.setattr(ids, "_last_exact", ids._last_exact)
    monkeypatch.setattr(ids, "_last", ids._last)
    assert moment_of(new_exact_id()) == moment
    assert abs(new_exact_id() - new_id()) < 1 << ids.SEQUENCE_BITS
