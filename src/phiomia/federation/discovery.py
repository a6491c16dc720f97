"""How others find us: WebFinger, host-meta, NodeInfo."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import quoteattr

from phiomia import __version__
from phiomia.activitypub.types import JRD, XRD
from phiomia.activitypub.webfinger import Handle, ResourceInvalid, build, read_resource
from phiomia.domain.accounts.documents import find_actor_head
from phiomia.domain.accounts.queries import load_account
from phiomia.domain.accounts.state import AccountState, StateOrigin
from phiomia.domain.accounts.statistics import count_all
from phiomia.domain.errors import NotFound
from phiomia.domain.moderation.activity import count_active
from phiomia.domain.statuses.tombstones import find_tombstone
from phiomia.federation.context import Federation
from phiomia.federation.documents import ids
from phiomia.federation.documents.pictures import guess_type
from phiomia.federation.documents.rendered import Rendered, encode
from phiomia.federation.responder import Ask, BadRequest, Gone
from phiomia.platform.clock import DAY, MINUTE, now_ms

NODEINFO: Final = "http://nodeinfo.diaspora.software/ns/schema/"
_APPLICATION: Final = "https://www.w3.org/ns/activitystreams#Application"
_INTERACT: Final = "https://w3id.org/fep/3b86/Object"
_JRD: Final = f"{JRD}; charset=utf-8"
_JSON: Final = "application/json; charset=utf-8"
_FOR_DAYS: Final = "public, max-age=259200"
_FOR_HALF_AN_HOUR: Final = "public, max-age=1800"
_KEEP: Final = 30 * MINUTE


async def give_webfinger(ask: Ask) -> None:
    """Which actor a name or an address stands for."""
    resource = ask.req.get_param("resource")
    if not resource:
        raise BadRequest("the parameter resource is missing")
    try:
        asked = read_resource(resource)
    except ResourceInvalid as error:
        raise BadRequest(f"the parameter resource is {error}") from error
    federation = ask.federation
    username = _name_of(federation, asked)
    if username == "":
        ask.answer(encode(_describe_server(federation)), _JRD, _FOR_DAYS)
        return
    ask.answer(await _describe_account(federation, username), _JRD, _FOR_DAYS)


async def give_host_meta(ask: Ask) -> None:
    """Where WebFinger is, as XML, or as JSON for those who want that."""
    template = f"{ask.federation.config.base_url}/.well-known/webfinger?resource={{uri}}"
    accept = (ask.req.get_header("Accept") or "").lower()
    if ask.req.path.endswith(".json") or ("json" in accept and "xml" not in accept):
        ask.answer(encode({"links": [{"rel": "lrdd", "template": template}]}), _JRD, _FOR_DAYS)
        return
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">\n'
        f'  <Link rel="lrdd" type="{JRD}" template={quoteattr(template)}/>\n</XRD>\n'
    )
    plain = encode(body)
    ask.answer(plain._replace(body=body.encode(), packed=None), f"{XRD}; charset=utf-8", _FOR_DAYS)


async def give_nodeinfo_links(ask: Ask) -> None:
    """Where the descriptions of this server are."""
    base = ask.federation.config.base_url
    links = [{"rel": f"{NODEINFO}{version}", "href": f"{base}/nodeinfo/{version}"} for version in ("2.0", "2.1")]
    links.append({"rel": _APPLICATION, "href": ids.instance_actor(ask.federation.links)})
    ask.answer(encode({"links": links}), _JSON, _FOR_DAYS)


def give_nodeinfo(version: str) -> Callable[[Ask], Any]:
    """The description of this server in a version of NodeInfo."""

    async def give(ask: Ask) -> None:
        answers, key, now = ask.federation.shelves.answers, f"nodeinfo/{version}", now_ms()
        kept = answers.get(key)
        if kept is None or kept.until <= now:
            kept = encode(await _describe(ask.federation, version, now), until=now + _KEEP)
            answers[key] = kept
        profile = f'application/json; profile="{NODEINFO}{version}#"; charset=utf-8'
        ask.answer(kept, profile, _FOR_HALF_AN_HOUR)

    return give


def _name_of(federation: Federation, asked: Handle | str) -> str:
    """The user name that is asked for, empty for the server itself. Raises NotFound for what can't be ours."""
    config = federation.config
    own = {config.domain.lower(), config.web_domain.lower()}
    if isinstance(asked, Handle):
        if asked.domain not in own:
            raise NotFound
        return "" if asked.user.lower() in own else asked.user
    parts = urlsplit(asked)
    if parts.netloc.lower() not in own:
        raise NotFound
    path = unquote(parts.path).rstrip("/")
    if path in ("/actor", ""):
        return ""
    for prefix in ("/users/", "/@"):
        name = path.removeprefix(prefix)
        if name != path and "/" not in name:
            return name
    raise NotFound


def _describe_server(federation: Federation) -> dict[str, Any]:
    links = federation.links
    return build(Handle(links.domain, links.domain), ids.instance_actor(links), profile=f"{links.base}/about")


async def _describe_account(federation: Federation, username: str) -> Rendered:
    links = federation.links
    async with federation.db.read() as session:
        head = await find_actor_head(session, username)
        if head is None:
            if await find_tombstone(session, ids.actor_named(links, username)) is not None:
                raise Gone
            raise NotFound
        if head.state_origin == StateOrigin.LEFT:
            raise Gone
        kept = federation.shelves.handles.find(head.id, head.rev, 0)
        if kept is not None:
            return kept
        account = await load_account(session, head.id)
    picture = account.avatar if account.state != AccountState.SUSPENDED else ""
    answer = build(
        Handle(account.username, links.domain),
        links.actor(account),
        profile=links.account(account),
        subscribe=f"{links.base}/authorize_interaction?uri={{uri}}",
        avatar=(guess_type(picture, "image/jpeg"), links.media(picture)) if picture else None,
    )
    answer["links"].append({"rel": _INTERACT, "template": f"{links.base}/authorize_interaction?uri={{object}}"})
    return federation.shelves.handles.put(head.id, encode(answer, account.rev))


async def _describe(federation: Federation, version: str, now: int) -> dict[str, Any]:
    config = federation.config

    async with federation.db.read() as session:
        numbers = await count_all(session, await count_active(session, now - 30 * DAY))
        half_year = await count_active(session, now - 180 * DAY)
    software: dict[str, str] = {"name": "phiomia", "version": __version__}
    if version == "2.1":
        source = config.instance.source_url
        software |= {"homepage": f"{config.base_url}/about"} | ({"repository": source} if source else {})
    return {
        "version": version,
        "software": software,
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []},
        "usage": {
            "users": {"total": numbers.users, "activeMonth": numbers.active_month, "activeHalfyear": half_year},
            "localPosts": numbers.statuses,
        },
        "openRegistrations": config.registrations.mode == "open",
        "metadata": {"nodeName": config.instance.title, "nodeDescription": config.instance.description},
    }
