"""A member's plain text: what it mentions, tags and links, and the HTML it becomes.

`scan` finds the parts once; `render` and `count_characters` work from what it found.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from phiomia.domain.tags.normalise import MARKS, NAME_RUN, SEPARATORS, has_letter
from phiomia.platform.html import escape, is_linkable
from phiomia.platform.limits import CHARACTERS_PER_URL

LINK_REL: Final = "nofollow noopener"
FIELD_REL: Final = "me nofollow noopener noreferrer"
DISPLAYED_CHARACTERS: Final = 30
MAX_URL: Final = 4_096


class Mention(NamedTuple):
    """Somebody's name in a text; both parts in lower case, `domain` is None without an @host."""

    username: str
    domain: str | None
    start: int
    end: int

    @property
    def key(self) -> tuple[str, str | None]:
        """The key under which `render` looks for the target."""
        return self.username, self.domain


class Hashtag(NamedTuple):
    """A hashtag in a text; `name` as it was written, without the sign."""

    name: str
    start: int
    end: int


class Link(NamedTuple):
    """An address in a text."""

    url: str
    start: int
    end: int


class Scan(NamedTuple):
    """What was found in a text, in its order; the parts never overlap."""

    entities: tuple[Mention | Hashtag | Link, ...]

    @property
    def mentions(self) -> list[Mention]:
        """The mentions, each as often as it occurs."""
        return [entity for entity in self.entities if type(entity) is Mention]

    @property
    def hashtags(self) -> list[Hashtag]:
        """The hashtags, each as often as it occurs."""
        return [entity for entity in self.entities if type(entity) is Hashtag]

    @property
    def urls(self) -> list[Link]:
        """The links, each as often as it occurs."""
        return [entity for entity in self.entities if type(entity) is Link]


class MentionTarget(NamedTuple):
    """The account a mention leads to."""

    url: str
    username: str
    acct: str


Targets = Mapping[tuple[str, str | None], MentionTarget]

# All parts hang on a sign, so that the engine can jump from sign to sign; what stands before it is looked up after.
_MENTION: Final = (
    r"(?<=@)(?<![\w/=]@)(?P<user>[A-Za-z0-9_]++(?:[.-]++[A-Za-z0-9_]++)*+)"
    r"(?:@(?P<host>(?:localhost|[0-9]{1,3}+(?:\.[0-9]{1,3}+){3}):[0-9]{2,5}+|\w++(?:[.-]++\w++)*+))?+(?!@|://)"
)
_HASHTAG: Final = rf"(?<=[#＃])(?<![\w/=)][#＃])(?P<tag>{NAME_RUN})"
_URL: Final = r"(?<=[A-Za-z]:)(?P<url>//)[^\s/]"
_OTHER_URL: Final = (
    r"(?P<other>(?:(?<=[mM][aA][gG][nN][eE][tT]:)\?xt=|(?<=[xX][mM][pP][pP]:)[^\s@<>\"']{1,255}+@)[^\s<>\"']{1,2000}+)"
)
_PART: Final = re.compile(f"[@#＃:](?:{_MENTION}|{_HASHTAG}|{_URL}|{_OTHER_URL})")
_BEFORE_URL: Final = "(?<![A-Za-z0-9@＠$#＃])"
_SCHEME: Final = re.compile(
    rf"{_BEFORE_URL}(?:https?|dat|dweb|ipfs|ipns|ssb|gopher|gemini|xmpp|magnet)\Z", re.IGNORECASE
)
_LONGEST_SCHEME: Final = len("gopher")
_ORDINARY_URL: Final = re.compile(r"https?://(?!xn--)(?:[a-z0-9-]+\.(?!xn--))+[a-z]{2,63}(?:[/?#:]|\Z)", re.IGNORECASE)
_WEB_HOST: Final = re.compile(r"https?://[^/?#\s]*\.", re.IGNORECASE)
_URL_PREFIX: Final = re.compile(r"(?:https?://(?:www\.)?|xmpp:)?", re.IGNORECASE)
_PARAGRAPH: Final = re.compile(r"\n{2,}")
_SHORTCODE: Final = re.compile(r"(?<![^\W_])(?<!:):([A-Za-z0-9_]{2,128}+):(?![^\W_]|:)")
_NOT_ONE_BY_ONE: Final = re.compile(
    f"[\r\u1100-\u11ff\u20d0-\u20f0\ufe00-\ufe0f\ufe20-\ufe2f\u200d{MARKS}\U0001f1e6-\U000e007f]"
)
_JOINING: Final = f"{MARKS}\u20d0-\u20f0\ufe00-\ufe0f\ufe20-\ufe2f\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
_CLUSTER: Final = re.compile(
    rf"\r\n|[\U0001f1e6-\U0001f1ff]{{2}}[{_JOINING}]*+"
    rf"|[\u1100-\u115f]*+(?:[\u1160-\u11a7\uac00-\ud7a3][\u1160-\u11ff]*+)[{_JOINING}]*+"
    rf"|[^\0-\x1f](?:[{_JOINING}]|(?<=\u200d)[\u2190-\u2bff\U0001f000-\U0001faff])*+|.",
    re.DOTALL,
)


