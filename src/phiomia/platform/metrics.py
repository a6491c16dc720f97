"""Numbers about this process, as Prometheus reads them.

Counting must cost nothing: a number is an attribute of an object that its place in the code holds already, and is
raised with `+=`. Only `exposition`, which is asked every few seconds at most, loads prometheus-client and builds
families. Each process answers for itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other")
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Number:
    """One number: of a counter it only grows, of a gauge it goes up and down."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Family:
    """Numbers of one name that differ in their labels. Bind each once, where the code is loaded."""

    def __init__(self, kind: str, name: str, help_: str, labels: Sequence[str] = ()) -> None:
        self.kind = kind
        self.name = f"phiomia_{name}"
        self.help = help_
        self.labels = tuple(labels)
        self.numbers: dict[tuple[str, ...], Number] = {}

    def bind(self, *values: str) -> Number:
        """The number with these values of the labels; the same one each time."""
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}")
        return self.numbers.setdefault(values, Number())


_families: dict[str, Family] = {}


def counter(name: str, help_: str, labels: Sequence[str] = ()) -> Family:
    """The family of counters of that name, shown as phiomia_<name>_total."""
    return _families.setdefault(name, Family("counter", name, help_, labels))


def gauge(name: str, help_: str, labels: Sequence[str] = ()) -> Family:
    """The family of gauges of that name, shown as phiomia_<name>."""
    return _families.setdefault(name, Family("gauge", name, help_, labels))


class HttpMeter:
    """Counts answered requests: by method and class of status, and how long they took."""

    def __init__(self) -> None:
        self.requests = {method: [0] * 6 for method in METHODS}
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def observe(self, method: str, status: int, seconds: float) -> None:
        """Counts one request."""
        (self.requests.get(method) or self.requests["other"])[status // 100 if 0 < status < 600 else 0] += 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class JobMeter:
    """Counts the jobs of one type. `failed` counts attempts, `broken` those that ended as nobody expects; else jobs."""

    __slots__ = ("broken", "dead", "discarded", "done", "failed", "seconds")

    def __new__(cls, type_: str) -> JobMeter:
        """The meter of the type; the same one each time."""
        meter = _jobs.get(type_)
        if meter is None:
            meter = _jobs[type_] = super().__new__(cls)
            meter.done = meter.failed = meter.broken = meter.discarded = meter.dead = 0
            meter.seconds = 0.0
        return meter

    done: int
    failed: int
    broken: int
    discarded: int
    dead: int
    seconds: float


_jobs: dict[str, JobMeter] = {}


def list_jobs() -> list[tuple[str, JobMeter]]:
    """Each type of job that this process knows, with its meter."""
    return list(_jobs.items())


http = HttpMeter()
stream_connections = gauge("stream_connections", "Open streaming connections.", ["kind"])
websocket_connections = stream_connections.bind("websocket")
event_source_connections = stream_connections.bind("sse")

_registry: CollectorRegistry | None = None
_updates: list[Callable[[], None]] = []


def update_before_exposition(update: Callable[[], None]) -> None:
    """Calls `update` whenever somebody asks for the numbers: for those that are kept elsewhere."""
    _updates.append(update)


def exposition() -> bytes:
    """Every number of this process in Prometheus' text format."""
    global _registry
    # Costs 5 MB and 80 ms: only a process that is really asked pays for it.
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import generate_latest

    if _registry is None:
        _registry = CollectorRegistry()
        _registry.register(_Collector())
        ProcessCollector(registry=_registry)
    for update in _updates:
        update()
    return generate_latest(_registry)


class _Collector:
    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        yield from _collect_http()
        yield from _collect_jobs()
        for family in _families.values():
            yield _collect_family(family)

    def describe(self) -> list[Any]:
        """Nothing: else the registry would collect once at registration."""
        return []


def _collect_http() -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

    requests = CounterMetricFamily("phiomia_http_requests", "Answered requests.", labels=["method", "status"])
    for method, counts in http.requests.items():
        for class_, count in enumerate(counts):
            if count:
                requests.add_metric([method, f"{class_}xx" if class_ else "none"], count)
    yield requests
    total, buckets = 0, []
    for bound, count in zip([*map(str, BOUNDS), "+Inf"], http.buckets, strict=True):
        total += count
        buckets.append((bound, total))
    yield HistogramMetricFamily(
        "phiomia_http_seconds", "How long requests took.", buckets=buckets, sum_value=http.seconds
    )


def _collect_jobs() -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily

    outcomes = CounterMetricFamily(
        "phiomia_jobs", "What became of jobs; failed are attempts.", labels=["type", "outcome"]
    )
    seconds = CounterMetricFamily("phiomia_job_seconds", "Time that handlers took.", labels=["type"])
    for type_, meter in list_jobs():
        for outcome in ("done", "failed", "discarded", "dead"):
            outcomes.add_metric([type_, outcome], getattr(meter, outcome))
        seconds.add_metric([type_], meter.seconds)
    yield outcomes
    yield seconds


def _collect_family(family: Family) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    shown = kind(family.name, family.help, labels=family.labels)
    for values, number in list(family.numbers.items()):
        shown.add_metric(values, number.value)
    return shown
