"""How much memory the whole server takes."""

from __future__ import annotations

import time

from bench.cpu import count_cpu_seconds, count_pss_mb, list_tree
from bench.figures import Figure
from bench.server import Server

_ROLES = ("web", "worker", "streaming")


def measure_idle(server: Server, seconds: float = 5.0) -> list[Figure]:
    """Memory of every role after a start, and what doing nothing costs."""
    time.sleep(seconds)
    before = count_cpu_seconds([server.pid])
    time.sleep(seconds)
    busy = (count_cpu_seconds([server.pid]) - before) / seconds * 1000
    return [
        _measure_memory(server, "idle", budget=150.0, gotosocial=120.0),
        Figure("memory", "processor while idle", busy, "CPU ms/s"),
    ]


def measure_after_load(server: Server) -> list[Figure]:
    """Memory after everything else was measured."""
    return [_measure_memory(server, "after the load", gotosocial=216.0)]


def _measure_memory(
    server: Server, name: str, *, budget: float | None = None, gotosocial: float | None = None
) -> Figure:
    parts = {role: round(count_pss_mb(server.role(role)), 1) for role in _ROLES}
    more = parts | {"processes": len(list_tree([server.pid]))}
    return Figure("memory", name, count_pss_mb([server.pid]), "MB PSS", budget, gotosocial, more=more)
