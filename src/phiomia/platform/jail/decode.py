"""The child in the jail: one request as JSON on stdin, one answer as JSON on stdout, then the end.

It opens the source, locks itself up, and only then looks at a stranger's bytes.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from phiomia.platform.jail import confine
from phiomia.platform.jail.refused import Refused
from phiomia.platform.jail.sniff import SNIFFED_BYTES, may_be_hevc, may_move, sniff_film, sniff_format

NAMES: Final = ("original", "thumbnail", "static")


def main() -> None:
    """Answer the one request."""
    request = json.load(sys.stdin)
    confine.limit_resources(
        **{name: request["limits"][name] for name in ("cpu_seconds", "memory_bytes", "written_bytes")}
    )
    source = os.open(request["source"], os.O_RDONLY)
    make = choose(os.pread(source, SNIFFED_BYTES, 0), request["kind"])
    for name in NAMES:
        # Made now, since inside the jail existing files can be written, but none made: a bound for the disk.
        open(os.path.join(request["out_dir"], name), "xb").close()
    confine.confine(request["out_dir"])
    json.dump(answer(make, source, request), sys.stdout)


def choose(head: bytes, kind: str) -> Callable[[int, dict[str, Any]], dict[str, Any]]:
    """What makes of a source the files asked for; imported before the doors close, since no library opens later."""
    from phiomia.platform.jail import picture

    if may_be_hevc(head):
        for name in ("film", "heic"):  # the former loads the whole of the video library
            importlib.import_module(f"phiomia.platform.jail.{name}")
    if kind in ("attachment", "remote"):
        format = sniff_film(head) if sniff_format(head) is None else None
        if format is not None:
            from phiomia.platform.jail import film

            return lambda source, request: film.make(source, format, request)
        if kind == "attachment" and may_move(head):
            importlib.import_module("phiomia.platform.jail.moving")
    return picture.make


def answer(
    make: Callable[[int, dict[str, Any]], dict[str, Any]], source: int, request: dict[str, Any]
) -> dict[str, Any]:
    """What was made of the source, or why it was refused."""
    try:
        return {"outcome": "done", **make(source, request)}
    except Refused as refusal:
        return {"outcome": "refused", "reason": refusal.reason, "message": str(refusal)[:1_000]}


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Everything is written; clearing away the libraries' objects one by one would cost a tenth of the whole work.
    os._exit(0)
