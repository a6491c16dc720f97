"""A small release for the tests: `python -m toy_release ROLE`, driven by the supervisor like a real one.

The test writes the mark into the release's environment, so that every release answers with its own name.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from phiomia.platform.bus import open_bus
from phiomia.platform.listen import inherited_sockets
from phiomia.platform.notify import offer_service, tell_ready

MARK = (Path(sys.prefix) / "mark").read_text().strip() if (Path(sys.prefix) / "mark").exists() else "plain"
RUNS = f"{MARK}/{sys.version_info[0]}.{sys.version_info[1]}"
# A package of which each release has a version of its own. What would ask for it takes longer to load than all else.
for _told in Path(sys.prefix).glob("lib/python*/site-packages/toy_dependency-*.dist-info"):
    RUNS += f"/toy-dependency-{_told.stem.partition('-')[2]}"


ASKED = 0


async def app(scope, receive, send):
    global ASKED
    ASKED += 1
    if MARK == "dies-at-work" and ASKED > 20:
        os._exit(7)
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    if scope["path"] == "/slow":
        await asyncio.sleep(float(os.environ.get("TOY_SLOW", "0.3")))
    body = f"{MARK} {os.getpid()} {scope['method']} {size}".encode()
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(body)).encode()),
        (b"x-runs", RUNS.encode()),
    ]
    status = 500 if MARK == "answers-wrongly" and ASKED % 5 == 0 else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def web():
    from phiomia.platform.drain import serve_web

    async def probe():
        if MARK == "probe-fails":
            raise RuntimeError("the probe failed")

    if MARK == "crashes-soon":
        asyncio.get_running_loop().call_later(0.3, os._exit, 9)
    if MARK == "never-ready":
        await asyncio.sleep(60)
    await serve_web(app, inherited_sockets(), offer_service, probe=probe)


async def echo():
    """Answers each message on `question` with its mark on `answer`."""
    bus = open_bus("unix:" + os.environ["PHIOMIA_BUS_SOCKET"])
    bus.subscribe("question", lambda payload: bus.publish("answer", payload + b" " + str(os.getpid()).encode()))
    await bus.start()
    tell_ready()
    await asyncio.sleep(3600)


def be_template():
    import uvloop  # noqa: F401

    import phiomia.platform.drain  # noqa: F401
    from phiomia.platform.template import wait_to_be_copied

    if (Path(sys.prefix) / "slow").exists():
        time.sleep(30)
    sys.argv[1:] = [wait_to_be_copied()]


def main():
    if MARK == "import-error":
        import no_such_module  # noqa: F401
    if sys.argv[1] == "template":
        be_template()
    if sys.argv[1] == "describe":
        print(Path(sys.argv[2]).read_text())
    elif sys.argv[1] == "web":
        import uvloop

        uvloop.run(web())
    else:
        asyncio.run(echo())


if __name__ == "__main__":
    main()
