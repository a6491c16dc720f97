"""What a page says of itself: Open Graph, JSON-LD, and where its oEmbed document is. The page may be hostile."""

import html
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from phiomia.domain.statuses.card_views import CardKind
from phiomia.platform.clock import parse_iso
from phiomia.platform.html import sanitise_embed, to_plain_text
from phiomia.platform.languages import clean_language

_MOST: Final = 512 * 1024
# Bounded everywhere and never tried in another way, so that no page makes this take long.
_TRIES: Final = 2_000
_START: Final = re.compile(r"<(meta|link|html)\b", re.IGNORECASE)
_INSIDE: Final = re.compile(r"""((?:[^<>"']{1,1500}+|"[^"]{0,1500}+"|'[^']{0,1500}+'){0,24}+)/?>""")
_ATTRIBUTE: Final = re.compile(r"""([a-zA-Z][\w:.-]{0,40})\s{0,8}=\s{0,8}(?:"([^"]*)"|'([^']*)'|([^\s"'>]{1,2048}))""")
_TITLE: Final = re.compile(r"<title\b[^<>]{0,256}>([^<]{0,2048})</title", re.IGNORECASE)
_SCRIPT: Final = re.compile(r"<script\b([^<>]{0,256}+)>", re.IGNORECASE)
_SCRIPT_END: Final = re.compile(r"</script", re.IGNORECASE)
_LD_MOST: Final = 64 * 1024
_CHARSET: Final = re.compile(rb"""charset=["']?([\w-]{2,40})""", re.IGNORECASE)
_ARTICLES: Final = frozenset({"Article", "NewsArticle", "BlogPosting", "ReportageNewsArticle", "Report", "WebPage"})
_EMBEDS: Final = {"photo": CardKind.PHOTO, "video": CardKind.VIDEO, "rich": CardKind.RICH}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to show of a link."""

    kind: int = int(CardKind.LINK)
    title: str = ""
    description: str = ""
    author_name: str = ""
    author_url: str = ""
    provider_name: str = ""
    provider_url: str = ""
    html: str = ""
    width: int = 0
    height: int = 0
    image_url: str = ""
    image_description: str = ""
    embed_url: str = ""
    language: str | None = None
    published_at: int | None = None


class Page(msgspec.Struct, frozen=True):
    """A page that was read: its preview, who says to have written it, and the address of its oEmbed document."""

    preview: Preview
    creator: str = ""  # user@domain
    oembed_url: str = ""


def read_page(body: bytes, content_type: str, url: str) -> Page:
    """What a page says of itself."""
    text = _decode(body, content_type)
    metas: dict[str, str] = {}
    links: list[dict[str, str]] = []
    language = ""
    for name, attributes in _tags(text):
        if name == "meta":
            key = (attributes.get("property") or attributes.get("name") or "").lower()
            metas.setdefault(key, attributes.get("content", ""))
        elif name == "link":
            links.append(attributes)
        else:
            language = language or attributes.get("lang", "")
    article = _read_article(text)
    title = _TITLE.search(text)
    preview = Preview(
        title=_short(_first(article, "headline") or metas.get("og:title") or metas.get("twitter:title") or _of(title)),
        description=_short(
            _first(article, "description")
            or metas.get("og:description")
            or metas.get("twitter:description")
            or metas.get("description", ""),
            1_000,
        ),
        author_name=_short(_named(article.get("author")) or metas.get("author", "")),
        author_url=_web(_linked(article.get("author")), url),
        provider_name=_short(_named(article.get("publisher")) or metas.get("og:site_name", "")),
        image_url=_web(metas.get("og:image") or metas.get("twitter:image") or _linked(article.get("image")), url),
        image_description=_short(metas.get("og:image:alt") or metas.get("twitter:image:alt", ""), 1_500),
        width=_number(metas.get("og:image:width")),
        height=_number(metas.get("og:image:height")),
        language=clean_language(_first(article, "inLanguage") or language or metas.get("og:locale", "")[:2]),
        published_at=_moment(_first(article, "datePublished") or metas.get("article:published_time", "")),
    )
    return Page(preview, metas.get("fediverse:creator", "").strip().removeprefix("@"), _find_oembed(links, url))


def read_oembed(body: bytes, preview: Preview, url: str) -> Preview:
    """The preview with what an oEmbed document adds: an author, a provider, a film to play."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return preview
    if not isinstance(document, dict):
        return preview
    kind = _EMBEDS.get(_first(document, "type"), CardKind.LINK)
    embed = _web(_first(document, "url"), url) if kind == CardKind.PHOTO else ""
    player = sanitise_embed(_first(document, "html", 20_000)) if kind == CardKind.VIDEO else ""
    if (kind == CardKind.VIDEO and not player) or (kind == CardKind.PHOTO and not embed) or kind == CardKind.RICH:
        kind = CardKind.LINK
    shows = kind != CardKind.LINK
    return msgspec.structs.replace(
        preview,
        kind=int(kind),
        title=_short(_first(document, "title")) or preview.title,
        author_name=_short(_first(document, "author_name")) or preview.author_name,
        author_url=_web(_first(document, "author_url"), url) or preview.author_url,
        provider_name=_short(_first(document, "provider_name")) or preview.provider_name,
        provider_url=_web(_first(document, "provider_url"), url) or preview.provider_url,
        html=player,
        embed_url=embed,
        width=_number(document.get("width")) if shows else preview.width,
        height=_number(document.get("height")) if shows else preview.height,
        image_url=embed or _web(_first(document, "thumbnail_url"), url) or preview.image_url,
    )


