"""What a process has done since it began, in few numbers: answers, jobs, time on the processor and time without one.

Unlike the exposition for Prometheus this costs nothing, so an upgrade may ask for it every other second.
"""

import json
import os

from phiomia.platform.answers import answers
from phiomia.platform.metrics import list_jobs


def count_process() -> bytes:
    """The counts of this process as JSON."""
    ran, waited = _read_times()
    return json.dumps(
        {
            "requests": answers.requests,
            "errors": answers.errors,
            "buckets": answers.buckets,
            "jobs": {type_: [one.done + one.failed + one.discarded, one.broken] for type_, one in list_jobs()},
            "ran_s": ran,
            "waited_s": waited,
        }
    ).encode()


def _read_times() -> tuple[float, float]:
    """Seconds that the main thread ran, and that it could have run but others did; zeros where nobody counts them."""
    try:
        with open(f"/proc/{os.getpid()}/schedstat", encoding="ascii") as file:
            ran, waited, *_ = file.read().split()
        return int(ran) / 1e9, int(waited) / 1e9
    except (OSError, ValueError):
        return 0.0, 0.0
