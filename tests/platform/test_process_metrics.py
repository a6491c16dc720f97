"""The numbers of a process and how Prometheus reads them."""

import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from phiomia.platform import metrics


def samples() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the exposition by name and labels."""
    text = metrics.exposition().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels(**values: str) -> frozenset[tuple[str, str]]:
    """Labels as `samples` keys them."""
    return frozenset(values.items())


def test_requests_are_counted_by_method_and_class() -> None:
    meter = metrics.http
    before = samples()
    for method, status, seconds in (("GET", 200, 0.002), ("GET", 204, 0.3), ("BREW", 418, 99.0), ("GET", 999, 0.001)):
        meter.observe(method, status, seconds)
    after = samples()

    def grown(name: str, **values: str) -> float:
        return after[name, labels(**values)] - before.get((name, labels(**values)), 0)

    assert grown("phiomia_http_requests_total", method="GET", status="2xx") == 2
    assert grown("phiomia_http_requests_total", method="other", status="4xx") == 1
    assert grown("phiomia_http_requests_total", method="GET", status="none") == 1
    assert grown("phiomia_http_seconds_bucket", le="0.001") == 1
    assert grown("phiomia_http_seconds_bucket", le="0.0025") == 2
    assert grown("phiomia_http_seconds_bucket", le="10.0") == 3
    assert grown("phiomia_http_seconds_bucket", le="+Inf") == grown("phiomia_http_seconds_count") == 4
    assert round(grown("phiomia_http_seconds_sum"), 3) == 99.303


def test_jobs_families_and_the_process_are_shown() -> None:
    meter = metrics.JobMeter("knit")
    assert metrics.JobMeter("knit") is meter
    meter.done += 3
    meter.failed += 1
    meter.seconds += 1.5
    metrics.websocket_connections.value += 2
    cats = metrics.counter("cats", "Cats seen.", ["colour"]).bind("black")
    assert metrics.counter("cats", "Cats seen.", ["colour"]).bind("black") is cats
    cats.value += 1
    found = samples()
    assert found["phiomia_jobs_total", labels(type="knit", outcome="done")] == 3
    assert found["phiomia_jobs_total", labels(type="knit", outcome="failed")] == 1
    assert found["phiomia_job_seconds_total", labels(type="knit")] == 1.5
    assert found["phiomia_stream_connections", labels(kind="websocket")] == 2
    assert found["phiomia_cats_total", labels(colour="black")] == 1
    assert found["process_resident_memory_bytes", labels()] > 0


def test_counting_does_not_load_the_client() -> None:
    code = "import sys, phiomia.platform.metrics; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
