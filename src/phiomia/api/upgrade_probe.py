"""What an upgrade writes to find out whether people can write meanwhile. Not a part of Mastodon's API."""

from typing import Any

from msgspec import Struct

from phiomia.api.endpoint import Call, bearer_token, endpoint
from phiomia.api.errors import ApiError
from phiomia.domain.instance.probes import PROBE_ACCOUNT, PROBE_EVENT, Probe, count_write, find_probe_by_secret
from phiomia.platform.db import WriteSession
from phiomia.platform.events import append_stream


class Trial(Struct, frozen=True):
    """The number of a try, and whether a stream listens that shall hear of it."""

    n: int
    listening: bool = False


@endpoint("POST", "/api/phiomia/v1/upgrade_probe", access="public", returns="object")
async def upgrade_probe(call: Call, params: Trial) -> dict[str, Any]:
    """Writes for the upgrade that is under way, and lets its stream know; 404 for everybody else."""
    probe = await _find(call)

    async def write(session: WriteSession) -> None:
        await count_write(session, probe.id)
        if params.listening:
            event = {"account": PROBE_ACCOUNT, "probe": probe.id, "n": params.n}
            await append_stream(session, PROBE_EVENT, event)

    await call.api.db.write(write)
    return {"n": params.n}


async def _find(call: Call) -> Probe:
    async with call.api.db.read() as session:
        probe = await find_probe_by_secret(session, bearer_token(call.req) or "")
    if probe is None:
        raise ApiError(404, "Record not found")
    return probe