def scan(text: str) -> Scan:
    """Find the mentions, hashtags and links of a text, in time linear in its length."""
    found: list[Mention | Hashtag | Link] = []
    at = 0
    match = _PART.search(text)
    while match:
        entity = _READERS[match.lastgroup or ""](text, match, at)
        if entity:
            found.append(entity)
            at = entity.end
        match = _PART.search(text, entity.end if entity else match.end())
    return Scan(tuple(found))


def render(text: str, found: Scan, mentions: Targets, tag_url: Callable[[str], str]) -> str:
    """Give a text as HTML paragraphs; mentions without a target stay text. `found` is what `scan` gave for the text."""
    return _paragraphs(_inline(text, found, _Rendering(mentions, tag_url, LINK_REL, _ambiguous(found, mentions))))


def render_note(text: str, mentions: Targets, tag_url: Callable[[str], str]) -> str:
    """Give a profile's note as HTML, as `render` does."""
    return render(text, scan(text), mentions, tag_url)


def render_field(value: str, mentions: Targets | None = None, tag_url: Callable[[str], str] | None = None) -> str:
    """Give the value of a profile's field as one line of HTML, whose links claim to be the member's own."""
    line = " ".join(value.split())
    targets = mentions or {}
    everyone = frozenset(target.username for target in targets.values())
    return _inline(line, scan(line), _Rendering(targets, tag_url, FIELD_REL, everyone))


def count_characters(text: str, spoiler: str = "", found: Scan | None = None) -> int:
    """Count a post as its limit does: a link as 23, a mention without its host, all else as it is seen.

    What is seen as one is a grapheme cluster, here approximated: a character with the marks, selectors, skin tones
    and joiners after it, a flag, a Hangul syllable and CR LF. Conjuncts of Indic scripts count by their letters.
    """
    found = found if found is not None else scan(text)
    counted = 0
    pieces = [spoiler]
    at = 0
    for entity in found.entities:
        if type(entity) is Link:
            pieces.append(text[at : entity.start])
            counted += CHARACTERS_PER_URL
        elif type(entity) is Mention and entity.domain:
            pieces.append(text[at : entity.start + 1 + len(entity.username)])
        else:
            continue
        at = entity.end
    pieces.append(text[at:])
    return counted + _count_clusters("".join(pieces))


def find_shortcodes(text: str) -> list[str]:
    """List the shortcodes of custom emoji in a text, each once, in their order."""
    return list(dict.fromkeys(_SHORTCODE.findall(text))) if ":" in text else []


class _Rendering(NamedTuple):
    mentions: Targets
    tag_url: Callable[[str], str] | None
    rel: str
    shown_with_domain: frozenset[str]


def _read_mention(_text: str, match: re.Match[str], _at: int) -> Mention:
    host = match["host"]
    return Mention(match["user"].lower(), host.lower() if host else None, match.start(), match.end())


def _read_hashtag(text: str, match: re.Match[str], _at: int) -> Hashtag | None:
    name = match["tag"].rstrip(SEPARATORS)
    start = match.start()
    end = start + 1 + len(name)
    if text.startswith(("#", "＃", "://"), end) or not has_letter(name):
        return None
    return Hashtag(name, start, end)


def _read_url(text: str, match: re.Match[str], at: int) -> Link | None:
    start = _find_scheme(text, match.start(), at)
    if start is None:
        return None
    # The library knows one shape of address for every scheme, and looks no further than the part it is given.
    window = text[start : start + MAX_URL]
    if not _has_host(window):
        return None
    after_scheme = match.start() + 1 - start
    length: int = _linkify().test_schema_at(window, "http:", after_scheme)
    url = window[: after_scheme + length]
    return Link(url, start, start + len(url)) if length and _is_followable(url) else None


