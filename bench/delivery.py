"""`python -m bench.delivery`: how fast one worker tells a thousand servers, and what those that are away cost it.

Every server has a name and TLS of its own and is really one process on this machine, which writes down when each name
was spoken to for the first time. Of those that are away half refuse connections, the others take them and say nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from bench.watched import empty

HOST = "host-{}.peers.test"
_PATIENCE = 180.0
# From one status to the next, whoever is away: longer than those that say nothing are waited for. Else connections
# would still be open only where all are there.
_APART_S = 10.0


class Run(NamedTuple):
    """What telling everybody took: until the last of those that are always there had it, until half of them had it.

    `all_s` is when the last that could be told had it, `tried_s` when nobody was left to try. `cpu_s` is what the
    sender's process computed meanwhile, `reached_cpu_s` as far as `reached_s`.
    """

    reached_s: float
    all_s: float
    reached_cpu_s: float
    median_s: float
    tried_s: float
    cpu_s: float


class Ways(NamedTuple):
    """One kind of server after the other: how many are there, and how many are away."""

    name: str
    there: int
    away: int


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 when a budget is not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__)
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--away", type=int, default=300)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds each answer takes")
    parser.add_argument("--rounds", type=int, default=4, help="how often they are told, each way")
    parser.add_argument("--database", default="", help="postgresql://…, emptied before each run (default: SQLite)")
    options = parser.parse_args(arguments)
    there = options.hosts - options.away
    well = Ways(f"{options.hosts} servers, all there", options.hosts, 0)
    among = Ways(f"{there} servers there, {options.away} away", there, options.away)
    alone = Ways(f"{there} servers, no others", there, 0)
    runs: dict[Ways, list[tuple[Run, Run]]] = {well: [], among: [], alone: []}
    for number in range(options.rounds):
        # In turn, and the other way round each time: the machine has moods.
        for ways in [well, among, alone][:: -1 if number % 2 else 1]:
            runs[ways].append(_measure(options, ways))
            _show(f"{ways.name}, nobody knows", runs[ways][-1][0])
            _show(f"{ways.name}, second status", runs[ways][-1][1])
    surprise, delay = _compare(runs[well], runs[among])
    print(f"of {options.hosts} servers {options.away} that are away, instead of there, cost the other {there}")
    print(f"  {surprise:+.1%} as long as it is not known, and {delay:+.1%} then")
    unknown, known = _compare(runs[alone], runs[among])
    print(f"besides those {there} alone (no budget) they cost {unknown:+.1%}, and {known:+.1%} then")
    all_s = statistics.median(run.all_s for run, _ in runs[well])
    kept = all_s <= 30 and surprise <= 0.10 and delay <= 0.10
    print(f"budgets ({all_s:.1f} of 30 s for all, 10 % delay): {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


def _compare(without: Sequence[tuple[Run, Run]], among: Sequence[tuple[Run, Run]]) -> tuple[float, float]:
    """By how much later the last one had the first status and the second, of the middle run each way."""

    def middle(runs: Sequence[tuple[Run, Run]], number: int) -> float:
        return statistics.median(run[number].reached_s for run in runs)

    return middle(among, 0) / middle(without, 0) - 1, middle(among, 1) / middle(without, 1) - 1


def _show(name: str, run: Run) -> None:
    print(
        f"{name}: reached in {run.reached_s:.2f} s ({run.reached_cpu_s:.2f} s of CPU; half in {run.median_s:.2f} s), "
        f"all tried in {run.tried_s:.2f} s ({run.cpu_s:.2f} s of CPU)",
        flush=True,
    )


def _measure(options: argparse.Namespace, ways: Ways) -> tuple[Run, Run]:
    """Two statuses one after the other."""
    with tempfile.TemporaryDirectory(prefix="phiomia-bench-") as folder:
        url = options.database or f"sqlite:///{folder}/phiomia.sqlite3"
        if options.database:
            empty(url)
        return uvloop.run(_play(Path(folder), url, options.latency, ways, options.hosts - options.away))


async def _play(folder: Path, url: str, latency: float, ways: Ways, watched: int) -> tuple[Run, Run]:
    from bench.delivery_stage import open_sender

    certificate = certify(folder)
    silent = socket.create_server(("127.0.0.1", 0), backlog=1024)
    process = subprocess.Popen(  # noqa: ASYNC220 (nothing else runs yet)
        [sys.executable, "-m", "bench.delivery_peer", str(certificate), str(latency)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        port, closed = int(process.stdout.readline()), _closed_port()
        ports = [port] * ways.there + [closed if n % 2 else silent.getsockname()[1] for n in range(ways.away)]
        names = [HOST.format(n) for n in range(len(ports))]
        # Deliveries begin in the order of the names: those that are away shall stand among the others.
        random.Random(1).shuffle(names)
        trust = ssl.create_default_context(cafile=str(certificate))
        async with open_sender(url, dict(zip(names, ports, strict=True)), trust) as sender:
            first = await _tell(sender, process, names[:watched], (len(names), ways.there))
            await asyncio.sleep(max(0.0, _APART_S - first.tried_s))
            return first, await _tell(sender, process, names[:watched], (ways.there, ways.there))
    finally:
        silent.close()
        process.kill()
        process.wait()


async def _tell(sender: Any, process: subprocess.Popen[str], watched: list[str], until: tuple[int, int]) -> Run:
    assert process.stdin is not None and process.stdout is not None
    begun, computed = time.time(), time.process_time()
    samples: list[tuple[float, float]] = []
    sampler = asyncio.create_task(_sample(samples))
    await sender.post()
    await sender.until_tried(*until, _PATIENCE)
    took, spent = time.time() - begun, time.process_time() - computed
    sampler.cancel()
    process.stdin.write("\n")
    process.stdin.flush()
    heard: dict[str, float] = json.loads(process.stdout.readline())
    times = [heard[name] - begun for name in watched]
    reached = max(times)
    until_then = max((cpu for moment, cpu in samples if moment <= begun + reached), default=computed) - computed
    return Run(reached, max(heard.values()) - begun, until_then, statistics.median(times), took, spent)


async def _sample(samples: list[tuple[float, float]]) -> None:
    """Notes now and then how much was computed."""
    while True:
        samples.append((time.time(), time.process_time()))
        await asyncio.sleep(0.02)


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def certify(folder: Path) -> Path:
    """A certificate for all names, with its key in the same file."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peers.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.peers.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "peers.pem"
    form: Any = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *form)
    )
    return file


if __name__ == "__main__":
    raise SystemExit(main())
