"""What reading costs: processor time of the web processes for each request, page by page."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import load
from bench.cpu import count_cpu_seconds, find_parent
from bench.figures import Figure
from bench.load import Line, Passed, make_request
from bench.seed import Facts
from bench.server import Server, run_hello

_TURN = 7  # who looks at whose page; without common factor with the number of accounts


@dataclass(frozen=True)
class Read:
    """A page: its requests, its budget and GoToSocial's figure in CPU ms (the better of its databases, 1 GiB cache)."""

    name: str
    requests: Callable[[Facts, Server], Sequence[bytes]]
    budget: float | None = None
    gotosocial: float | None = None


@dataclass(frozen=True)
class Duration:
    """How long to measure."""

    warm_up: float = 1.0
    seconds: float = 2.0
    passes: int = 3
    connections: int = 8


def _same(path: str, *headers: str) -> Callable[[Facts, Server], Sequence[bytes]]:
    return lambda facts, _server: [make_request(path, token, headers=headers) for token in facts.tokens]


def _second_page(facts: Facts, server: Server) -> Sequence[bytes]:
    line = Line(server.address)
    made = []
    for token in facts.tokens:
        page = json.loads(line.ask(make_request("/api/v1/timelines/home?limit=20", token)))
        made.append(make_request(f"/api/v1/timelines/home?limit=20&max_id={page[-1]['id']}", token))
    line.socket.close()
    return made


def _account_pages(facts: Facts, _server: Server) -> Sequence[bytes]:
    return [
        make_request(f"/api/v1/accounts/{facts.accounts[place * _TURN % len(facts.accounts)]}/statuses?limit=20", token)
        for place, token in enumerate(facts.tokens)
    ]


def _one_status(facts: Facts, _server: Server) -> Sequence[bytes]:
    return [
        make_request(f"/api/v1/statuses/{facts.some[place % len(facts.some)]}", token)
        for place, token in enumerate(facts.tokens)
    ]


def _thread(facts: Facts, _server: Server) -> Sequence[bytes]:
    return [make_request(f"/api/v1/statuses/{facts.thread}/context", token) for token in facts.tokens]


def _search(facts: Facts, _server: Server) -> Sequence[bytes]:
    words = [word for rare in facts.rare_words for word in (rare, "member1", "walrus")]
    return [
        make_request(f"/api/v2/search?q={words[place % len(words)]}", token) for place, token in enumerate(facts.tokens)
    ]


READS = (
    Read("home", _same("/api/v1/timelines/home?limit=20"), 0.40, 0.67),
    Read("home gzip", _same("/api/v1/timelines/home?limit=20", "Accept-Encoding: gzip"), None, 0.95),
    Read("home page 2", _second_page),
    Read("local", _same("/api/v1/timelines/public?local=true&limit=20"), 0.45, 2.22),
    Read("tag", _same("/api/v1/timelines/tag/walrus?limit=20"), 0.50, 4.47),
    Read("thread of 60", _thread, 1.5, 4.67),
    Read("account", _account_pages, 0.5, 2.68),
    Read("notifications", _same("/api/v1/notifications?limit=30"), 1.0, 4.83),
    Read("status", _one_status, 0.2, 0.21),
    Read("verify_credentials", _same("/api/v1/accounts/verify_credentials"), 0.15, 0.17),
    Read("search", _search, 3.0, 4.68),
    Read("instance", _same("/api/v2/instance"), None, 0.47),
)


def measure_reads(
    facts: Facts, server: Server, hello_ms: float, duration: Duration, *, only: str = "", cold: bool = False,
    database_pid: int = 0,
) -> list[Figure]:  # fmt: skip
    """A figure for each page; with `cold` each is first measured right after a start."""
    figures, colder = [], []
    for read in READS:
        if only not in read.name:
            continue
        requests = read.requests(facts, server)
        first = _measure_cold(read, server, requests) if cold else None
        load.run(server.address, requests, seconds=duration.warm_up, connections=duration.connections)
        figures.append(_measure(read, server, requests, hello_ms, duration, database_pid))
        if first is not None:
            name = f"{read.name}, cold / warm"
            more = {"cpu_ms": round(first, 3)}
            colder.append(Figure("cold", name, first / figures[-1].value, "x", 8.0, more=more))
    return figures + colder


def _measure(
    read: Read, server: Server, requests: Sequence[bytes], hello_ms: float, duration: Duration, database_pid: int
) -> Figure:
    costs, passes, database = [], [], []
    for _ in range(duration.passes):
        web, engine = server.role("web"), [database_pid] if database_pid else []
        before, engine_before = count_cpu_seconds(web), count_cpu_seconds(engine)
        passed = load.run(server.address, requests, seconds=duration.seconds, connections=duration.connections)
        costs.append((count_cpu_seconds(web) - before) / passed.answers * 1000)
        database.append((count_cpu_seconds(engine) - engine_before) / passed.answers * 1000)
        passes.append(passed)
        _check(read.name, passed)
    cost = statistics.median(costs)
    middle = sorted(passes, key=lambda passed: passed.per_second)[len(passes) // 2]
    more = {
        "per_second": round(middle.per_second),
        "p50_ms": round(middle.latency_ms(0.5), 2),
        "p99_ms": round(middle.latency_ms(0.99), 2),
    }
    if database_pid:
        more["database_cpu_ms"] = round(statistics.median(database), 3)
    return Figure(
        "reads",
        read.name,
        cost,
        "CPU ms",
        read.budget,
        read.gotosocial,
        cost / hello_ms if hello_ms else None,
        more=more,
    )


def _measure_cold(read: Read, server: Server, requests: Sequence[bytes]) -> float:
    """The cost of the first 200 requests after a start, each by another account."""
    server.restart()
    # Once on each process, so that compiling statements and importing is not counted.
    load.run(server.address, requests[:1], seconds=0.2, connections=8)
    web = server.role("web")
    before = count_cpu_seconds(web)
    passed = load.run(server.address, requests[1:], seconds=60, connections=8, most=len(requests) - 1)
    _check(read.name, passed)
    return (count_cpu_seconds(web) - before) / passed.answers * 1000


def measure_hello(duration: Duration) -> float:
    """CPU ms of a request to an application that does nothing."""
    with run_hello() as (address, pid):
        requests = [make_request("/")]
        load.run(address, requests, seconds=duration.warm_up, connections=duration.connections)
        costs = []
        for _ in range(duration.passes):
            before = count_cpu_seconds([pid])
            passed = load.run(address, requests, seconds=duration.seconds, connections=duration.connections)
            costs.append((count_cpu_seconds([pid]) - before) / passed.answers * 1000)
    return statistics.median(costs)


async def find_postmaster(database_url: str) -> int:
    """The process whose tree is the PostgreSQL server behind the address, if it runs on this machine."""
    import asyncpg

    connection = await asyncpg.connect(database_url)
    try:
        return find_parent(await connection.fetchval("SELECT pg_backend_pid()"))
    finally:
        await connection.close()


def _check(name: str, passed: Passed) -> None:
    if passed.refused:
        raise RuntimeError(f"{name}: {len(passed.refused)} of {passed.answers} refused: {passed.refused[0]!r}")
