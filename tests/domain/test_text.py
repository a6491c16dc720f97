import gc
import html as standard_html
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phiomia.domain.statuses.text import (
    Mention,
    MentionTarget,
    count_characters,
    find_shortcodes,
    render,
    render_field,
    render_note,
    scan,
)
from phiomia.domain.tags.normalise import is_valid_tag, normalise_tag
from phiomia.platform.html import sanitise
from phiomia.platform.languages import LANGUAGES, clean_language

ALICE = MentionTarget("https://remote.example/@alice", "alice", "alice@remote.example")
BOB = MentionTarget("https://here.example/@bob", "bob", "bob")
OTHER_ALICE = MentionTarget("https://here.example/@alice", "alice", "alice")
TARGETS = {("alice", "remote.example"): ALICE, ("bob", None): BOB}

pieces = st.sampled_from(
    [
        "@alice@remote.example",
        "@bob",
        "#tag",
        "#",
        "@",
        "https://example.com/a_(b)?c=d&e='f'",
        "http://",
        "://",
        "https://xn--a.b/",
        "http://1.2.3.999/",
        "magnet:?xt=a",
        "xmpp:a@b.c",
        "<script>",
        "</p>",
        "&amp;",
        "\n",
        "\r\n",
        "¹",
        "\n\n\n",
        " ",
        "\0",
        "\ud800",
        "é",
        "＃",
        "·",
        "\u200c",
        "🏳️‍🌈",
        "javascript:alert(1)",
        '"',
        "'",
        ".",
        ":x_y:",
        "日本",
        "https://bücher.example/ü",
        "ipfs://abc/def",
        "HTTPS://A.B:99999/",
        "\u0301",
        "\u00ad",
        "https://a.b\u3000c",
    ]
)
texts = st.lists(st.one_of(pieces, st.text(max_size=6)), max_size=25).map("".join)


def tag_url(name: str) -> str:
    return f"https://here.example/tags/{normalise_tag(name)}"


