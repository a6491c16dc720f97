"""The one sanitiser: HTML of strangers becomes HTML that may be stored and shown, or plain text.

The decisions about markup are nh3's. Around it stand bounds, since a hostile document can make any HTML parser work
in the square of its length.
"""

import html as standard_html
import re
from typing import Final

import nh3

MAX_HTML: Final = 128 * 1024
MAX_TAGS: Final = 5_000

_ELEMENTS: Final = frozenset(
    "p br span a del s pre blockquote code b strong u i em ul ol li ruby rt rp".split()  # noqa: SIM905
)
_BLOCKS: Final = frozenset("p br li blockquote pre".split())  # noqa: SIM905
_SCHEMES: Final = frozenset(
    "http https dat dweb ipfs ipns ssb gopher xmpp magnet gemini".split()  # noqa: SIM905
)
_ATTRIBUTES: Final = {
    "*": {"lang"},
    "a": {"href", "class", "translate"},
    "span": {"class", "translate"},
    "p": {"class"},
    "ol": {"start", "reversed"},
    "li": {"value"},
}
_REL: Final = "nofollow noopener noreferrer"

_CLASS: Final = re.compile(r"(?:(?:h|p|u|dt|e)-.+|mention|hashtag|ellipsis|invisible|quote-inline)\Z")
_INTEGER: Final = re.compile(r"-?[0-9]{1,9}\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_HEADING_START: Final = re.compile(r"<h[1-6](?:[\s/][^<>]*)?>", re.IGNORECASE)
_HEADING_END: Final = re.compile(r"</h[1-6]\s*>", re.IGNORECASE)
_FORMATTING_ATTRIBUTES: Final = re.compile(
    r"(<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u))"
    r"[\s/](?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>?",
    re.IGNORECASE,
)
_NESTING: Final = re.compile(r"<(?!/?(?:p|br|a)[\s/>])[^<>]*>?", re.IGNORECASE)
_ANCHOR: Final = re.compile(r"<a(?: [^>]*)?>|</a>")
_SPACE: Final = re.compile(r"[ \t\r\n\f]+")
_BREAK: Final = re.compile(r" ?<br> ?")
_BLOCK_EDGE: Final = re.compile(r" ?</?(?:p|blockquote|pre)> ?")
_ITEM_EDGE: Final = re.compile(r" ?</?li> ?")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


def sanitise(html: str) -> str:
    """Give HTML with only the elements, attributes, classes and link schemes a post may have; never raises.

    What is longer than `MAX_HTML` is cut. Headings become bold paragraphs, links to other schemes become their text,
    and the remaining links open in a new window and vouch for nothing.
    """
    return _unwrap_dead_links(_clean(_SANITISER, html)) if html else ""


def to_plain_text(html: str) -> str:
    """Give the text of any HTML, with a blank line between paragraphs and a line for each `<br>` or list item."""
    if not html:
        return ""
    text = _SPACE.sub(" ", _clean(_OUTLINER, html))
    text = _BREAK.sub("\n", text)
    text = _ITEM_EDGE.sub("\n", text)
    text = _BLOCK_EDGE.sub("\n\n", text)
    return standard_html.unescape(_BLANK_LINES.sub("\n\n", text)).strip()


def sanitise_embed(html: str) -> str:
    """Give the frame, and nothing else, of the HTML with which a site lets its films be played elsewhere."""
    return _clean(_EMBEDDER, html) if "<iframe" in html else ""


def escape(text: str) -> str:
    """Give text as HTML that shows exactly that text, fit for an attribute as well.

    NUL and lone surrogates, which no database and no UTF-8 can hold, become U+FFFD.
    """
    if not text.isascii() or "\0" in text:
        text = _UNSTORABLE.sub("\ufffd", text)
    if "&" in text:
        text = text.replace("&", "&amp;")
    return text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&#39;")


def is_linkable(url: str) -> bool:
    """Tell whether a link to this address would survive `sanitise`."""
    return "href" in _LINK_TESTER.clean(f'<a href="{escape(url)}">')


def _clean(cleaner: nh3.Cleaner, html: str) -> str:
    bounded = _bound_work(html[:MAX_HTML])
    try:
        return cleaner.clean(bounded)
    except UnicodeEncodeError:
        return cleaner.clean(_SURROGATE.sub("\ufffd", bounded))


def _bound_work(html: str) -> str:
    if "<" not in html:
        return html
    html = _HEADING_END.sub("</strong></p>", _HEADING_START.sub("<p><strong>", html))
    # A parser re-opens every unclosed formatting element in each following block, and keeps them apart only where
    # their attributes differ. None of these attributes is kept, so without them the number stays small.
    html = _FORMATTING_ATTRIBUTES.sub(r"\1>", html)
    # Paragraphs, breaks and links do not nest; all else can be piled up, which costs the square of the depth.
    return _NESTING.sub(" ", html) if html.count("<") > MAX_TAGS else html


def _unwrap_dead_links(html: str) -> str:
    if html.count("<a") == html.count(' href="'):
        return html
    open_links: list[bool] = []

    def keep_live(match: re.Match[str]) -> str:
        tag = match[0]
        if tag != "</a>":
            open_links.append(' href="' in tag)
            return tag if open_links[-1] else ""
        return tag if open_links and open_links.pop() else ""

    return _ANCHOR.sub(keep_live, html)


def _filter_attribute(_element: str, attribute: str, value: str) -> str | None:
    match attribute:
        case "class":
            return " ".join(name for name in value.split() if _CLASS.match(name)) or None
        case "translate":
            return value if value == "no" else None
        case "start" | "value":
            return value if _INTEGER.match(value) else None
        case _:
            return value


_SANITISER: Final = nh3.Cleaner(
    tags=_ELEMENTS,
    attributes=_ATTRIBUTES,
    attribute_filter=_filter_attribute,
    link_rel=_REL,
    set_tag_attribute_values={"a": {"target": "_blank"}},
    url_schemes=_SCHEMES,
    url_relative="deny",
)
_OUTLINER: Final = nh3.Cleaner(tags=_BLOCKS, attributes={}, link_rel=None)
_EMBEDDER: Final = nh3.Cleaner(
    tags={"iframe"},
    attributes={"iframe": {"src", "width", "height", "allowfullscreen", "title"}},
    clean_content_tags={"script", "style"},
    link_rel=None,
    url_schemes={"https"},
    url_relative="deny",
    set_tag_attribute_values={"iframe": {"sandbox": "allow-scripts allow-same-origin allow-popups allow-forms"}},
)
_LINK_TESTER: Final = nh3.Cleaner(
    tags={"a"}, attributes={"a": {"href"}}, link_rel=None, url_schemes=_SCHEMES, url_relative="deny"
)