def _read_other_url(text: str, match: re.Match[str], at: int) -> Link | None:
    start = _find_scheme(text, match.start(), at)
    if start is None:
        return None
    url = text[start : match.end()].rstrip(".,;:!?)")
    return Link(url, start, start + len(url)) if is_linkable(url) else None


def _find_scheme(text: str, colon: int, at: int) -> int | None:
    """Where the scheme before a colon begins, unless the part that ends at `at` has taken it."""
    scheme = _SCHEME.search(text, max(at, colon - _LONGEST_SCHEME), colon)
    return scheme.start() if scheme else None


_READERS: Final[dict[str, Callable[[str, re.Match[str], int], Mention | Hashtag | Link | None]]] = {
    "user": _read_mention,
    "host": _read_mention,
    "tag": _read_hashtag,
    "url": _read_url,
    "other": _read_other_url,
}


@cache
def _linkify() -> Any:
    # Imported at the first link: its tables cost memory that a process without posts need not pay.
    from linkify_it.main import LinkifyIt

    return LinkifyIt(  # type: ignore[no-untyped-call]
        options={"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False}
    )


def _has_host(url: str) -> bool:
    return url[:4].lower() != "http" or _WEB_HOST.match(url) is not None


def _is_followable(url: str) -> bool:
    return bool(_ORDINARY_URL.match(url)) or (_has_host(url) and is_linkable(url))


def _ambiguous(found: Scan, mentions: Targets) -> frozenset[str]:
    """Usernames that several of the mentioned accounts share, so that only the address tells them apart."""
    if len(mentions) < 2:
        return frozenset()
    targets = {mentions[mention.key] for mention in found.mentions if mention.key in mentions}
    names = [target.username.lower() for target in targets]
    return frozenset(target.username for target in targets if names.count(target.username.lower()) > 1)


def _inline(text: str, found: Scan, rendering: _Rendering) -> str:
    parts: list[str] = []
    at = 0
    for entity in found.entities:
        html = _render_entity(entity, text, rendering)
        if html is None:
            continue
        parts.append(escape(text[at : entity.start]))
        parts.append(html)
        at = entity.end
    parts.append(escape(text[at:]))
    return "".join(parts)


def _render_entity(entity: Mention | Hashtag | Link, text: str, rendering: _Rendering) -> str | None:
    if type(entity) is Mention:
        target = rendering.mentions.get(entity.key)
        return _render_mention(target, rendering.shown_with_domain) if target else None
    if type(entity) is Hashtag:
        return _render_hashtag(entity, text[entity.start], rendering.tag_url) if rendering.tag_url else None
    return _render_link(entity[0], rendering.rel)


def _render_mention(target: MentionTarget, shown_with_domain: frozenset[str]) -> str:
    shown = target.acct if target.username in shown_with_domain else target.username
    return (
        f'<span class="h-card" translate="no"><a href="{escape(target.url)}" class="u-url mention">'
        f"@<span>{escape(shown)}</span></a></span>"
    )


def _render_hashtag(hashtag: Hashtag, sign: str, tag_url: Callable[[str], str]) -> str:
    url = escape(tag_url(hashtag.name))
    return f'<a href="{url}" class="mention hashtag" rel="tag">{sign}<span>{escape(hashtag.name)}</span></a>'


def _render_link(url: str, rel: str) -> str:
    prefix = _URL_PREFIX.match(url)
    start = prefix.end() if prefix else 0
    end = start + DISPLAYED_CHARACTERS
    # An ellipsis in the place of one character would save nothing.
    is_cut = len(url) > end + 1
    shown = (
        f'<span class="ellipsis">{escape(url[start:end])}</span>' if is_cut else f"<span>{escape(url[start:])}</span>"
    )
    return (
        f'<a href="{escape(url)}" target="_blank" rel="{rel}" translate="no">'
        f'<span class="invisible">{escape(url[:start])}</span>{shown}'
        f'<span class="invisible">{escape(url[end:]) if is_cut else ""}</span></a>'
    )


def _paragraphs(html: str) -> str:
    if "\r" in html:
        html = html.replace("\r\n", "\n").replace("\r", "\n")
    html = html.strip("\n")
    if "\n" in html:
        html = _PARAGRAPH.sub("</p><p>", html).replace("\n", "<br />")
    return f"<p>{html}</p>" if html else ""


def _count_clusters(text: str) -> int:
    if text.isascii():
        return len(text) - text.count("\r\n")
    if not _NOT_ONE_BY_ONE.search(text):
        return len(text)
    return _CLUSTER.subn("", text)[1]
