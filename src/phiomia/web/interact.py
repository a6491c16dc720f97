"""Following, boosting or favouring what somebody found on another server: show it, and ask."""

import re
from typing import Final, NamedTuple
from urllib.parse import urlencode

from phiomia.domain.accounts.queries import find_by_handle, load_account
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.errors import NotFound
from phiomia.domain.relationships.follow import follow
from phiomia.domain.search.queries import find_by_address
from phiomia.domain.statuses.boost import boost
from phiomia.domain.statuses.favourite import favourite
from phiomia.domain.statuses.queries import load_row
from phiomia.web.shown import read_id, read_person, read_posts, words_for
from phiomia.web.sign_in import require_sign_in
from phiomia.web.visit import Refusal, Visit

PATH: Final = "/authorize_interaction"
_HANDLE: Final = re.compile(r"(?:acct:|web\+ap:acct:)?@?([^@\s/:]+)@([^@\s/]+)", re.IGNORECASE)
_DONE: Final = {
    "follow": "You follow them, or have asked to.",
    "boost": "You have boosted it.",
    "favourite": "You like it.",
}


class _Found(NamedTuple):
    kind: str
    id: int


async def ask(visit: Visit) -> None:
    """What is at the address, with what one can do about it."""
    uri = (visit.query.get("uri") or visit.query.get("acct") or "").strip()
    if visit.session is None:
        require_sign_in(visit, f"{PATH}?{urlencode({'uri': uri})}")
        return
    found = await _find(visit, uri) if uri else None
    if found is None:
        raise Refusal(404, "Nothing was found at that address, or its server does not answer.")
    fragments, viewer = visit.context.fragments, visit.member.account_id
    async with visit.context.db.read() as session:
        if found.kind == "account":
            view = await load_account(session, found.id)
            if view.state == AccountState.SUSPENDED:
                raise NotFound
            person, posts = await read_person(fragments, session, view), []
        else:
            rows = [await load_row(session, found.id, viewer)]
            person, posts = None, await read_posts(fragments, session, rows, viewer)
    visit.show("interact", person=person, posts=posts, target=found, **words_for(visit))


async def act(visit: Visit) -> None:
    """Does what was confirmed."""
    target, action = read_id(visit.form.get("id", "")), visit.form.get("verb", "")
    if visit.session is None or target is None or action not in _DONE:
        raise Refusal(422, "This form is not complete. Open the address again.")
    actor = visit.member.account_id
    context = visit.context
    if context.config.rate_limits.enabled and action != "favourite":
        kind = "follows" if action == "follow" else "statuses"
        rule = context.config.rate_limits.follows if action == "follow" else context.config.rate_limits.statuses
        if context.rates.count(kind, actor, *rule).exceeded:
            raise Refusal(429, "You have done this very often of late. Try again later.")
    if action == "follow":
        await context.db.write(lambda session: follow(session, actor, target))
    elif action == "boost":
        await context.db.write(lambda session: boost(session, actor, target))
    else:
        await context.db.write(lambda session: favourite(session, actor, target))
    visit.show("message", title="Done", text=_DONE[action], link=("/", "Home"))


async def _find(visit: Visit, uri: str) -> _Found | None:
    context, viewer = visit.context, visit.member.account_id
    rules = context.config.rate_limits
    if rules.enabled and context.rates.count("lookups", viewer, *rules.paging).exceeded:
        raise Refusal(429, "You have looked for very much of late. Try again later.")
    handle = _HANDLE.fullmatch(uri)
    if handle is not None:
        return await _find_account(visit, handle[1], handle[2].lower())
    if not uri.startswith(("https://", "http://")):
        return None
    async with context.db.read() as session:
        known = await find_by_address(session, viewer, uri, context.config.base_url)
    if known is None and not uri.startswith(f"{context.config.base_url}/"):
        known = await context.lookup.address(uri)
    return None if known is None else _Found(*known)


async def _find_account(visit: Visit, name: str, domain: str) -> _Found | None:
    context = visit.context
    here = domain in (context.config.domain, context.config.web_domain)
    async with context.db.read() as session:
        view = await find_by_handle(session, name, "" if here else domain)
    if view is not None:
        return _Found("account", view.id)
    found = None if here else await context.lookup.account(f"{name}@{domain}")
    return None if found is None else _Found("account", found)
