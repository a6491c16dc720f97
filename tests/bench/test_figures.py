"""Which budget a figure is held to: those of SQLite, with more room on PostgreSQL."""

from __future__ import annotations

from bench.figures import Figure

_PAGE = Figure("reads", "home", 0.45, "CPU ms", 0.40)
_RATE = Figure("writes", "posts", 120.0, "1/s", 150.0, better="more")


def test_a_page_may_cost_half_as_much_again_on_postgresql() -> None:
    assert _PAGE.judged_on("sqlite").kept is False
    on_postgresql = _PAGE.judged_on("postgresql")
    assert on_postgresql.kept is True
    assert round(on_postgresql.budget or 0, 3) == 0.6
    assert Figure("reads", "home", 0.61, "CPU ms", 0.40).judged_on("postgresql").kept is False


def test_the_rate_of_posts_is_judged_on_sqlite_alone() -> None:
    assert _RATE.judged_on("sqlite").kept is False
    assert _RATE.judged_on("postgresql").kept is None


def test_what_a_post_costs_and_how_long_it_takes_has_one_budget() -> None:
    for figure in (
        Figure("writes", "post, every role", 7.0, "CPU ms", 6.0),
        Figure("writes", "visible to a follower", 16.0, "ms p50", 15.0),
        Figure("cold", "home, cold / warm", 9.0, "x", 8.0),
    ):
        assert figure.judged_on("postgresql").kept is False
