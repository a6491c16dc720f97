"""`python -m bench`: seeds a server, measures it, prints figures beside their budgets. See docs/develop/bench.md."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.figures import Figure
from bench.idle import measure_after_load, measure_idle
from bench.reads import Duration, find_postmaster, measure_hello, measure_reads
from bench.report import print_report, write_json
from bench.seed import Facts, seed
from bench.server import Server
from bench.streams import measure_streams
from bench.writes import measure_writes

_GROUPS = ("memory", "reads", "writes", "streams")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 with --check when a budget is not kept."""
    options = _parse(arguments)
    with _open_data(options.data) as data:
        figures, about = _measure(options, data)
    print_report(figures, f"{about['statuses']:,} statuses on {about['database']}, load average {about['load']}")
    if options.json:
        write_json(figures, about, options.json)
    return 1 if options.check and any(figure.kept is False for figure in figures) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures what has to stay fast.")
    parser.add_argument("--statuses", type=int, default=100_000, help="how many to seed (default 100000)")
    parser.add_argument("--database", default="", help="postgresql://… of an empty database (default: SQLite)")
    parser.add_argument("--data", type=Path, help="where to keep the seeded server for the next run")
    parser.add_argument("--only", default="", help=f"groups to measure, with commas: {','.join(_GROUPS)}")
    parser.add_argument("--read", default="", help="only pages whose name contains this")
    parser.add_argument("--cold", action="store_true", help="measure pages also right after a start")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one pass (default 2)")
    parser.add_argument("--passes", type=int, default=3, help="of which the median counts (default 3)")
    parser.add_argument("--posts", type=int, default=600, help="to write (default 600)")
    parser.add_argument("--listeners", type=int, default=200, help="WebSockets (default 200)")
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    parser.add_argument("--check", action="store_true", help="fail when a budget is not kept")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _open_data(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="phiomia-bench-") as folder:
        yield Path(folder)


def _measure(options: argparse.Namespace, data: Path) -> tuple[list[Figure], dict[str, object]]:
    facts = _seed(options, data)
    groups = options.only.split(",") if options.only else _GROUPS
    duration = Duration(min(1.0, options.seconds), options.seconds, options.passes)
    engine = asyncio.run(find_postmaster(options.database)) if options.database.startswith("postgres") else 0
    load = os.getloadavg()[0]
    hello = measure_hello(duration)
    figures = [Figure("baseline", "hello", hello, "CPU ms", baseline=1.0)]
    server = Server(data, options.database)
    server.start()
    try:
        if "memory" in groups:
            figures += measure_idle(server, min(5.0, 2.5 * options.seconds))
        if "reads" in groups:
            figures += measure_reads(
                facts, server, hello, duration, only=options.read, cold=options.cold, database_pid=engine
            )
        if "writes" in groups:
            figures += measure_writes(facts, server, posts=options.posts, database_pid=engine)
        if "streams" in groups:
            figures += measure_streams(facts, server, listeners=options.listeners, posts=max(5, options.posts // 10))
        if "memory" in groups:
            figures += measure_after_load(server)
    finally:
        server.stop()
    database = options.database.partition(":")[0] or "sqlite"
    return [figure.judged_on(database) for figure in figures], {
        "statuses": facts.statuses,
        "database": database,
        "seed_seconds": facts.seconds,
        "load": round(load, 1),
        "python": sys.version.split()[0],
        "at": int(time.time()),
    }


def _seed(options: argparse.Namespace, data: Path) -> Facts:
    file = data / "bench-facts.json"
    if file.exists():
        facts = msgspec.json.decode(file.read_bytes(), type=Facts)
        if facts.statuses != options.statuses:
            raise SystemExit(f"{data} holds {facts.statuses} statuses; choose another --data or --statuses")
        return facts
    facts = asyncio.run(seed(options.database or f"sqlite:///{data / 'phiomia.sqlite3'}", options.statuses))
    print(f"seeded {facts.statuses:,} statuses in {facts.seconds} s", file=sys.stderr)
    file.write_bytes(msgspec.json.encode(facts))
    return facts


if __name__ == "__main__":
    if sys.argv[1:2] == ["reload"]:
        from bench import reload  # the other benches need nothing of it

        sys.exit(reload.main(sys.argv[2:]))
    sys.exit(main())
