"""`script/bench reload`: what people lose while releases change under them. Nothing, and no long wait either.

One reload and ten in a minute, each directly and through nginx, on the toy and on the application; then releases that
are broken. Releases differ in code, in a dependency and, where another interpreter is found, in Python's version.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure
from bench.proxy import find_nginx, run_nginx
from bench.releases import find_other_python, make_application, make_toy, switch
from bench.report import conclude
from bench.supervised import TOY, Supervised, describe_application, run_application, run_toy
from bench.traffic import Address, Mix, Seen, Site, Traffic
from phiomia.platform import control

BASELINE_S = 6.0
MORE_S = 0.25
SCENARIOS = ("toy", "application", "broken")


class Place(NamedTuple):
    """Where requests go."""

    name: str
    address: Address


class Result(NamedTuple):
    """Traffic while releases changed, beside the same traffic before."""

    before: Seen
    during: Seen
    reloads: int
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 with --check when a request was lost or waited too long."""
    options = _parse(arguments)
    load = os.getloadavg()[0]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="phiomia-reload-") as folder:
        for scenario in options.only.split(","):
            figures += _MEASURE[scenario](Path(folder) / scenario, options)
    return conclude(figures, "reloads under load", load, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench reload", description="Changes releases under load.")
    parser.add_argument("--only", default=",".join(SCENARIOS), help=f"with commas: {','.join(SCENARIOS)}")
    parser.add_argument("--reloads", type=int, default=10, help="in --seconds (default 10)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the reloads (default 60)")
    parser.add_argument("--think", type=float, default=0.004, help="seconds a quick client waits (default 0.004)")
    parser.add_argument("--through", default="direct,nginx", help="with commas: direct,nginx")
    parser.add_argument("--json", type=Path, help="write the figures to a file, too")
    parser.add_argument("--check", action="store_true", help="fail when a budget is not kept")
    return parser.parse_args(arguments)


def _measure_toy(folder: Path, options: argparse.Namespace) -> list[Figure]:
    folder.mkdir()
    other = find_other_python()
    releases = [make_toy(folder, "one", "1.0"), make_toy(folder, "two", "2.0", other)]
    switch(folder, releases[0])
    mix = Mix(think_s=options.think)
    figures = []
    with run_toy(folder) as running, _places(folder, running.port, options.through) as places:
        for place in places:
            figures += _measure(f"toy, {place.name}", running, place, TOY, mix, releases, options)
    return figures


def _measure_application(folder: Path, options: argparse.Namespace) -> list[Figure]:
    folder.mkdir()
    releases = [make_application(folder, "1.0.0"), make_application(folder, "1.1.0", find_other_python())]
    switch(folder, releases[0])
    mix = Mix(staying=8, coming=4, think_s=options.think)
    figures = []
    with run_application(folder) as running, _places(folder, running.port, options.through) as places:
        site = describe_application(running.make_member())
        for place in places:
            figures += _measure(f"application, {place.name}", running, place, site, mix, releases, options)
    return figures


def _measure_broken(folder: Path, options: argparse.Namespace) -> list[Figure]:
    folder.mkdir()
    switch(folder, make_toy(folder, "one"))
    figures = []
    with run_toy(folder) as running:
        for mark in ("import-error", "never-ready", "crashes-soon"):
            broken = make_toy(folder, mark)
            outcome, seen, seconds = asyncio.run(_refused(folder, running, broken, Mix(think_s=options.think)))
            reason = "" if not outcome.ok else "it was accepted"
            figures.append(
                Figure("broken", f"{mark}: refused in", seconds, "s", 15.0, more={"reason": reason or outcome.reason})
            )
            failures = len(seen.failures) + (reason != "")
            figures.append(Figure("broken", f"{mark}: failed", failures, "requests", 0, more={"of": seen.answered}))
    return figures


async def _refused(folder: Path, running: Supervised, broken: Path, mix: Mix) -> tuple[control.Outcome, Seen, float]:
    async with Traffic(("127.0.0.1", running.port), TOY, mix) as traffic:
        begun = time.monotonic()
        switch(folder, broken)
        outcome = await asyncio.to_thread(control.reload, running.run)
        seconds = time.monotonic() - begun
    return outcome, traffic.seen, seconds


def _measure(
    name: str,
    running: Supervised,
    place: Place,
    site: Site,
    mix: Mix,
    releases: Sequence[Path],
    options: argparse.Namespace,
) -> list[Figure]:
    folder = releases[0].parent.parent

    async def renew(number: int) -> control.Outcome:
        switch(folder, releases[number % len(releases)])
        return await asyncio.to_thread(control.reload, running.run)

    result = asyncio.run(
        run_reloads(Traffic(place.address, site, mix), renew, options.reloads, options.seconds, BASELINE_S)
    )
    for failure in result.during.failures[:5] + result.before.failures[:5]:
        print(f"{name}: {failure}", file=sys.stderr)
    marks = ", ".join(f"{mark} {count:,}" for mark, count in sorted(result.during.marks.items()))
    more = {"of": f"{result.during.answered:,}", "reloads": result.reloads, "in s": round(result.seconds), "by": marks}
    waits = {"before": f"{result.before.longest:.3f}", "slowest": result.during.slowest}
    waits["upload"] = f"{result.during.longest_upload:.3f}"
    return [
        Figure(name, f"{name}: failed", len(result.during.failures), "requests", 0, more=more),
        Figure(name, f"{name}: asked", result.during.answered / result.seconds, "requests/s", 200, better="more"),
        Figure(
            name,
            f"{name}: longest answer",
            result.during.longest,
            "s",
            result.before.longest + MORE_S,
            more={
                "before": f"{result.before.longest:.3f}",
                "slowest": result.during.slowest,
                "upload": f"{result.during.longest_upload:.3f}",
            },
        ),
    ]


async def run_reloads(
    traffic: Traffic,
    renew: Callable[[int], Awaitable[control.Outcome]],
    reloads: int,
    seconds: float,
    baseline_s: float,
) -> Result:
    """Reloads again and again under the traffic; raises RuntimeError when one is refused."""
    async with traffic:
        await asyncio.sleep(baseline_s)
        before = traffic.take()
        begun = time.monotonic()
        for number in range(1, reloads + 1):
            outcome = await renew(number)
            if not outcome.ok:
                raise RuntimeError(f"reload {number} was refused: {outcome.reason}")
            await asyncio.sleep(max(0.0, begun + number * seconds / reloads - time.monotonic()))
        took = time.monotonic() - begun
    return Result(before, traffic.take(), reloads, took)


@contextmanager
def _places(folder: Path, port: int, through: str) -> Iterator[list[Place]]:
    with ExitStack() as open_:
        places = []
        if "direct" in through:
            places.append(Place("direct", ("127.0.0.1", port)))
        if "nginx" in through and find_nginx():
            places.append(Place("nginx", open_.enter_context(run_nginx(folder / "nginx", port))))
        yield places


_MEASURE: dict[str, Callable[[Path, argparse.Namespace], list[Figure]]] = {
    "toy": _measure_toy,
    "application": _measure_application,
    "broken": _measure_broken,
}
