"""Pages of a list: max_id, since_id, min_id and limit in, a Link header out."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from phiomia.api.endpoint import Call
from phiomia.api.params import Id
from phiomia.platform import limits
from phiomia.platform.paging import Page

_NOT_KEPT: Final = frozenset({"max_id", "since_id", "min_id", "access_token", "bearer_token"})
_PLAIN: Final = re.compile(r"[\w/.~&=-]*", re.ASCII)
_NUMBERED: Final = frozenset({"limit", "offset", "access_token", "bearer_token"})


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

    def page_or_all(self, sizes: tuple[int, int]) -> Page:
        """The same where `limit=0` asks for everything, of which only very much comes in parts."""
        page = self.page(sizes)
        return page if page.limit else page._replace(limit=limits.PAGE_OF_ALL)


def link(call: Call, first: int | None, last: int | None, *, full: bool = True) -> None:
    """Sets `Link`: next before `last`, prev after `first`. `full`: the page was full, so there may be more."""
    if first is None or last is None:
        return
    base = _base(call.api.base_url, call.req.path, call.req.query_string)
    previous = f'<{base}min_id={first}>; rel="prev"'
    call.header("Link", f'<{base}max_id={last}>; rel="next", {previous}' if full else previous)


@lru_cache(maxsize=512)
def _base(server: str, path: str, query: str) -> str:
    # First pages are what is asked for most, and their addresses are few.
    return f"{server}{path if _PLAIN.fullmatch(path) else quote(path)}?{_kept(query)}"


def _kept(query: str) -> str:
    """The other parameters, ready to be followed by the cursor."""
    if _PLAIN.fullmatch(query):  # nothing to decode, and nothing that could end the address
        return "".join([f"{part}&" for part in query.split("&") if part and part.partition("=")[0] not in _NOT_KEPT])
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in _NOT_KEPT]
    return f"{urlencode(pairs)}&" if pairs else ""


def link_offsets(call: Call, limit: int, offset: int, *, full: bool) -> None:
    """Sets `Link` of a list that is paged by numbers: the following part if this one was full, and the one before."""
    kept = [part for part in call.req.query_string.split("&") if part and part.partition("=")[0] not in _NUMBERED]
    base = f"{call.api.base_url}{quote(call.req.path)}?{'&'.join(kept)}{'&' if kept else ''}limit={limit}"
    links = [f'<{base}&offset={offset + limit}>; rel="next"'] if full else []
    if offset:
        links.append(f'<{base}&offset={max(offset - limit, 0)}>; rel="prev"')
    if links:
        call.header("Link", ", ".join(links))
