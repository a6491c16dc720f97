"""`python -m bench.everything FOLDER`: what each GET endpoint costs on a seeded server, and which are too dear.

Everything is asked within one process, so that the least of a few runs hardly depends on what else the machine does.
What a path needs and the seed lacks (a list, a filter, …) is made first.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import re
import sys
import time
from typing import NamedTuple

import uvloop

from bench.inside import Inside, open_inside
from bench.load import make_request
from phiomia.api.endpoint import ENDPOINTS, Endpoint
from phiomia.platform import log

BUDGET_MS = 5.0
# Searching, what is ranked by a worker, and files have budgets of their own.
APART = ("/search", "/trends", "/media")
_ROUNDS = 7


class Cost(NamedTuple):
    """One endpoint: CPU milliseconds once everything is kept, the status and the length of its answer."""

    ms: float
    status: int
    size: int
    path: str


async def measure_everything(server: Inside) -> list[Cost]:
    """Each GET endpoint, the dearest first."""
    known = await _know(server)
    found = []
    gc.collect()
    gc.disable()
    try:
        for one in ENDPOINTS:
            if one.method == "GET" and one.handler.__module__.startswith("phiomia."):
                found.append(await _measure(server, one, known))
    finally:
        gc.enable()
    return sorted(found, reverse=True)


async def _measure(server: Inside, one: Endpoint, known: dict[str, str]) -> Cost:
    path = _fill(one.path, known)
    request = make_request(path, server.facts.tokens[0])
    answer = b""
    least = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time_ns()
        answer = await server.answer(request)
        least = min(least, (time.process_time_ns() - began) / 1e6)
    return Cost(least, int(answer.split(b" ", 2)[1]), len(answer), path)


async def _know(server: Inside) -> dict[str, str]:
    """What parameters stand for, by the word before them."""
    facts = server.facts
    known = {"accounts": facts.accounts[1], "statuses": facts.thread, "tag": "walrus", "tags": "walrus"}
    made = {
        "lists": ("/api/v1/lists", b"title=Some"),
        "filters": ("/api/v2/filters", b"title=x&context[]=home&keywords_attributes[][keyword]=x"),
        "collections": ("/api/v1/collections", b"name=Some"),
        "scheduled_statuses": ("/api/v1/statuses", b"status=x&scheduled_at=2999-01-01T00:00:00Z"),
        "polls": ("/api/v1/statuses", b"status=x&poll[options][]=a&poll[options][]=b&poll[expires_in]=3600"),
    }
    for name, (path, form) in made.items():
        entity = json.loads(await _body(server, path, form))
        entity = entity.get("collection", entity.get("poll") or entity)
        known[name] = entity["id"]
        if name == "filters":
            known["keywords"] = entity["keywords"][0]["id"]
    known["list"] = known["lists"]
    await _body(server, f"/api/v1/lists/{known['lists']}/accounts", f"account_ids[]={known['accounts']}".encode())
    told = json.loads(await _body(server, "/api/v2/notifications"))["notification_groups"]
    known |= {"notifications": told[0]["most_recent_notification_id"], "groups": told[0]["group_key"]}
    return {name: str(value) for name, value in known.items()}


async def _body(server: Inside, path: str, form: bytes = b"") -> bytes:
    return (await server.answer(make_request(path, server.facts.tokens[0], form=form))).partition(b"\r\n\r\n")[2]


def _fill(template: str, known: dict[str, str]) -> str:
    before = template.partition("/:")[0]
    word = before.rpartition("/")[2]
    word = {"/api/v2/notifications": "groups", "/api/v1/filters": "keywords"}.get(before, word)
    asked = {
        "/api/v1/accounts/lookup": "?acct=member1",
        "/api/v1/accounts/search": "?q=member1",
        "/api/v2/search": "?q=walrus",
        "/api/v1/peers/search": "?q=r",
        "/api/v1/markers": "?timeline[]=home",
        "/api/v1/domain_blocks/preview": "?domain=example.org",
    }
    people = "".join(f"&id[]={known['accounts']}")
    if template in ("/api/v1/accounts", "/api/v1/accounts/relationships", "/api/v1/accounts/familiar_followers"):
        asked[template] = f"?{people[1:]}"
    separator = asked.get(template, "?limit=40")
    return re.sub(r":\w+", known.get(word, "1"), template) + separator


def _print(costs: list[Cost], everything: bool) -> int:
    dear = [cost for cost in costs if cost.ms > BUDGET_MS]
    beyond = [cost for cost in dear if not any(part in cost.path for part in APART)]
    for cost in costs if everything else dear:
        print(f"{cost.ms:8.2f} ms  {cost.status}  {cost.size:8,} bytes  GET {cost.path}")
    print(f"{len(costs)} endpoints, {len(beyond)} above {BUDGET_MS} ms besides searches, trends and media")
    return len(beyond)


async def _run(options: argparse.Namespace) -> int:
    async with contextlib.AsyncExitStack() as stack:
        return _print(await measure_everything(await open_inside(stack, options.server, 1)), options.all)


def main() -> None:
    """Reads the arguments, measures, and fails when something is too dear."""
    parser = argparse.ArgumentParser(prog="python -m bench.everything", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("server", help="a folder that `bench --data` has filled; behind a comma its database")
    parser.add_argument("--all", action="store_true", help="print every endpoint, not only those above the budget")
    options = parser.parse_args()
    log.configure("warning", "json")
    sys.exit(1 if uvloop.run(_run(options)) else 0)


if __name__ == "__main__":
    main()
