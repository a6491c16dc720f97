"""Finding accounts and hashtags by name, and authors by their handles; in one statement."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Integer, and_, cast, func, literal, or_, select, union

from phiomia.domain.accounts.models import accounts
from phiomia.domain.relationships.conditions import is_followed
from phiomia.domain.relationships.models import follows
from phiomia.domain.search.conditions import is_shown, matches
from phiomia.domain.search.models import account_search
from phiomia.domain.search.words import Match, split_words, write_match
from phiomia.domain.tags.queries import BY_PREFIX, TagView, prefix_range, sort_tags
from phiomia.platform.db import P, ReadSession, any_of, listed
from phiomia.platform.db.together import Together

_CANDIDATES = 500
_VIEWER = P("viewer")
Handle = tuple[str, str]


class Asked(NamedTuple):
    """What to look for; nothing is found where nothing is asked. `home` are the names of this server."""

    home: tuple[str, ...]
    account: str = ""
    tag: str = ""
    authors: Sequence[str] = ()  # handles
    limit: int = 20
    offset: int = 0
    following: bool = False


class Names(NamedTuple):
    """Accounts with their revisions: the one of that handle, then those the viewer follows, then others whose names
    begin so. Hashtags, the very one first. The ids of authors by handle."""

    accounts: dict[int, int]
    tags: list[TagView]
    authors: dict[str, int]


_by_words = (
    select(account_search.c.rowid)
    .where(matches(account_search.c.body, P("match", str)))
    .order_by(account_search.c.rowid.desc())
    .limit(literal(_CANDIDATES))
    .cte("by_words")
    .prefix_with("MATERIALIZED")
)
_namesake = accounts.alias("namesake")
# Where so many match that some may be missing, of those the viewer follows none should.
_followed_by_name = (
    select(follows.c.target_id)
    .join(_namesake, _namesake.c.id == follows.c.target_id)
    .where(
        select(func.count()).select_from(_by_words).scalar_subquery() == literal(_CANDIDATES),
        follows.c.account_id == _VIEWER,
        func.substr(_namesake.c.username_key, 1, cast(P("length"), Integer)) == P("name", str),
    )
    .limit(literal(_CANDIDATES))
)
_followed = is_followed(accounts.c.id, _VIEWER)
_of_handle = and_(accounts.c.username_key == P("username", str), accounts.c.domain == P("domain", str))
_may_be_shown = and_(is_shown(), or_(P("following", bool).is_(False), _followed))
_exact = select(accounts.c.id, accounts.c.rev).where(_of_handle, _may_be_shown)
_candidates = union(
    select(_by_words.c.rowid), select(_followed_by_name.subquery()), select(accounts.c.id).where(_of_handle)
).subquery()
_ranked = (
    select(accounts.c.id, accounts.c.rev)
    .where(accounts.c.id.in_(select(_candidates)), _may_be_shown)
    .order_by(
        _followed.desc(),
        (accounts.c.username_key == P("name", str)).desc(),
        accounts.c.followers_count.desc(),
        accounts.c.id,
    )
    .limit(P("limit"))
)
_by_handle = select(accounts.c.id, accounts.c.username_key, accounts.c.domain).where(
    any_of(accounts.c.username_key, listed("usernames", str)), any_of(accounts.c.domain, listed("domains", str))
)
# Nothing matches no words, and the index would not take that for a question.
_WITHOUT_WORDS = Together({"exact": _exact, "tags": BY_PREFIX, "authors": _by_handle})
_NAMES = Together({"exact": _exact, "ranked": _ranked, "tags": BY_PREFIX, "authors": _by_handle})


async def find_names(session: ReadSession, viewer: int, asked: Asked) -> Names:
    """Those whose names begin with what is asked for, and the authors."""
    handle = asked.account.strip().removeprefix("acct:").lstrip("@")
    if not handle and not asked.tag and not asked.authors:
        return Names({}, [], {})
    authors = {handle: _split(handle, asked.home) for handle in asked.authors}
    name, domain = _split(handle, asked.home)
    low, high = prefix_range(asked.tag)
    parameters = {
        # No name has a space in it.
        "username": "" if " " in handle else name,
        "domain": domain,
        "following": asked.following,
        "low": low,
        "high": high,
        "usernames": [username for username, _ in authors.values()],
        "domains": [server for _, server in authors.values()],
    }
    match = _match_words(session.dialect, handle)
    if match is None:
        found = await _WITHOUT_WORDS.ask(session, **parameters, viewer=viewer)
    else:
        more = {"match": match, "name": name, "length": len(name), "limit": asked.limit + asked.offset + 1}
        found = await _NAMES.ask(session, **parameters, **more, viewer=viewer)
    part = slice(asked.offset, asked.offset + asked.limit)
    known = {row[0]: row[1] for row in (*found["exact"], *found.get("ranked", ()))}
    ids = {(row[1], row[2]): row[0] for row in found["authors"]}
    return Names(
        dict(list(known.items())[part]),
        sort_tags([TagView(*row) for row in found["tags"]], asked.tag)[part],
        {handle: ids[parts] for handle, parts in authors.items() if parts in ids},
    )


def _split(handle: str, home: Sequence[str]) -> Handle:
    username, _, domain = handle.lower().partition("@")
    return username, "" if domain in home else domain


def _match_words(dialect: str, text: str) -> str | None:
    chunks = [words for chunk in text.split() if (words := tuple(split_words(chunk)))]
    return write_match(dialect, Match(all_of=tuple(chunks[:10]), prefix=True)) if chunks else None
