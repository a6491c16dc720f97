"""Handles, answers and host-meta."""

import json
from typing import Any

import pytest

from phiomia.activitypub import webfinger
from phiomia.activitypub.types import is_activity, is_jrd, is_xrd
from phiomia.activitypub.webfinger import AnswerInvalid, Handle, ResourceInvalid

from .material import DATA, load


@pytest.mark.parametrize(
    "text",
    [
        "acct:Mia@Masto.Example",
        "Mia@masto.example",
        "@Mia@masto.example.",
        "ACCT:@Mia@MASTO.EXAMPLE",
        " Mia@masto.example ",
    ],
)
def test_handles(text: str) -> None:
    handle = webfinger.read_resource(text)
    assert handle == Handle("Mia", "masto.example")
    assert isinstance(handle, Handle) and handle.names_same(Handle("mia", "masto.example"))
    assert handle.acct == "acct:Mia@masto.example"


def test_other_resources() -> None:
    assert webfinger.read_resource("https://masto.example/@mia") == "https://masto.example/@mia"
    assert webfinger.read_resource("a@bücher.example") == Handle("a", "xn--bcher-kva.example")
    assert webfinger.read_resource("acct:host.example:3000@host.example:3000".replace(":3000@", "@")) == Handle(
        "host.example", "host.example:3000"
    )
    wrong = [
        "",
        "mia",
        "acct:",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c.d",
        "a@b/c",
        "a@b c",
        "https://",
        "https://[",
        "a/b@c",
        "a@" + "x" * 300,
    ]
    for text in wrong:
        with pytest.raises(ResourceInvalid):
            webfinger.read_resource(text)


@pytest.mark.parametrize("path", sorted((DATA / "webfinger").glob("webfinger-*.json")), ids=lambda path: path.stem)
def test_examples_are_read(path: Any) -> None:
    document = json.loads(path.read_text())["document"]
    answer = webfinger.read_answer(json.dumps(document).encode())
    assert answer.subject.acct == document["subject"]
    assert answer.actor in [link.get("href") for link in document["links"] if link["rel"] == "self"]
    assert "{uri}" in (answer.subscribe_template or "")
    assert len(answer.actors) == (2 if "two-self" in path.stem else 1)


def test_what_we_build_we_read() -> None:
    built = webfinger.build(
        Handle("mia", "ours.example"),
        "https://ours.example/users/mia",
        profile="https://ours.example/@mia",
        subscribe="https://ours.example/authorize_interaction?uri={uri}",
        avatar=("image/png", "https://ours.example/a.png"),
    )
    answer = webfinger.read_answer(json.dumps(built).encode())
    assert answer.actor == "https://ours.example/users/mia"
    assert answer.aliases == ("https://ours.example/@mia", "https://ours.example/users/mia")
    assert webfinger.fill(answer.subscribe_template or "", "https://a.example/1?b=c").endswith(
        "uri=https%3A%2F%2Fa.example%2F1%3Fb%3Dc"
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"subject":1}', b'{"subject":"https://a.example/"}', b"\xff", b"[" * 100_000, b"{}"],
)
def test_useless_answers(body: bytes) -> None:
    with pytest.raises(AnswerInvalid):
        webfinger.read_answer(body)


def test_odd_answers_lead_nowhere() -> None:
    links = '[1,{"rel":"self","href":"https://b/"},{"rel":["self"],"href":2}]'
    odd = f'{{"subject":"acct:a@b.example","aliases":"x","links":{links}}}'.encode()
    assert webfinger.read_answer(odd).actor is None


def test_queries() -> None:
    handle = Handle("mia", "masto.example")
    assert webfinger.query_url(handle) == (
        "https://masto.example/.well-known/webfinger?resource=acct%3Amia%40masto.example"
    )
    assert webfinger.query_url("https://masto.example/@mia").startswith("https://masto.example/.well-known/webfinger?")
    assert webfinger.query_url(handle, "web.example").startswith("https://web.example/")


def test_host_meta() -> None:
    body = load("webfinger/hostmeta.json")["document"]["body"].encode()
    template = webfinger.read_host_meta(body)
    assert webfinger.fill(template, Handle("sam", "handle.example")) == (
        "https://social.handle.example/.well-known/webfinger?resource=acct%3Asam%40handle.example"
    )
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]>' + body
    for bad in (b"", b"<a>", bomb, bomb.decode().encode("utf-16"), b"<XRD/>", b"\xff"):
        with pytest.raises(AnswerInvalid):
            webfinger.read_host_meta(bad)


def test_types() -> None:
    profile = '"https://www.w3.org/ns/activitystreams"'
    assert is_activity("application/activity+json")
    assert is_activity("Application/Activity+JSON; charset=utf-8")
    assert is_activity(f"application/ld+json; charset=utf-8; profile={profile}")
    for other in (
        "",
        "application/json",
        "application/ld+json",
        "text/html",
        "image/png",
        "application/ld+json; profile=x",
    ):
        assert not is_activity(other)
    assert is_jrd("application/jrd+json; charset=utf-8") and is_jrd("application/json") and not is_jrd("text/html")
    assert is_xrd("application/xrd+xml") and not is_xrd("application/json")
