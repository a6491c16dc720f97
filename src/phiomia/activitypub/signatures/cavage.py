"""draft-cavage-http-signatures-12, as it is deployed."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

from phiomia.activitypub.signatures.claim import Claim
from phiomia.activitypub.signatures.digest import check_digest, digest
from phiomia.activitypub.signatures.keys import ED25519, RSA_SHA256, PrivateKey, sign, usual_algorithm
from phiomia.activitypub.signatures.request import Request, SignatureMalformed, SignatureRefused, authority
from phiomia.activitypub.signatures.window import Window, http_date

_PARAMETER = re.compile(r'\s*([A-Za-z0-9]+)\s*=\s*(?:"([^"]*)"|([0-9.]+))\s*(?:,|$)')
_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_ALGORITHMS = {"": None, "hs2019": None, "rsa-sha256": RSA_SHA256, "ed25519": ED25519, "ed25519-sha512": ED25519}
_NAMES = 32


def read(request: Request, now: float, window: Window) -> Claim:
    """The claim of a request's header Signature, all but the key checked; raises SignatureRefused."""
    parameters = read_parameters(request.single("signature") or "")
    key_id, text = parameters.get("keyid"), parameters.get("signature")
    if not key_id or not text:
        raise SignatureMalformed("the signature needs keyId and signature")
    named = parameters.get("algorithm", "").lower()
    if named not in _ALGORITHMS:
        raise SignatureRefused(f"the algorithm {named!r} is not understood")
    names = _names(parameters, named)
    _check_strength(request, names)
    _check_moments(request, names, parameters, now, window)
    _check_host(request)
    if "digest" in names:
        check_digest(request.single("digest") or "", request.body)
    targets = [request.target]
    if "?" in request.target:
        # Several servers leave the query out of what they sign.
        targets.append(request.target.partition("?")[0])
    messages = tuple(signing_string(request, names, parameters, target) for target in targets)
    try:
        signature = b64decode(text, validate=True)
    except ValueError as error:
        raise SignatureMalformed("the signature is not base64") from error
    return Claim(key_id, _ALGORITHMS[named], messages, signature)


def read_parameters(header: str) -> dict[str, str]:
    """The parameters of a header Signature, names in lower case; raises SignatureMalformed."""
    found: dict[str, str] = {}
    at = 0
    while at < len(header):
        match = _PARAMETER.match(header, at)
        if match is None:
            raise SignatureMalformed("the header Signature cannot be read")
        name = match[1].lower()
        if name in found:
            raise SignatureMalformed(f"the signature has {match[1]} twice")
        found[name] = match[3] if match[2] is None else match[2]
        at = match.end()
    return found


def signing_string(
    request: Request, names: Sequence[str], parameters: Mapping[str, str], target: str | None = None
) -> bytes:
    """What is signed: one line for each name, in their order; raises SignatureRefused if one is not there."""
    lines = []
    for name in names:
        if name == "(request-target)":
            value: str | None = f"{request.method.lower()} {target or request.target}"
        elif name in ("(created)", "(expires)"):
            value = parameters.get(name[1:-1])
        else:
            value = request.value(name)
        if value is None:
            raise SignatureRefused(f"{name} is signed but not there")
        lines.append(f"{name}: {value}")
    try:
        return "\n".join(lines).encode()
    except UnicodeEncodeError as error:
        raise SignatureMalformed("a signed header is not text") from error


def sign_request(
    method: str, url: str, key_id: str, key: PrivateKey, now: float, body: bytes | None = None
) -> dict[str, str]:
    """The headers that make a request a signed one: Host, Date, Signature and, with a body, Digest."""
    headers = {"Host": authority(url), "Date": http_date(now)}
    names = ["(request-target)", "host", "date"]
    if body is not None:
        headers["Digest"] = digest(body)
        names.append("digest")
    request = Request.of(method, url, headers.items(), body or b"")
    signature = b64encode(sign(key, signing_string(request, names, {}))).decode()
    algorithm = "ed25519" if usual_algorithm(key) == ED25519 else "rsa-sha256"
    # No blanks after the commas, and the algorithm named: some readers take it no other way.
    headers["Signature"] = (
        f'keyId="{key_id}",algorithm="{algorithm}",headers="{" ".join(names)}",signature="{signature}"'
    )
    return headers


def _names(parameters: Mapping[str, str], algorithm: str) -> list[str]:
    default = "(created)" if algorithm == "hs2019" else "date"
    names = parameters.get("headers", default).lower().split()
    if not names or len(names) > _NAMES or len(set(names)) != len(names):
        raise SignatureMalformed("the list of signed headers is empty, too long, or has one twice")
    if algorithm.startswith("rsa") and {"(created)", "(expires)"} & set(names):
        raise SignatureMalformed(f"{algorithm} does not sign (created) or (expires)")
    return names


def _check_strength(request: Request, names: Sequence[str]) -> None:
    needed = ["(request-target)", "host", *(["digest"] if request.has_body else [])]
    missing = [name for name in needed if name not in names]
    if "date" not in names and "(created)" not in names:
        missing.append("date")
    if missing:
        raise SignatureRefused(f"the signature must cover {' '.join(missing)}")


def _check_moments(
    request: Request, names: Sequence[str], parameters: Mapping[str, str], now: float, window: Window
) -> None:
    if "date" in names:
        window.check_date(request.single("date") or "", now)
    if "(created)" in names:
        window.check_created(_seconds(parameters, "created"), now)
    if "expires" in parameters or "(expires)" in names:
        window.check_expires(_seconds(parameters, "expires"), now)


def _seconds(parameters: Mapping[str, str], name: str) -> int:
    text = parameters.get(name, "")
    if not _SECONDS.fullmatch(text):
        raise SignatureMalformed(f"{name} is not a number of seconds")
    return int(text.partition(".")[0])


def _check_host(request: Request) -> None:
    # Not read as a part of a URL: what a stranger wrote there may be none.
    host = (request.single("host") or "").lower()
    usual = ":443" if request.url.startswith("https:") else ":80"
    if host.removesuffix(usual) != request.authority:
        raise SignatureRefused("the request is for another host")
