"""WebFinger (RFC 7033) and host-meta: from a handle to an actor and back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import msgspec

from phiomia.activitypub.types import ACTIVITY, is_activity

SELF = "self"
PROFILE_PAGE = "http://webfinger.net/rel/profile-page"
AVATAR = "http://webfinger.net/rel/avatar"
SUBSCRIBE = "http://ostatus.org/schema/1.0/subscribe"

_USER = re.compile(r"[^\s@/:?#\x00-\x1f]{1,2048}")
_HOST = re.compile(r"(?:[\w-]+(?:\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?")
_LINKS = 64
_XRD = "{http://docs.oasis-open.org/ns/xri/xrd-1.0}"


class ResourceInvalid(ValueError):
    """The query names nothing that could be an account."""


class AnswerInvalid(ValueError):
    """The answer of another server is of no use."""


@dataclass(frozen=True, slots=True)
class Handle:
    """An account by name. The domain is in lower case and ASCII; letters of the user are kept."""

    user: str
    domain: str

    def __str__(self) -> str:
        return f"{self.user}@{self.domain}"

    @property
    def acct(self) -> str:
        """The handle as a URI."""
        return f"acct:{self}"

    def names_same(self, other: "Handle") -> bool:
        """Whether both name one account: case does not matter."""
        return (self.user.lower(), self.domain) == (other.user.lower(), other.domain)


@dataclass(frozen=True, slots=True)
class Link:
    """One link of an answer."""

    rel: str
    type: str = ""
    href: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says of an account. `aliases` prove nothing."""

    subject: Handle
    aliases: tuple[str, ...]
    links: tuple[Link, ...]

    @property
    def actors(self) -> tuple[str, ...]:
        """The ids of the actors by that name; usually one, but a person and a group may share a name."""
        return tuple(link.href for link in self.links if link.rel == SELF and link.href and is_activity(link.type))

    @property
    def actor(self) -> str | None:
        """The id of the first actor."""
        return next(iter(self.actors), None)

    @property
    def subscribe_template(self) -> str | None:
        """Where somebody of that server confirms a follow; has `{uri}` in it."""
        found = (link.template for link in self.links if link.rel == SUBSCRIBE)
        return next((template for template in found if "{uri}" in template), None)


def read_resource(text: str) -> Handle | str:
    """What a query asks for: a handle (with or without `acct:` or a leading @) or a URL. Raises ResourceInvalid."""
    text = text.strip()
    if text.lower().startswith(("https://", "http://")):
        try:
            host = urlsplit(text).hostname
        except ValueError as error:
            raise ResourceInvalid("not a URL") from error
        if not host:
            raise ResourceInvalid("not a URL")
        return text
    return read_handle(text)


def read_handle(text: str) -> Handle:
    """A handle such as user@example.com, @user@example.com, acct:user@example.com; raises ResourceInvalid."""
    text = text.strip()
    if text[:5].lower() == "acct:":
        text = text[5:]
    user, mark, domain = text.removeprefix("@").partition("@")
    if not mark or not _USER.fullmatch(user):
        raise ResourceInvalid("not a handle")
    return Handle(user, _domain(domain))


def build(
    handle: Handle,
    actor: str,
    *,
    profile: str | None = None,
    subscribe: str | None = None,
    avatar: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """The answer for an account of ours. `subscribe` is a template with {uri}; `avatar` is a type and a URL."""
    links: list[dict[str, str]] = []
    if profile:
        links.append({"rel": PROFILE_PAGE, "type": "text/html", "href": profile})
    links.append({"rel": SELF, "type": ACTIVITY, "href": actor})
    if subscribe:
        links.append({"rel": SUBSCRIBE, "template": subscribe})
    if avatar:
        links.append({"rel": AVATAR, "type": avatar[0], "href": avatar[1]})
    aliases = [alias for alias in (profile, actor) if alias]
    return {"subject": handle.acct, "aliases": list(dict.fromkeys(aliases)), "links": links}


def read_answer(body: bytes) -> Answer:
    """The answer of another server; raises AnswerInvalid."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise AnswerInvalid(f"not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("subject"), str):
        raise AnswerInvalid("no subject")
    try:
        subject = read_handle(document["subject"])
    except ResourceInvalid as error:
        raise AnswerInvalid("the subject is no handle") from error
    aliases, links = document.get("aliases"), document.get("links")
    return Answer(
        subject,
        tuple(alias for alias in aliases if isinstance(alias, str))[:_LINKS] if isinstance(aliases, list) else (),
        tuple(_link(link) for link in links[:_LINKS] if isinstance(link, dict)) if isinstance(links, list) else (),
    )


def query_url(resource: Handle | str, host: str | None = None) -> str:
    """Where to ask for an account: at its own domain, or at `host`."""
    where = host or (resource.domain if isinstance(resource, Handle) else urlsplit(resource).netloc)
    return f"https://{where}/.well-known/webfinger?resource={_escaped(resource)}"


def host_meta_url(domain: str) -> str:
    """Where to ask for the template of WebFinger, when its usual place says 404."""
    return f"https://{domain}/.well-known/host-meta"


def read_host_meta(body: bytes) -> str:
    """The template, with {uri} in it, of a host-meta document; raises AnswerInvalid."""
    if b"<!" in body.replace(b"<!--", b""):
        # Declarations define entities, which can unfold to any size. UTF-16, which could hide them, is refused below.
        raise AnswerInvalid("a document with declarations")
    try:
        root = ElementTree.fromstring(body.decode())  # noqa: S314 - declarations were refused above
    except (ElementTree.ParseError, ValueError) as error:
        raise AnswerInvalid(f"not XML: {error}") from error
    for link in root.iter(f"{_XRD}Link"):
        template = link.get("template", "")
        if link.get("rel") == "lrdd" and "{uri}" in template:
            return template
    raise AnswerInvalid("no template")


def fill(template: str, resource: Handle | str) -> str:
    """A template with its {uri} filled in."""
    return template.replace("{uri}", _escaped(resource))


def _escaped(resource: Handle | str) -> str:
    return quote(resource.acct if isinstance(resource, Handle) else resource, safe="")


def _domain(text: str) -> str:
    text = text.strip().rstrip(".").lower()
    if not text.isascii():
        try:
            text = text.encode("idna").decode()
        except UnicodeError as error:
            raise ResourceInvalid("not a domain") from error
    if len(text) > 255 or not _HOST.fullmatch(text):
        raise ResourceInvalid("not a domain")
    return text


def _link(link: Mapping[str, Any]) -> Link:
    texts = {name: link.get(name) for name in ("rel", "type", "href", "template")}
    rel, kind, href, template = (value if isinstance(value, str) else "" for value in texts.values())
    return Link(rel, kind, href, template)
