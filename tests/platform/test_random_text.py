"""Random text: long enough, and never an option on a command line."""

import secrets

import pytest

from phiomia.platform.random_text import make_random_text


def test_it_is_random_and_fits_everywhere() -> None:
    texts = {make_random_text() for _ in range(200)}
    assert len(texts) == 200 and all(len(text) == 43 and not text.startswith("-") for text in texts)
    assert len(make_random_text(12)) == 16


def test_another_is_drawn_for_one_that_begins_with_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["-a", "--", "b-"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _size: next(drawn))
    assert make_random_text() == "b-"
