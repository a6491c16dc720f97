"""The child in the jail: one request as JSON on stdin, one answer as JSON on stdout, then the end.

It opens the source, locks itself up, and only then looks at a stranger's bytes.
"""

import json
import os
import sys
from typing import Any

from phiomia.platform.jail import confine


def main() -> None:
    """Answer the one request."""
    request = json.load(sys.stdin)
    confine.limit_resources(
        **{name: request["limits"][name] for name in ("cpu_seconds", "memory_bytes", "written_bytes")}
    )
    source = os.open(request["source"], os.O_RDONLY)
    # Imported before the doors close, because afterwards no library can be opened any more.
    from phiomia.platform.jail import picture

    for name in picture.NAMES:
        # Made now, since inside the jail existing files can be written, but none made: a bound for the disk.
        open(os.path.join(request["out_dir"], name), "xb").close()
    confine.confine(request["out_dir"])
    json.dump(answer(picture, source, request), sys.stdout)


def answer(picture: Any, source: int, request: dict[str, Any]) -> dict[str, Any]:
    """What `picture` made of the source, or why it refused."""
    try:
        return {"outcome": "done", **picture.make(source, request)}
    except picture.Refused as refusal:
        return {"outcome": "refused", "reason": refusal.reason, "message": str(refusal)[:1_000]}


if __name__ == "__main__":
    main()
