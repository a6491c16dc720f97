"""Vectors and requests from files, and lookups of keys."""

import json
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from phiomia.activitypub.signatures.keys import PublicKey
from phiomia.activitypub.signatures.request import Request

DATA = Path(__file__).parents[1] / "data"


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def examples() -> dict[str, Any]:
    return {
        path.stem: json.loads(path.read_text())["document"] for path in sorted((DATA / "signatures").glob("*.json"))
    }


def request_of(document: dict[str, Any], **changed: Any) -> Request:
    document = {**document, **changed}
    url = f"https://ours.example{document['path']}"
    return Request.of(document["method"], url, document["headers"].items(), document.get("body", "").encode())


def moment(text: str) -> float:
    return parsedate_to_datetime(text).timestamp()


def message(text: str) -> Request:
    """A request as it is written in an RFC."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, target, _ = first.split(" ")
    headers = [(name, value) for name, _, value in (line.partition(":") for line in lines)]
    return Request.of(method, f"https://example.com{target}", headers, body.encode())


class Ring:
    """A lookup with one key for everybody, and another when asked for a fresh one."""

    def __init__(self, stored: PublicKey | None, fresh: PublicKey | None = None) -> None:
        self.stored, self.fresh = stored, fresh or stored
        self.asked: list[tuple[str, bool]] = []

    async def __call__(self, key_id: str, *, fresh: bool) -> PublicKey | None:
        self.asked.append((key_id, fresh))
        return self.fresh if fresh else self.stored
