"""RFC 9421, HTTP message signatures, as far as requests in the fediverse use them."""

from urllib.parse import parse_qsl, quote

from phiomia.activitypub.signatures import structured
from phiomia.activitypub.signatures.claim import Claim
from phiomia.activitypub.signatures.digest import check_content_digest, content_digest
from phiomia.activitypub.signatures.keys import ED25519, RSA_PSS_SHA512, RSA_SHA256, PrivateKey, sign
from phiomia.activitypub.signatures.request import Request, SignatureMalformed, SignatureRefused
from phiomia.activitypub.signatures.structured import InnerList, Item
from phiomia.activitypub.signatures.window import Window, http_date

_ALGORITHMS = (RSA_SHA256, RSA_PSS_SHA512, ED25519)
_LABEL = "sig1"


def read(request: Request, now: float, window: Window) -> Claim:
    """The claim of a request's signature, all but the key checked; raises SignatureRefused."""
    covered, signature = read_headers(request)
    parameters = dict(covered.parameters)
    key_id, algorithm = parameters.get("keyid"), parameters.get("alg")
    if not isinstance(key_id, str) or not key_id:
        raise SignatureMalformed("the signature needs keyid")
    if algorithm is not None and algorithm not in _ALGORITHMS:
        raise SignatureRefused(f"the algorithm {algorithm!r} is not understood")
    if "tag" in parameters:
        raise SignatureRefused("the signature was made for another purpose")
    _check_moments(parameters, now, window)
    _check_strength(request, covered)
    if _covers(covered, "content-digest"):
        check_content_digest(request.value("content-digest") or "", request.body)
    return Claim(key_id, None if algorithm is None else str(algorithm), (base(request, covered),), signature)


def read_headers(request: Request) -> tuple[InnerList, bytes]:
    """What the only signature of a request covers, and its bytes; raises SignatureMalformed."""
    try:
        inputs = structured.dictionary(request.value("signature-input") or "")
        signatures = structured.dictionary(request.value("signature") or "")
    except structured.NotStructured as error:
        raise SignatureMalformed(f"the signature cannot be read: {error}") from error
    if len(inputs) != 1 or inputs.keys() != signatures.keys():
        raise SignatureMalformed("there must be exactly one signature")
    (covered,), (signature,) = inputs.values(), signatures.values()
    if not isinstance(covered, InnerList) or not isinstance(signature.value, bytes):
        raise SignatureMalformed("the signature cannot be read: wrong kinds of values")
    return covered, signature.value


def base(request: Request, covered: InnerList) -> bytes:
    """The signature base: what is signed. Raises SignatureRefused if a component is not there."""
    lines, seen = [], set()
    for item in covered.items:
        name = str(item)
        if name in seen or not isinstance(item.value, str) or item.value == "@signature-params":
            raise SignatureMalformed(f"the component {name} is covered twice, or none")
        seen.add(name)
        lines.append(f"{name}: {_component(request, item)}")
    lines.append(f'"@signature-params": {covered}')
    try:
        return "\n".join(lines).encode("ascii")
    except UnicodeEncodeError as error:
        raise SignatureMalformed("what is signed must be ASCII") from error


def sign_request(
    method: str, url: str, key_id: str, key: PrivateKey, now: float, body: bytes | None = None
) -> dict[str, str]:
    """The headers that make a request a signed one: Date, both of the signature and, with a body, Content-Digest."""
    headers = {"Date": http_date(now)}
    names = ["@method", "@target-uri"]
    if body is not None:
        headers["Content-Digest"] = content_digest(body)
        names.append("content-digest")
    covered = InnerList(tuple(Item(name) for name in names), (("created", int(now)), ("keyid", key_id)))
    request = Request.of(method, url, headers.items(), body or b"")
    headers["Signature-Input"] = f"{_LABEL}={covered}"
    headers["Signature"] = f"{_LABEL}={Item(sign(key, base(request, covered)))}"
    return headers


def _component(request: Request, item: Item) -> str:
    name = str(item.value)
    if name == "@query-param":
        return _query_parameter(request, dict(item.parameters).get("name"))
    if item.parameters:
        raise SignatureRefused(f"the component {item} is not understood")
    if not name.startswith("@"):
        value = request.value(name)
        if value is None or name != name.lower():
            raise SignatureRefused(f"{name} is signed but not there")
        return value
    path, _, query = request.target.partition("?")
    derived = {
        "@method": request.method,
        "@target-uri": request.url,
        "@authority": request.authority,
        "@scheme": request.url.partition(":")[0].lower(),
        "@request-target": request.target,
        "@path": path,
        "@query": f"?{query}",
    }
    if name not in derived:
        raise SignatureRefused(f"the component {name} is not understood")
    return derived[name]


def _query_parameter(request: Request, name: structured.Bare | None) -> str:
    try:
        pairs = parse_qsl(request.target.partition("?")[2], keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise SignatureRefused("the query has too many parameters") from error
    found = [value for key, value in pairs if quote(key, safe="*-._") == name]
    if len(found) != 1:
        raise SignatureRefused(f"the query has not exactly one {name!r}")
    return quote(found[0], safe="*-._")


def _check_moments(parameters: dict[str, structured.Bare], now: float, window: Window) -> None:
    created, expires = parameters.get("created"), parameters.get("expires")
    # `bool` is an `int` to Python, but not to the grammar.
    if type(created) is not int or (expires is not None and type(expires) is not int):
        raise SignatureMalformed("the signature needs created, and it and expires must be integers")
    window.check_created(created, now)
    if type(expires) is int:
        window.check_expires(expires, now)


def _check_strength(request: Request, covered: InnerList) -> None:
    needed = ["@method", "@target-uri", *(["content-digest"] if request.has_body else [])]
    missing = [name for name in needed if not _covers(covered, name)]
    if missing:
        raise SignatureRefused(f"the signature must cover {' '.join(missing)}")


def _covers(covered: InnerList, name: str) -> bool:
    return any(item.value == name and not item.parameters for item in covered.items)
