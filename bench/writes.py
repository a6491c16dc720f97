"""What posting costs: processor time of every role for each post, posts a second, and when followers see it."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from urllib.parse import urlencode

from bench import load
from bench.cpu import count_cpu_seconds
from bench.figures import Figure
from bench.load import Line, make_request
from bench.posts import Words
from bench.seed import Facts
from bench.server import Server

_SETTLE = 1.0
_words = Words(seed=23)


def measure_writes(facts: Facts, server: Server, *, posts: int = 600, database_pid: int = 0) -> list[Figure]:
    """Posts by somebody with twenty followers here, eight at a time; then one by one, looking for it elsewhere."""
    load.run(server.address, make_posts(facts.writer, 40), seconds=60, most=40)
    trees = [server.pid]
    before, engine_before = count_cpu_seconds(trees), count_cpu_seconds([database_pid] if database_pid else [])
    passed = load.run(server.address, make_posts(facts.writer, posts), seconds=120, most=posts)
    time.sleep(_SETTLE)  # what follows in the background is part of the cost
    cost = (count_cpu_seconds(trees) - before) / passed.answers * 1000
    more = {"p50_ms": round(passed.latency_ms(0.5), 1), "p99_ms": round(passed.latency_ms(0.99), 1)}
    if database_pid:
        more["database_cpu_ms"] = round((count_cpu_seconds([database_pid]) - engine_before) / passed.answers * 1000, 3)
    if passed.refused:
        raise RuntimeError(f"posts were refused: {passed.refused[0]!r}")
    return [
        Figure("writes", "post, every role", cost, "CPU ms", 6.0, 39.4),
        Figure("writes", "posts", passed.per_second, "1/s", 150.0, 61.7, better="more", more=more),
        *_measure_visible(facts, server),
    ]


def make_posts(token: str, number: int) -> list[bytes]:
    """Requests for as many different statuses."""
    return [make_request("/api/v1/statuses", token, form=_form()) for _ in range(number)]


def post(line: Line, token: str) -> str:
    """Posts one and gives its id."""
    answer: dict[str, str] = json.loads(line.ask(make_request("/api/v1/statuses", token, form=_form())))
    return answer["id"]


def _form() -> bytes:
    return urlencode({"status": f"{_words.text()} {time.perf_counter_ns()}"}).encode()


def _measure_visible(facts: Facts, server: Server, tries: int = 30) -> Sequence[Figure]:
    writer, reader = Line(server.address), Line(server.address)
    look = make_request("/api/v1/timelines/home?limit=1", facts.writer_followers[0])
    waits = []
    for _ in range(tries):
        wanted = post(writer, facts.writer)
        answered = time.perf_counter()
        while json.loads(reader.ask(look))[0]["id"] != wanted:
            if time.perf_counter() - answered > 5:
                raise RuntimeError("a post did not reach a follower's home timeline within five seconds")
        waits.append((time.perf_counter() - answered) * 1000)
        time.sleep(0.01)
    more = {"most_ms": round(max(waits), 1)}
    return [Figure("writes", "visible to a follower", statistics.median(waits), "ms p50", 15.0, 30.0, more=more)]
