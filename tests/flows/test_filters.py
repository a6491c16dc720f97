"""Filters across the processes of a server: who knew that there were none hears at once that there are."""

from __future__ import annotations

import json
import threading
from typing import Any

import requests

from server import PATIENCE, Member, RunningServer


def _call(server: RunningServer, method: str, path: str, member: Member, body: Any = None) -> Any:
    answer = requests.request(method, f"{server.url}{path}", headers=member.headers, json=body, timeout=PATIENCE)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


def test_every_process_heeds_a_new_filter(phiomia: RunningServer) -> None:
    alice, bob = phiomia.sign_up("alice"), phiomia.sign_up("bob")
    _call(phiomia, "POST", f"/api/v1/accounts/{bob.id}/follow", alice)
    address = f"{phiomia.url}/api/v1/streaming/user"
    with requests.get(address, headers=alice.headers, stream=True, timeout=PATIENCE) as stream:
        assert stream.ok
        heard: list[tuple[str, str]] = []
        listener = threading.Thread(target=_listen, args=(stream, heard, 5), daemon=True)
        listener.start()
        first = _post(phiomia, bob, "cheese")
        phiomia.until(lambda: len(heard) >= 1, "the first post comes")
        assert _filters(json.loads(heard[0][1])) == []
        for _ in range(10):  # as many connections as requests: every process learns that there is no filter
            assert _filters(_call(phiomia, "GET", f"/api/v1/statuses/{first}", alice)) == []

        unwanted = {"title": "Food", "context": ["home"], "keywords_attributes": [{"keyword": "cheese"}]}
        made = _call(phiomia, "POST", "/api/v2/filters", alice, unwanted)["id"]
        _post(phiomia, bob, "more cheese")
        phiomia.until(lambda: len(heard) >= 3, "the change and the second post come")
        assert heard[1][0] == "filters_changed"
        assert _filters(json.loads(heard[2][1])) == [made]
        for _ in range(10):
            assert _filters(_call(phiomia, "GET", f"/api/v1/statuses/{first}", alice)) == [made]

        _call(phiomia, "DELETE", f"/api/v2/filters/{made}", alice)
        _post(phiomia, bob, "cheese again")
        phiomia.until(lambda: len(heard) >= 5, "the next change and the third post come")
        assert _filters(json.loads(heard[4][1])) == []
        # To close what somebody still reads takes as long as the next line.
        listener.join(PATIENCE)


def _post(server: RunningServer, member: Member, text: str) -> str:
    made: str = _call(server, "POST", "/api/v1/statuses", member, {"status": text})["id"]
    return made


def _filters(status: Any) -> list[str]:
    return [one["filter"]["id"] for one in status["filtered"]]


def _listen(stream: requests.Response, heard: list[tuple[str, str]], enough: int) -> None:
    name = ""
    try:
        for raw in stream.iter_lines():
            line = bytes(raw).decode()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                heard.append((name, line.removeprefix("data: ")))
                if len(heard) == enough:
                    return
    except (requests.RequestException, AttributeError, ValueError):
        return  # the test is over and has closed it