def _decode(body: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type.encode("ascii", "ignore")) or _CHARSET.search(body[:2_048])
    try:
        return body[:_MOST].decode(named[1].decode() if named else "utf-8", "replace")
    except (LookupError, UnicodeError, ValueError):
        return body[:_MOST].decode("utf-8", "replace")


def _tags(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    for start in islice(_START.finditer(text), _TRIES):
        inside = _INSIDE.match(text, start.end())
        if inside is not None:
            found = (
                (one[1].lower(), html.unescape(one[2] or one[3] or one[4] or ""))
                for one in _ATTRIBUTE.finditer(inside[1])
            )
            yield start[1].lower(), dict(found)


def _scripts(text: str) -> Iterator[str]:
    """What stands in scripts of JSON-LD."""
    described = (one for one in islice(_SCRIPT.finditer(text), _TRIES) if "application/ld+json" in one[1].lower())
    for start in islice(described, 8):
        end = _SCRIPT_END.search(text, start.end(), start.end() + _LD_MOST)
        if end is not None:
            yield text[start.end() : end.start()]


def _read_article(text: str) -> Mapping[str, Any]:
    """The first thing in JSON-LD that is an article."""
    for script in _scripts(text):
        try:
            document = msgspec.json.decode(script.strip())
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            continue
        for one in _listed(document):
            kinds = _listed(one.get("@type")) if isinstance(one, dict) else []
            if any(kind in _ARTICLES for kind in kinds if isinstance(kind, str)):
                return dict(one)
    return {}


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict) and isinstance(value.get("@graph"), list):
        return list(value["@graph"][:32])
    return list(value[:32]) if isinstance(value, list) else [value]


def _first(document: Mapping[str, Any], name: str, most: int = 2_000) -> str:
    value = document.get(name)
    return value[:most] if isinstance(value, str) else ""


def _named(value: Any) -> str:
    one = _listed(value)[0] if _listed(value) else None
    return _first(one, "name") if isinstance(one, dict) else one if isinstance(one, str) else ""


def _linked(value: Any) -> str:
    one = _listed(value)[0] if _listed(value) else None
    return _first(one, "url") if isinstance(one, dict) else one if isinstance(one, str) else ""


def _of(match: re.Match[str] | None) -> str:
    return html.unescape(match[1]) if match else ""


def _short(text: str, most: int = 500) -> str:
    plain = to_plain_text(text) if "<" in text else html.unescape(text)
    return " ".join(plain.replace("\0", "").encode("utf-8", "replace").decode().split())[:most]


def _web(address: str, base: str) -> str:
    try:
        url = urljoin(base, address.strip()) if address.strip() else ""
        return url if urlsplit(url).scheme in ("https", "http") and len(url) <= 2_000 and url.isprintable() else ""
    except ValueError:
        return ""


def _number(value: Any) -> int:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _moment(text: str) -> int | None:
    try:
        return parse_iso(text) if text else None
    except (ValueError, OverflowError):
        return None


def _find_oembed(links: list[dict[str, str]], url: str) -> str:
    for link in links:
        if "alternate" in link.get("rel", "").lower() and link.get("type", "").lower() == "application/json+oembed":
            return _web(link.get("href", ""), url)
    return ""
