"""Pages of a list: max_id, since_id, min_id and limit in, a Link header out."""

from urllib.parse import parse_qsl, urlencode

import msgspec

from phiomia.api.endpoint import Call
from phiomia.api.params import Id
from phiomia.platform.paging import Page


class Paging(msgspec.Struct, kw_only=True):
    """The cursor parameters; endpoints with further ones derive from this."""

    max_id: Id | None = None
    since_id: Id | None = None
    min_id: Id | None = None
    limit: int | None = None

    def page(self, sizes: tuple[int, int]) -> Page:
        """The page asked for; `sizes` is (usual, largest). Too many are lowered, a negative number turned."""
        usual, largest = sizes
        limit = usual if self.limit is None else min(abs(self.limit), largest)
        return Page(self.max_id, self.since_id, self.min_id, limit)


def link(call: Call, first: int | None, last: int | None, *, full: bool = True) -> None:
    """Sets `Link`: next before `last`, prev after `first`. `full`: the page was full, so there may be more."""
    if first is None or last is None:
        return
    kept = [(name, value) for name, value in _pairs(call) if name not in ("max_id", "since_id", "min_id")]
    base = f"{call.api.config.base_url}{call.req.path}"
    links = []
    if full:
        links.append(f'<{base}?{urlencode([*kept, ("max_id", last)])}>; rel="next"')
    links.append(f'<{base}?{urlencode([*kept, ("min_id", first)])}>; rel="prev"')
    call.header("Link", ", ".join(links))


def _pairs(call: Call) -> list[tuple[str, str]]:
    secret = ("access_token", "bearer_token")
    return [pair for pair in parse_qsl(call.req.query_string, keep_blank_values=True) if pair[0] not in secret]
