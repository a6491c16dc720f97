import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phiomia.platform.html import MAX_HTML, escape, is_linkable, sanitise, to_plain_text

REL = 'target="_blank" rel="nofollow noopener noreferrer"'
ELEMENTS = {
    "p",
    "br",
    "span",
    "a",
    "del",
    "s",
    "pre",
    "blockquote",
    "code",
    "b",
    "strong",
    "u",
    "i",
    "em",
    "ul",
    "ol",
    "li",
    "ruby",
    "rt",
    "rp",
}
ATTRIBUTES = {"href", "rel", "class", "translate", "target", "start", "reversed", "value", "lang"}
SCHEMES = {"http", "https", "dat", "dweb", "ipfs", "ipns", "ssb", "gopher", "xmpp", "magnet", "gemini"}

markup = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<br/>",
                "<a href='",
                "'>",
                '<a href="javascript:alert(1)">',
                "</a>",
                "<h1>",
                "</h2 >",
                "<h3 class=x>",
                "<b ",
                "<b x='<'",
                "<i/",
                ">",
                "<",
                "<!--",
                "-->",
                "<script>",
                "</script>",
                "<svg>",
                "<math><mtext>",
                "<table>",
                "<td>",
                "<style>",
                "<img src=x onerror=y>",
                "<span class='h-card evil'>",
                "&lt;",
                "&#x0;",
                "&",
                '"',
                "onclick=x",
                "<template>",
                "<![CDATA[",
                "]]>",
                "<li value=x>",
                "http://a.b",
            ]
        ),
        st.text(max_size=8),
    ),
    max_size=30,
).map("".join)


