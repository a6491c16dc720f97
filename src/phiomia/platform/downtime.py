"""The file in which an upgrade says that nobody is answered, why, and until when. Standard library only."""

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

FILE = "notice.json"
SOON_S = 10
# An upgrade that takes longer than it was announced still goes on.
OVERTIME_S = 3600.0


class Notice(NamedTuple):
    """What is told."""

    text: str
    retry_after_s: int


def read_notice(path: Path) -> Notice | None:
    """What an upgrade says, while it is under way."""
    try:
        told = json.loads(path.read_text("utf-8"))
        until, text = float(told["until"]), str(told["text"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # there is none, or it is just being written
    left = until - time.time()
    return Notice(text, max(SOON_S, int(left) + 1)) if left > -OVERTIME_S else None


def write_notice(path: Path, text: str, until: float) -> None:
    """Lets people be told so until then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"text": text, "until": until}), "utf-8")
    os.replace(temporary, path)


def remove_notice(path: Path) -> None:
    """Says no more."""
    path.unlink(missing_ok=True)
