"""Asks the server again and again while it is upgraded, so that the report can say what people noticed.

A process of its own, because an upgrade becomes another program in the middle; it ends when the upgrade does. As a
program: `python -m phiomia.upgrade.probe FILE` with its targets as JSON on standard input. Standard library only.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PERIOD_S = 0.5
# What is asked for in vain counts as a failure after this.
PATIENCE_S = 20.0
# So that there is something to compare with.
BASELINE_S = 2.0
_WEB_ACTIONS = ("migrate-expand", "switch", "restart-workers", "restart-web", "restart-streaming")
_REASONS = 5


class Target(NamedTuple):
    """What to ask for: where, under which name, with which headers, and the status that is right."""

    name: str
    address: str
    path: str
    headers: dict[str, str]
    status: int
    period_s: float = PERIOD_S


def list_targets(bind: str, public_url: str, domain: str) -> list[Target]:
    """A page, an answer that needs the database, and the public address when there is one.

    The token that is shown is nobody's: that it is refused takes the way that every real one takes.
    """
    host = {"Host": domain}
    if public_url.startswith("https:"):
        host["X-Forwarded-Proto"] = "https"
    direct = f"http://{bind}"
    nobody = {**host, "Authorization": "Bearer asked-by-an-upgrade"}
    targets = [
        Target("ready", direct, "/health/ready", host, 200),
        # Few enough to stay below what one address may ask without a token.
        Target("signed in", direct, "/api/v1/accounts/verify_credentials", nobody, 401, 2.0),
    ]
    if public_url and ask(public := Target("public", public_url.rstrip("/"), "/about", {}, 200, 1.0))[1] == "":
        targets.append(public)
    return targets


def ask(target: Target) -> tuple[float, str]:
    """Milliseconds until the whole answer was there, and why it was the wrong one; empty when it was right."""
    parts = urlsplit(target.address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    began = time.monotonic()
    try:
        connection.request("GET", target.path, headers=target.headers)
        answer = connection.getresponse()
        answer.read()
        wrong = "" if answer.status == target.status else f"{target.path}: status {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        wrong = f"{target.path}: {error or type(error).__name__}"
    finally:
        connection.close()
    return (time.monotonic() - began) * 1000, wrong


def start_probe(path: Path, targets: Iterable[Target]) -> None:
    """Begins to ask, unless a process of ours is at it already."""
    if find_probe(path):
        return
    command = [sys.executable, "-P", "-m", "phiomia.upgrade.probe", str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps([target._asdict() for target in targets]).encode())
    process.stdin.close()
    _note(path).write_text(str(process.pid), "ascii")
    # It is waited for by its number, perhaps by another program that this process has become.
    process.returncode = 0


def find_probe(path: Path) -> int:
    """The number of the process that asks for us; 0 when none does."""
    note = _note(path)
    if not note.exists():
        return 0
    pid = int(note.read_text("ascii") or 0)
    try:
        return pid if os.waitpid(pid, os.WNOHANG) == (0, 0) else 0
    except ChildProcessError:
        return 0  # of an upgrade that was killed; it ends by itself


def stop_probe(path: Path) -> None:
    """Ends it."""
    pid = find_probe(path)
    if pid:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    _note(path).unlink(missing_ok=True)


def sum_up(path: Path, entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Requests, failures and milliseconds before, during and after what changed; `entries` are the journal's."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    samples = [json.loads(line) for line in lines if line.endswith("]")]
    acting = [one["at"] for one in entries if one.get("step") in _WEB_ACTIONS and one["kind"] in ("started", "done")]
    first, last = (min(acting), max(acting)) if acting else (float("inf"), float("inf"))
    split: dict[str, list[list[Any]]] = {"before": [], "during": [], "after": []}
    for sample in samples:
        began, took = sample[0], sample[2] / 1000
        when = "before" if began + took < first else "after" if began > last else "during"
        split[when].append(sample)
    wrong = [sample[3] for sample in samples if sample[3]]
    return {
        "requests": len(samples),
        "failures": len(wrong),
        "reasons": wrong[:_REASONS],
        **{when: _measure([sample[2] for sample in found]) for when, found in split.items()},
    }


def judge(summary: dict[str, Any]) -> str:
    """Why the new release looks worse than the old one; empty when it does not."""
    share = summary["failures"] / summary["requests"] if summary["requests"] else 0.0
    if share > 0.01:
        return f"{summary['failures']} of {summary['requests']} requests failed: {summary['reasons'][0]}"
    before, after = summary["before"], summary["after"]
    if min(before["requests"], after["requests"]) >= 20 and after["p95"] > 2 * before["p95"] + 100:
        return f"answers take {after['p95']:.0f} ms now (p95), before they took {before['p95']:.0f} ms"
    return ""


def _measure(took: list[float]) -> dict[str, float]:
    if not took:
        return {"requests": 0}
    ordered = sorted(took)
    return {
        "requests": len(ordered),
        "p50": round(ordered[len(ordered) // 2], 1),
        "p95": round(ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)], 1),
        "max": round(ordered[-1], 1),
    }


def _note(path: Path) -> Path:
    return path.with_suffix(".probe-pid")


def main(path: Path) -> None:
    """Asks until it is told to end or its parent has gone."""
    targets = [Target(**one) for one in json.load(sys.stdin)]
    parent, enough = os.getppid(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: enough.set())
    writing = threading.Lock()
    with path.open("a", encoding="utf-8", buffering=1) as file:

        def keep_asking(target: Target) -> None:
            while not enough.is_set():
                at = time.time()
                took, wrong = ask(target)
                with writing:
                    file.write(json.dumps([at, target.name, round(took, 2), wrong]) + "\n")
                enough.wait(max(0.0, target.period_s - took / 1000))

        threads = [threading.Thread(target=keep_asking, args=(target,), daemon=True) for target in targets]
        for thread in threads:
            thread.start()
        while os.getppid() == parent and not enough.wait(0.2):
            pass
        enough.set()
        for thread in threads:
            thread.join(PATIENCE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
