"""Requests as other servers sign them are accepted, and with one thing changed refused."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from phiomia.activitypub.signatures import cavage, rfc9421
from phiomia.activitypub.signatures.digest import check_content_digest, check_digest, content_digest, digest
from phiomia.activitypub.signatures.keys import KeyRefused, PrivateKey, load_private, load_public, sign
from phiomia.activitypub.signatures.knocks import Knocks, Scheme, first_knock, second_knock
from phiomia.activitypub.signatures.request import (
    KeyUnknown,
    Request,
    SignatureMalformed,
    SignatureMissing,
    SignatureRefused,
)
from phiomia.activitypub.signatures.structured import InnerList, Item
from phiomia.activitypub.signatures.verify import VerifiedBy, read, verify
from phiomia.activitypub.signatures.window import Window

from .material import Ring, examples, moment, request_of

EXAMPLES = examples()
RSA = rsa.generate_private_key(65537, 2048)
EDWARDS = ed25519.Ed25519PrivateKey.generate()
URL = "https://ours.example/inbox?page=1"
KEY_ID = "https://peer.example/actor#main-key"
NOW = 1_777_890_030.0
BODY = b'{"type":"Follow"}'
SIGN = {"cavage": cavage.sign_request, "rfc9421": rfc9421.sign_request}


def _verify(request: Request, ring: Ring, now: float = NOW, window: Window | None = None) -> VerifiedBy:
    return asyncio.run(verify(request, ring, now=now, window=window or Window()))


def _ring(key: PrivateKey = RSA) -> Ring:
    return Ring(key.public_key())


def _signed(scheme: str, key: PrivateKey = RSA, method: str = "POST", body: bytes | None = BODY) -> Request:
    headers = {"host": "ours.example"} | SIGN[scheme](method, URL, KEY_ID, key, NOW, body)
    return Request.of(method, URL, {name.lower(): value for name, value in headers.items()}.items(), body or b"")


def _with(request: Request, name: str, value: str | None) -> Request:
    kept = tuple(header for header in request.headers if header[0] != name)
    return replace(request, headers=kept if value is None else (*kept, (name, value)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_accepted(name: str) -> None:
    document = EXAMPLES[name]
    assert document["expect"] == "valid"
    request, now = request_of(document), moment(document["now"])
    claim = read(request, now=now)
    assert document["signing_string"].encode() in claim.messages
    done = _verify(request, Ring(load_public(document["publicKeyPem"])), now)
    assert done == VerifiedBy(claim.key_id, "rsa-v1_5-sha256")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_with_a_change_are_refused(name: str) -> None:
    document = EXAMPLES[name]
    now, ring = moment(document["now"]), Ring(load_public(document["publicKeyPem"]))
    text = document["signing_string"]
    changed: list[dict[str, Any]] = [
        {"headers": {**document["headers"], header: value + "x"}}
        for header, value in document["headers"].items()
        if header.startswith("signature") or f"{header}: " in text or f'"{header}": ' in text
    ]
    assert len(changed) >= 2
    changed += [{"path": "/x" + document["path"]}, {"method": "PUT"}]
    if "body" in document:
        changed.append({"body": document["body"] + " "})
    for change in changed:
        with pytest.raises(SignatureRefused):
            _verify(request_of(document, **change), ring, now)
    other = rsa.generate_private_key(65537, 2048).public_key()
    for wrong in (Ring(other), Ring(EDWARDS.public_key())):
        with pytest.raises(SignatureRefused):
            _verify(request_of(document), wrong, now)
    for late in (now + 13 * 3600, now - 13 * 3600):
        with pytest.raises(SignatureRefused):
            _verify(request_of(document), ring, late)
    elsewhere = request_of(document)
    with pytest.raises(SignatureRefused):
        _verify(replace(elsewhere, url=elsewhere.url.replace("ours.", "theirs.")), ring, now)


@pytest.mark.parametrize("scheme", SIGN)
@pytest.mark.parametrize("key", [RSA, EDWARDS], ids=["rsa", "ed25519"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_we_sign_we_accept(scheme: str, key: PrivateKey, method: str) -> None:
    request = _signed(scheme, key, method, BODY if method == "POST" else None)
    done = _verify(request, _ring(key))
    assert done.key_id == KEY_ID
    assert done.algorithm == ("rsa-v1_5-sha256" if key is RSA else "ed25519")
    # A replay elsewhere does not work.
    with pytest.raises(SignatureRefused):
        _verify(replace(request, url="https://ours.example/users/a/inbox"), _ring(key))


def test_an_old_key_is_asked_for_once_more() -> None:
    ring = Ring(EDWARDS.public_key(), RSA.public_key())
    _verify(_signed("cavage"), ring)
    assert ring.asked == [(KEY_ID, False), (KEY_ID, True)]
    with pytest.raises(KeyUnknown):
        _verify(_signed("cavage"), Ring(None))


def test_unsigned() -> None:
    with pytest.raises(SignatureMissing):
        _verify(Request.of("GET", URL, [("Host", "ours.example")]), _ring())


def _cavage(names: str, extra: str = "", algorithm: str = "hs2019", method: str = "POST", **more: str) -> Request:
    """A rightly signed request over any names."""
    headers = {"host": "ours.example", "date": "Mon, 04 May 2026 10:20:30 GMT", "digest": digest(BODY), **more}
    body = BODY if method == "POST" else b""
    plain = Request.of(method, URL, headers.items(), body)
    parameters = cavage.read_parameters(extra)
    text = cavage.signing_string(plain, names.split(), parameters)
    value = (
        f'keyId="{KEY_ID}",algorithm="{algorithm}",headers="{names}",signature="{b64encode(sign(RSA, text)).decode()}"'
    )
    return _with(plain, "signature", value + ("," + extra if extra else ""))


FULL = "(request-target) host date digest"


@pytest.mark.parametrize(
    ("names", "method"),
    [
        ("host date digest", "POST"),
        ("(request-target) date digest", "POST"),
        ("(request-target) host digest", "POST"),
        ("(request-target) host date", "POST"),
        ("date", "POST"),
        ("date", "GET"),
        ("(request-target) date", "GET"),
        ("host date", "GET"),
        (f"{FULL} date", "POST"),
    ],
)
def test_weak_cavage_signatures_are_refused(names: str, method: str) -> None:
    with pytest.raises(SignatureRefused):
        _verify(_cavage(names, method=method), _ring())


def test_cavage_moments() -> None:
    names, now = "(request-target) host digest (created) (expires)", int(NOW)
    assert _verify(_cavage(names, f"created={now},expires={now + 60}"), _ring())
    assert _verify(_cavage(names, f'created="{now}", expires="{now + 60}.5"'), _ring())
    for extra in (
        f"created={now - 90_000},expires={now + 60}",
        f"created={now + 90_000},expires={now + 99_000}",
        f"created={now - 900},expires={now - 600}",
        f'created="nan",expires={now}',
        f'created={now},expires="soon"',
    ):
        with pytest.raises(SignatureRefused):
            _verify(_cavage(names, extra), _ring())
    for algorithm in ("rsa-sha256", "rsa-sha1", "hmac-sha256", "ed25519"):
        with pytest.raises(SignatureRefused):
            _verify(_cavage(names, f"created={now},expires={now + 60}", algorithm), _ring())
    # An end that is not signed still counts.
    with pytest.raises(SignatureRefused):
        _verify(_cavage(FULL, f"expires={now - 600}"), _ring())
    assert _verify(_cavage(FULL), _ring(), NOW + 3000, Window(past=3600, future=60))
    for moved in (NOW + 3700, NOW - 70):
        with pytest.raises(SignatureRefused):
            _verify(_cavage(FULL), _ring(), moved, Window(past=3600, future=60))


def test_cavage_headers_sent_twice_are_refused() -> None:
    request = _cavage(FULL)
    for name in ("digest", "host", "date", "signature"):
        twice = replace(request, headers=(*request.headers, (name, request.value(name) or "")))
        with pytest.raises(SignatureMalformed):
            _verify(twice, _ring())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        'keyId="a"',
        'signature="YQ=="',
        'keyId="a",signature="not base64!"',
        'keyId="a",keyId="b",signature="YQ=="',
        f'keyId="a",headers="{FULL}",signature="@@@"',
        'keyId="a",headers="",signature="YQ=="',
        'keyId="a,signature="YQ=="',
    ],
)
def test_malformed_cavage_headers_are_refused(header: str) -> None:
    with pytest.raises(SignatureRefused):
        _verify(_with(_cavage(FULL), "signature", header), _ring())


@pytest.mark.parametrize("host", ["", "[", "ours.example/", "ours.example:80", "theirs.example", "a@ours.example"])
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(SignatureRefused):
        _verify(_cavage(FULL, host=host), _ring())


def test_hosts_in_other_spellings_are_ours() -> None:
    for host in ("Ours.Example", "ours.example:443"):
        assert _verify(_cavage(FULL, host=host), _ring())


def test_headers_that_are_no_text_are_refused() -> None:
    request = _with(_cavage(FULL), "date", "Mon, 04 May 2026 10:20:30 GMT\udcff")
    with pytest.raises(SignatureRefused):
        _verify(request, _ring())


def test_cavage_parameters_may_be_spaced_and_in_any_order() -> None:
    request = _cavage(FULL)
    parts = (request.value("signature") or "").split(",")
    assert _verify(_with(request, "signature", " , ".join(reversed(parts))), _ring())


def _rfc9421(names: list[str], **parameters: Any) -> Request:
    """A rightly signed request over any components."""
    known = {"created": int(NOW), "keyid": KEY_ID, **parameters}
    covered = InnerList(tuple(map(Item, names)), tuple((k, v) for k, v in known.items() if v is not None))
    plain = Request.of("POST", URL, [("content-digest", content_digest(BODY)), ("host", "ours.example")], BODY)
    signature = Item(sign(RSA, rfc9421.base(plain, covered)))
    added = (("signature-input", f"s={covered}"), ("signature", f"s={signature}"))
    return replace(plain, headers=plain.headers + added)


GOOD = ["@method", "@target-uri", "content-digest"]


def test_strong_rfc9421_signatures_are_accepted() -> None:
    assert _verify(_rfc9421(GOOD), _ring())
    assert _verify(_rfc9421([*GOOD, "@authority", "@path", "@query", "host"], nonce='a "b"'), _ring())
    assert _verify(_rfc9421(GOOD, alg="rsa-v1_5-sha256", expires=int(NOW) + 5), _ring())


@pytest.mark.parametrize(
    ("names", "parameters"),
    [
        (["@method", "@target-uri"], {}),
        (["@method", "content-digest"], {}),
        (["@target-uri", "content-digest"], {}),
        ([], {}),
        (GOOD, {"created": None}),
        (GOOD, {"created": "1777890030"}),
        (GOOD, {"created": True}),
        (GOOD, {"created": int(NOW) - 90_000}),
        (GOOD, {"created": int(NOW) + 90_000}),
        (GOOD, {"expires": int(NOW) - 600}),
        (GOOD, {"keyid": None}),
        (GOOD, {"alg": "rsa-pss-sha512"}),
        (GOOD, {"alg": "ed25519"}),
        (GOOD, {"alg": "hmac-sha256"}),
        (GOOD, {"tag": "other"}),
    ],
)
def test_weak_rfc9421_signatures_are_refused(names: list[str], parameters: dict[str, Any]) -> None:
    with pytest.raises(SignatureRefused):
        _verify(_rfc9421(names, **parameters), _ring())


def test_malformed_rfc9421_headers_are_refused() -> None:
    request = _rfc9421(GOOD)
    given, signature = request.value("signature-input") or "", request.value("signature") or ""
    for name, value in [
        ("signature-input", ""),
        ("signature-input", "s"),
        ("signature-input", given[:-1]),
        ("signature-input", f"{given}, t=()"),
        ("signature-input", given.replace('"@method"', '"@method" "@method"')),
        ("signature-input", given.replace('"@method"', '"@method";sf')),
        ("signature-input", given.replace('"@method" "@target-uri"', '"@target-uri" "@method"')),
        ("signature", ""),
        ("signature", signature.replace("s=", "t=", 1)),
        ("signature", "s=:!:"),
        ("signature", 's="text"'),
        ("content-digest", "sha-512=:YQ==:"),
        ("content-digest", "nonsense"),
    ]:
        with pytest.raises(SignatureRefused):
            _verify(_with(request, name, value), _ring())


def test_digests() -> None:
    check_digest(f"SHA-512=abc, {digest(BODY)}", BODY)
    check_digest(digest(BODY).replace("SHA", "sha"), BODY)
    check_content_digest(f"sha-512=:YQ==:, {content_digest(BODY)}", BODY)
    for bad in (digest(b""), "", "SHA-512=abc", f"{digest(BODY)},{digest(BODY)}", "SHA-256=!", "SHA-256="):
        with pytest.raises(SignatureRefused):
            check_digest(bad, BODY)
    for bad in (content_digest(b""), "", "sha-256=abc", "sha-256=::"):
        with pytest.raises(SignatureRefused):
            check_content_digest(bad, BODY)


def test_keys() -> None:
    public = RSA.public_key()
    spki = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    old = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    assert load_public(spki) is load_public(spki)
    assert load_public(old) == public
    private = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert load_private(private) is load_private(private)
    curve = ec.generate_private_key(ec.SECP256R1())
    wrong = [
        "",
        "key",
        private,
        curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ]
    for pem in wrong:
        with pytest.raises(KeyRefused):
            load_public(pem)
    for pem in ("", spki, curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()):
        with pytest.raises(KeyRefused):
            load_private(pem)


def test_knocks() -> None:
    knocks = Knocks(hosts=2, seconds=10)
    assert first_knock(knocks.recall("a", 0)) is Scheme.CAVAGE
    knocks.remember("a", Scheme.RFC9421, 0)
    assert first_knock(knocks.recall("a", 9)) is Scheme.RFC9421
    assert knocks.recall("a", 10) is None
    for host in ("b", "c"):
        knocks.remember(host, Scheme.RFC9421, 0)
    assert knocks.recall("a", 1) is None
    knocks.forget("b")
    assert knocks.recall("b", 1) is None
    assert second_knock(Scheme.CAVAGE, 401) is second_knock(Scheme.CAVAGE, 400) is Scheme.RFC9421
    assert second_knock(Scheme.RFC9421, 401) is Scheme.CAVAGE
    assert {second_knock(Scheme.CAVAGE, status) for status in (200, 202, 403, 404, 410, 502)} == {None}