class Inspector(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def inspect(html: str) -> list[tuple[str, dict[str, str | None]]]:
    inspector = Inspector()
    inspector.feed(html)
    inspector.close()
    return inspector.tags


@pytest.mark.parametrize(
    ("given_html", "kept"),
    [
        ("", ""),
        ("<p>one<br/>two</p>", "<p>one<br>two</p>"),
        ("<script>alert(1)</script><style>a{}</style>x", "x"),
        ("<p onclick=x style=y>a", "<p>a</p>"),
        ("<h1>Title</h1><p>text</p>", "<p><strong>Title</strong></p><p>text</p>"),
        ('<H2 id="a">x</H2>', "<p><strong>x</strong></p>"),
        ("<header>x</header>", "x"),
        (
            '<span class="h-card evil p-name u-url dt-x e-y mention">x</span>',
            '<span class="h-card p-name u-url dt-x e-y mention">x</span>',
        ),
        ('<span class="evil">x</span>', "<span>x</span>"),
        ('<p class="quote-inline">RE</p>', '<p class="quote-inline">RE</p>'),
        ('<span translate="no">x</span><span translate="yes">y</span>', '<span translate="no">x</span><span>y</span>'),
        (
            '<ol start="3" reversed=""><li value="2">a</li><li value="x">b</li></ol>',
            '<ol start="3" reversed=""><li value="2">a</li><li>b</li></ol>',
        ),
        ('<a href="https://a.example/" rel="me">x</a>', f'<a href="https://a.example/" {REL}>x</a>'),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="/about">x</a><a href="//a.example">y</a>', "xy"),
        ("<a>x</a>", "x"),
        (
            '<a href="data:text/html,x">x</a> <a href="magnet:?xt=urn:btih:1">y</a>',
            f'x <a href="magnet:?xt=urn:btih:1" {REL}>y</a>',
        ),
        ("<p lang=fr>a</p>", '<p lang="fr">a</p>'),
        ('<strong class="x" title="a>b">x</strong>', "<strong>x</strong>"),
        ("<ruby>明<rp>(</rp><rt>a</rt></ruby>", "<ruby>明<rp>(</rp><rt>a</rt></ruby>"),
        ("<!-- a -->b", "b"),
        ("a < b & c", "a &lt; b &amp; c"),
        ("<a href='https://x.example/?<h1>'>y</a>", None),
    ],
)
def test_sanitise(given_html: str, kept: str | None) -> None:
    result = sanitise(given_html)
    if kept is not None:
        assert result == kept
    assert sanitise(result) == result


@given(markup)
def test_nothing_else_gets_through(html: str) -> None:
    for tag, attributes in inspect(sanitise(html)):
        assert tag in ELEMENTS
        assert set(attributes) <= ATTRIBUTES
        if tag == "a":
            assert (attributes["href"] or "").split(":")[0].lower() in SCHEMES
            assert attributes["rel"] == "nofollow noopener noreferrer"
            assert attributes["target"] == "_blank"


@given(markup)
def test_sanitising_twice_changes_nothing(html: str) -> None:
    assert sanitise(sanitise(html)) == sanitise(html)


@pytest.mark.parametrize(
    "html", ["\ud800<b>\udfff</b>", "\0<p>\0</p>", "<a href='https://x.example/\ud800'>a</a>", "x" * 3_000_000]
)
def test_the_unstorable_is_replaced(html: str) -> None:
    for result in (sanitise(html), to_plain_text(html)):
        assert "\0" not in result
        assert len(result.encode()) <= MAX_HTML * 3


FORMATTING = ["b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"]
HOSTILE = {
    "distinct formatting": "".join(f"<p><b x={number}>" for number in range(30_000)),
    "formatting with quotes": "".join(f"<p><b a='<' x=\"{number}\">" for number in range(30_000)),
    "formatting": "".join(f"<{name}>" * 3 for name in FORMATTING) + "<blockquote>x" * 20_000 + "</b>" * 20_000,
    "lists": "<ul><li>" * 100_000,
    "quotes": "<blockquote>" * 100_000,
    "links": "<a href=https://a.b><p>" * 50_000,
    "links and blocks": "<a href=https://a.b><blockquote>" * 50_000,
    "tables": "<table><b>" * 50_000,
    "headings": "<h1 " * 100_000,
    "open quotes": "<b '" * 100_000,
    "attributes": "<a " + " ".join(f"a{number}" for number in range(60_000)) + ">x",
    "brackets": "<" * 1_000_000,
    "spaces": " " * 1_000_000 + "<br>",
    "ends": "</p>" * 100_000,
    "fakes": "<<b>b" * 50_000,
    "entities": "&amp;" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_take_bounded_time(name: str) -> None:
    for function in (sanitise, to_plain_text):
        started = time.process_time()
        result = function(HOSTILE[name])
        assert time.process_time() - started < 1.5
        assert len(result) < 4_000_000


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree"),
        ("one<p>two</p>\n <p>three</p>four", "one\n\ntwo\n\nthree\n\nfour"),
        ("a\n b &lt;c&gt; &amp;amp;", "a b <c> &amp;"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ('<a href="https://a.b/"><span class="invisible">https://</span>a.b</a>', "https://a.b"),
        ("<blockquote><p>a</p></blockquote>b", "a\n\nb"),
        ("<script>x</script>", ""),
    ],
)
def test_to_plain_text(html: str, text: str) -> None:
    assert to_plain_text(html) == text


def test_escape() -> None:
    assert escape("<a href=\"x\" b='y'>&\0\ud800é") == "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\ufffd\ufffdé"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_escaped_text_stays_as_it_is(text: str) -> None:
    assert inspect(escape(text)) == []
    assert to_plain_text(escape(text)).split() == text.split()


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("https://example.com/", True),
        ("https://bücher.example/ü", True),
        ("https://1.2.3.400/", False),
        ("https://xn--a.example/", False),
        ("javascript:alert(1)", False),
        ("/path", False),
        ('https://a.b/"><script>', True),
    ],
)
def test_is_linkable(url: str, answer: bool) -> None:
    assert is_linkable(url) is answer
