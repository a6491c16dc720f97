"""Whether the checkout wishes for another release, and what became of the last wish. Standard library only."""

import json
import os
from pathlib import Path

from phiomia.upgrade.places import Places

_FILE = "selection.json"


def is_moved(places: Places) -> bool:
    """Whether the checkout was moved after `current` was, which makes it a wish."""
    head = _head(places.checkout)
    return head.exists() and head.stat().st_mtime_ns > places.current.lstat().st_mtime_ns


def read_refusal(places: Places) -> str:
    """Why the last start or reload did not take up what was checked out; empty when it did."""
    path = places.state / _FILE
    if not path.exists() or path.stat().st_mtime_ns < places.current.lstat().st_mtime_ns:
        # Whatever made another release the current one since has settled that.
        return ""
    return str(json.loads(path.read_text("utf-8")).get("reason", ""))


def note_selection(places: Places, version: str, reason: str) -> None:
    """Remembers which release was chosen, and why not the one that is checked out."""
    places.state.mkdir(parents=True, exist_ok=True)
    temporary = places.state / f"{_FILE}.{os.getpid()}"
    temporary.write_text(json.dumps({"release": version, "reason": reason}), "utf-8")
    os.replace(temporary, places.state / _FILE)


def _head(checkout: Path) -> Path:
    return checkout / ".git" / "HEAD"
