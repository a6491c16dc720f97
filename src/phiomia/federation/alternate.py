"""Where the document of a page is: what people copy from their browser is the page's address."""

import html
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urljoin

from phiomia.activitypub.types import is_activity
from phiomia.federation.parse.values import address

_HEAD: Final = 256 * 1024
_MOST: Final = 100
_LINK: Final = re.compile(r"<link\b([^<>]{1,2000})>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(
    r"""\b(rel|type|href)\s{0,8}=\s{0,8}(?:"([^"]{0,2000})"|'([^']{0,2000})')""", re.IGNORECASE
)
_HEADER: Final = re.compile(r"<([^<>]{1,2000})>([^,<>]{0,500})")


def is_page(content_type: str) -> bool:
    """Whether that is a page for people."""
    return content_type.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")


def find_alternate(headers: Mapping[str, str], body: bytes, url: str) -> str:
    """The address of the document that a page names as another form of itself; empty if it names none."""
    for target, parameters in _HEADER.findall(headers.get("link", "")[:_HEAD]):
        if "alternate" in parameters and _is_document(_unquote(parameters)):
            return _join(url, target)
    text = body[:_HEAD].decode("utf-8", "replace")
    for number, found in enumerate(_LINK.finditer(text)):
        if number == _MOST:
            break
        named = {name.lower(): html.unescape(one or two) for name, one, two in _ATTRIBUTE.findall(found[1])}
        if "alternate" in named.get("rel", "").lower().split() and is_activity(named.get("type", "")):
            return _join(url, named.get("href", ""))
    return ""


def _join(url: str, target: str) -> str:
    try:
        return address(urljoin(url, target))
    except ValueError:
        return ""


def _unquote(parameters: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in parameters.split("; "))
    return {name.strip(" ;").lower(): value.strip().strip('"') for name, _, value in pairs}


def _is_document(parameters: Mapping[str, str]) -> bool:
    return parameters.get("rel") == "alternate" and is_activity(parameters.get("type", ""))