class Reader(HTMLParser):
    """Keeps the tags without what the sanitiser sets anew, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value for name, value in attrs if name not in ("rel", "target")}))
        if tag == "br":
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self.text += "\n\n"

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def names(text: str) -> list[str]:
    return [hashtag.name for hashtag in scan(text).hashtags]


def urls(text: str) -> list[str]:
    return [link.url for link in scan(text).urls]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@alice", [("alice", None)]),
        ("Hi @Alice@Remote.Example.", [("alice", "remote.example")]),
        ("(@a.b-c_d@x-y.example)", [("a.b-c_d", "x-y.example")]),
        ("@alice. @bob- ok", [("alice", None), ("bob", None)]),
        ("mail@example.com a/@b x=@c", []),
        ("@alice@ @bob@a@b @c://x", []),
        ("@@alice", [("alice", None)]),
        (".@alice, @alice!", [("alice", None), ("alice", None)]),
        (
            "@bob@localhost:3000 @eve@127.0.0.1:8080 @dan@a.example:80",
            [("bob", "localhost:3000"), ("eve", "127.0.0.1:8080"), ("dan", "a.example")],
        ),
        ("@アリス", []),
        ("@a@bücher.example", [("a", "bücher.example")]),
        ("こんにちは @a", [("a", None)]),
        ("https://example.com/@alice https://example.com/?x=@bob", []),
    ],
)
def test_mentions(text: str, found: list[tuple[str, str | None]]) -> None:
    assert [mention.key for mention in scan(text).mentions] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#tag, #Other.", ["tag", "Other"]),
        ("＃ハッシュタグ", ["ハッシュタグ"]),
        ("#123 #1 #0x #13Mastodons #2024_25", ["0x", "13Mastodons", "2024_25"]),
        ("a#b =#c /#d )#e", []),
        ("#a#b ##c", ["c"]),
        ("#one·two·three· #·a #ぼっち・ざ・ろっく・", ["one·two·three", "ぼっち・ざ・ろっく"]),
        ("#_ #_a #a_", ["_a", "a_"]),
        ("#हिन्दी #e\u0301te\u0301 #می\u200cخواهم", ["हिन्दी", "e\u0301te\u0301", "می\u200cخواهم"]),
        ("#1️⃣ #️⃣", []),
        ("#foo-bar #c++ #a://b", ["foo", "c"]),
        ("https://example.com/#frag https://example.com/a#b", []),
        ("#https://example.com", []),
        ("$AAPL", []),
    ],
)
def test_hashtags(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://example.com.", ["https://example.com"]),
        ("(https://en.example.org/wiki/A_(b)), x", ["https://en.example.org/wiki/A_(b)"]),
        ("HTTPS://Example.com/A?b=c#d!", ["HTTPS://Example.com/A?b=c#d"]),
        ("example.com www.example.com a@example.com", []),
        ("日本https://example.com/パス、と", ["https://example.com/パス、と"]),
        ("xhttps://example.com @https://example.com #http://example.com $http://a.b", []),
        ("http://localhost http:// http:/// http://a", []),
        ("http://1.2.3.999/ https://xn--a.example/", []),
        ("#¹magnet:?xt=a", []),
        ("#日本https://example.com/", ["https://example.com/"]),
        ("https://bücher.example/ü https://a.example:8080/", ["https://bücher.example/ü", "https://a.example:8080/"]),
        (
            "xmpp:a@b.example?join magnet:?xt=urn:btih:abc&dn=x.",
            ["xmpp:a@b.example?join", "magnet:?xt=urn:btih:abc&dn=x"],
        ),
        (
            "ipfs://bafy/x gemini://a.example/ javascript://a.example/ ftp://a.example/",
            ["ipfs://bafy/x", "gemini://a.example/"],
        ),
        ("https://a.example/@b/1#c https://d.example", ["https://a.example/@b/1#c", "https://d.example"]),
        (
            "'https://a.example/b' \"https://a.example/c\" <https://a.example/d>",
            ["https://a.example/b", "https://a.example/c", "https://a.example/d"],
        ),
    ],
)
def test_urls(text: str, found: list[str]) -> None:
    assert urls(text) == found


def test_spans_point_at_the_parts() -> None:
    text = "é @Bob #Tag https://a.example/ x"
    assert [text[entity.start : entity.end] for entity in scan(text).entities] == ["@Bob", "#Tag", "https://a.example/"]
    assert scan("@bob").entities == (Mention("bob", None, 0, 4),)


def show(text: str) -> str:
    return render(text, scan(text), TARGETS, tag_url)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        ("\n\n", ""),
        ("a < b & \"c\" 'd'", "<p>a &lt; b &amp; &quot;c&quot; &#39;d&#39;</p>"),
        ("one\ntwo\r\nthree\n\n\nfour\n", "<p>one<br />two<br />three</p><p>four</p>"),
        (
            "@bob",
            '<p><span class="h-card" translate="no"><a href="https://here.example/@bob" class="u-url mention">'
            "@<span>bob</span></a></span></p>",
        ),
        ("@nobody", "<p>@nobody</p>"),
        (
            "#Été",
            '<p><a href="https://here.example/tags/ete" class="mention hashtag" rel="tag">#<span>Été</span></a></p>',
        ),
        (
            "https://www.example.com/?a=1&b=2",
            '<p><a href="https://www.example.com/?a=1&amp;b=2" '
            'target="_blank" rel="nofollow noopener" translate="no">'
            '<span class="invisible">https://www.</span><span>example.com/?a=1&amp;b=2</span>'
            '<span class="invisible"></span></a></p>',
        ),
        (
            "https://example.com/" + "a" * 20,
            '<p><a href="https://example.com/aaaaaaaaaaaaaaaaaaaa" '
            'target="_blank" rel="nofollow noopener" translate="no">'
            '<span class="invisible">https://</span><span class="ellipsis">example.com/aaaaaaaaaaaaaaaaaa</span>'
            '<span class="invisible">aa</span></a></p>',
        ),
    ],
)
def test_render(text: str, html: str) -> None:
    assert show(text) == html


def test_accounts_of_one_name_are_shown_with_their_address() -> None:
    text = "@alice @alice@remote.example @bob"
    html = render(text, scan(text), {**TARGETS, ("alice", None): OTHER_ALICE}, tag_url)
    assert "@<span>alice</span>" in html
    assert "@<span>alice@remote.example</span>" in html
    assert "@<span>bob</span>" in html


def test_a_note_is_rendered_like_a_post() -> None:
    assert render_note("I am @bob\n#tag", TARGETS, tag_url) == show("I am @bob\n#tag")


def test_a_field_is_one_line_whose_link_is_mine() -> None:
    html = render_field("https://me.example/\n<x>")
    assert html.startswith('<a href="https://me.example/" target="_blank" rel="me nofollow noopener noreferrer" ')
    assert html.endswith("</a> &lt;x&gt;")
    assert render_field("#tag @bob") == "#tag @bob"
    assert "@<span>alice@remote.example</span>" in render_field("@alice@remote.example", TARGETS)
    assert "/tags/tag" in render_field("#tag", {}, tag_url)


@settings(max_examples=200)
@given(texts)
def test_rendered_text_is_what_the_sanitiser_would_leave(text: str) -> None:
    html = show(text)
    html.encode()
    ours, cleaned = read(html), read(sanitise(html))
    assert ours.tags == cleaned.tags
    assert ours.text == cleaned.text
    assert {tag for tag, _ in ours.tags} <= {"p", "br", "span", "a"}


@settings(max_examples=200)
@given(texts)
def test_text_content_is_preserved(text: str) -> None:
    found = scan(text)
    expected = re.sub("[\0\ud800-\udfff]", "\ufffd", text)
    for mention in reversed(found.mentions):
        if target := TARGETS.get(mention.key):
            expected = f"{expected[: mention.start]}@{target.username}{expected[mention.end :]}"
    expected = re.sub(r"\n{2,}", "\n\n", re.sub(r"\r\n?", "\n", expected).strip("\r\n"))
    without_tags = re.sub(r"</p>", "\n\n", re.sub(r"<br />", "\n", show(text)))
    assert standard_html.unescape(re.sub("<[^>]*>", "", without_tags)).rstrip("\n") == expected.rstrip("\n")


@given(texts)
def test_parts_are_in_order_and_apart(text: str) -> None:
    at = 0
    for entity in scan(text).entities:
        assert at <= entity.start < entity.end <= len(text)
        at = entity.end
    assert all(is_valid_tag(name) for name in names(text))
    assert count_characters(text) >= 0
    render_field(text).encode()
    find_shortcodes(text)


@pytest.mark.parametrize(
    "piece",
    [
        "@",
        "#",
        "http://",
        "@a",
        "#a",
        "@a@",
        "@a.",
        "#_",
        "#·a·",
        "://",
        "https://a.b/",
        "http://a.",
        " http://a/(",
        "xmpp:",
        "xmpp:a@",
        "magnet:?xt=",
        ":a:",
        ":aa",
        "é",
        "#e\u0301",
        "\n",
        "\r",
        "a-",
        "http://[",
    ],
)
def test_time_is_linear(piece: str) -> None:
    scan("https://example.com/")

    def cost(length: int) -> float:
        text = (piece * length)[:length]
        started = time.process_time()
        found = scan(text)
        render(text, found, {}, tag_url)
        count_characters(text, "", found)
        find_shortcodes(text)
        return time.process_time() - started

    gc.disable()  # collecting what other tests left takes longer than all of this
    try:
        shorter, longer = (min(cost(length) for _ in range(3)) for length in (25_000, 100_000))
    finally:
        gc.enable()
    # Four times the text takes four times as long, or sixteen times if it is not linear.
    assert longer < 10 * shorter + 0.1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello", 5),
        ("https://example.com/" + "a" * 100, 23),
        ("a https://b.c d", 27),
        ("@alice@remote.example hi", 9),
        ("@alice hi", 9),
        ("a\r\nb", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("👨‍👩‍👧‍👦", 1),
        ("👍🏽", 1),
        ("🇩🇪🇫🇷", 2),
        ("❤️", 1),
        ("1️⃣", 1),
        ("한국어", 3),
        ("\u1112\u1161\u11ab", 1),
        ("日本語", 3),
        ("नि", 1),
        ("#️⃣é\n\n", 4),
    ],
)
def test_count_characters(text: str, count: int) -> None:
    assert count_characters(text) == count
    assert count_characters(text, "cw") == count + 2
    assert count_characters(text, found=scan(text)) == count


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (":blobcat: hi :blobcat: :other_1:", ["blobcat", "other_1"]),
        ("a:blobcat: :blobcat:a", []),
        (":a: :: 12:30:45", []),
        (":one::two:", []),
        ("(:one:)\n:two:", ["one", "two"]),
        ("日本:one:", []),
    ],
)
def test_find_shortcodes(text: str, found: list[str]) -> None:
    assert find_shortcodes(text) == found


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Test", "test"),
        ("ÉtéÀÑøĐŁ", "eteanodl"),
        ("ＦｕｌｌＷｉｄｔｈ", "fullwidth"),
        ("ﾊｯｼｭﾀｸﾞ", "ハッシュタグ"),
        ("e\u0301te\u0301", "ete"),
        ("İstanbul", "istanbul"),
        ("がくせい", "がくせい"),
        ("हिन्दी", "हिन्दी"),
        ("tiếng", "tiếng"),
        ("a-b c!", "abc"),
        ("one·two", "one·two"),
        ("snake_Case", "snake_case"),
        ("Straße", "straße"),
        ("", ""),
    ],
)
def test_normalise_tag(name: str, key: str) -> None:
    assert normalise_tag(name) == key


@given(st.text(max_size=20))
def test_a_key_is_its_own_key(name: str) -> None:
    assert normalise_tag(normalise_tag(name)) == normalise_tag(name)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("tag", True),
        ("1a", True),
        ("123", False),
        ("", False),
        ("a b", False),
        ("·a", False),
        ("a·", False),
        ("_", False),
        ("#a", False),
        ("日本", True),
        ("a\n", False),
        ("½", False),
    ],
)
def test_is_valid_tag(name: str, answer: bool) -> None:
    assert is_valid_tag(name) is answer


@pytest.mark.parametrize(
    ("code", "cleaned"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("pt_BR", "pt"),
        ("zh-tw", "zh-TW"),
        ("zh-Hant", "zh"),
        ("ckb", "ckb"),
        ("zh-YUE", "zh-YUE"),
        ("xx", None),
        ("", None),
        (None, None),
        ("english", None),
        ("-", None),
        (" de ", "de"),
        ("\ud800", None),
        ("klingon-en", None),
    ],
)
def test_clean_language(code: str | None, cleaned: str | None) -> None:
    assert clean_language(code) == cleaned


def test_languages_have_both_names() -> None:
    assert len(LANGUAGES) > 200
    assert all(english and native for english, native in LANGUAGES.values())
