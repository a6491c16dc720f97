"""The bench runs: a tiny server is seeded and everything is measured once. No time is judged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import apsw
import msgspec
import pytest
from bench.__main__ import main
from bench.everything import Cost, measure_everything
from bench.figures import Figure
from bench.inside import open_inside
from bench.load import make_request
from bench.posts import BOOST, FOLLOWERS_OF_WRITER, LOCAL, REPLY, THREAD, History
from bench.reads import READS
from bench.seed import Facts, seed

from phiomia.api.endpoint import ENDPOINTS
from phiomia.api.routes import load_endpoints

_NOW = 1_790_000_000_000


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[apsw.Connection, Facts]]:
    file = tmp_path_factory.mktemp("bench") / "seed.sqlite3"
    facts = asyncio.run(seed(f"sqlite:///{file}", 2_000, _NOW))
    connection = apsw.Connection(str(file))
    yield connection, facts
    connection.close()


def _value(connection: apsw.Connection, sql: str) -> object:
    row = connection.execute(sql).fetchone()
    return row[0] if row else None


def test_everything_is_measured_once(tmp_path: Path) -> None:
    options = ["--statuses", "400", "--seconds", "0.1", "--passes", "1", "--posts", "10", "--listeners", "5"]
    assert main([*options, "--data", str(tmp_path), "--json", str(tmp_path / "figures.json")]) == 0
    figures = {figure["name"]: figure for figure in json.loads((tmp_path / "figures.json").read_bytes())["figures"]}
    assert {read.name for read in READS} <= figures.keys()
    assert {"hello", "idle", "post, every role", "posts", "visible to a follower", "after the load"} <= figures.keys()
    assert all(figure["value"] >= 0 for figure in figures.values())


def test_every_endpoint_is_asked(tmp_path: Path) -> None:
    facts = asyncio.run(seed(f"sqlite:///{tmp_path / 'phiomia.sqlite3'}", 400))
    (tmp_path / "bench-facts.json").write_bytes(msgspec.json.encode(facts))

    async def measure() -> list[Cost]:
        async with AsyncExitStack() as stack:
            return await measure_everything(await open_inside(stack, str(tmp_path), 1))

    costs = asyncio.run(measure())
    load_endpoints()
    assert len(costs) == sum(one.method == "GET" for one in ENDPOINTS)
    # What there is nothing of in the seed, and an app that the tokens do not have.
    assert {cost.status for cost in costs} <= {200, 204, 302, 401, 404}
    assert sum(cost.status == 200 for cost in costs) > 0.8 * len(costs)


def test_what_is_seeded_fits_together(seeded: tuple[apsw.Connection, Facts]) -> None:
    connection, facts = seeded
    assert _value(connection, "SELECT count(*) FROM statuses") == facts.statuses == 2_000
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    wrong_counts = """
        SELECT count(*) FROM statuses AS s WHERE
            replies_count <> (SELECT count(*) FROM statuses AS r WHERE r.in_reply_to_id = s.id)
            OR reblogs_count <> (SELECT count(*) FROM statuses AS b WHERE b.reblog_of_id = s.id)
            OR favourites_count <> (SELECT count(*) FROM favourites AS f WHERE f.status_id = s.id)
            OR media_count <> (SELECT count(*) FROM media AS m WHERE m.status_id = s.id)
    """
    assert _value(connection, wrong_counts) == 0
    assert _value(connection, "SELECT count(*) FROM users") == LOCAL == len(facts.tokens)
    least = "SELECT min(n) FROM (SELECT count(*) AS n FROM notifications GROUP BY account_id)"
    assert int(str(_value(connection, least))) >= 5


def test_the_thread_has_its_size(seeded: tuple[apsw.Connection, Facts]) -> None:
    connection, facts = seeded
    inside = f"SELECT count(*) FROM statuses WHERE conversation_id = {facts.thread} AND id <> {facts.thread}"
    assert int(str(_value(connection, inside))) >= THREAD
    assert len(facts.writer_followers) == FOLLOWERS_OF_WRITER


def test_a_history_is_the_same_each_time() -> None:
    one, other = History(1_000, _NOW), History(1_000, _NOW)
    assert one.author == other.author and one.target == other.target
    kinds = list(one.kind)
    assert 100 < kinds.count(BOOST) < 220 and 150 < kinds.count(REPLY) < 350
    assert all(one.target[index] < index for index, kind in enumerate(kinds) if kind)


def test_requests_are_complete() -> None:
    request = make_request("/api/v1/statuses", "secret", form=b"status=a")
    assert request.startswith(b"POST /api/v1/statuses HTTP/1.1\r\n") and request.endswith(b"\r\n\r\nstatus=a")
    assert b"Content-Length: 8\r\n" in request and b"Authorization: Bearer secret\r\n" in request


@pytest.mark.parametrize(
    ("figure", "kept"),
    [
        (Figure("reads", "a", 1.0, "ms", budget=2.0), True),
        (Figure("reads", "a", 3.0, "ms", budget=2.0), False),
        (Figure("writes", "a", 3.0, "1/s", budget=2.0, better="more"), True),
        (Figure("reads", "a", 3.0, "ms"), None),
    ],
)
def test_budgets_bound_from_above_or_below(figure: Figure, kept: bool | None) -> None:
    assert figure.kept is kept
