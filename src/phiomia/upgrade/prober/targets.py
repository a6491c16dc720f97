"""What is asked for during an upgrade, where and how often. Standard library only."""

from typing import NamedTuple
from urllib.parse import urlsplit

# Anybody gets these; the others need who is enrolled (`enrolment.py`).
READ, WRITE, LETTER, STREAM = "read", "write", "letter", "stream"
TRIAL = "/api/phiomia/v1/upgrade_probe"
_SEEN_BY = "upgrade probe"


class Target(NamedTuple):
    """What to ask for: where, under which name, with which headers, and the status that is right."""

    name: str
    address: str
    path: str
    headers: dict[str, str]
    status: int
    period_s: float = 0.5
    kind: str = READ
    # The address as it is signed: what people see, whatever way is taken.
    seen_as: str = ""

    @property
    def url(self) -> str:
        """Where the request goes."""
        return f"{self.address}{self.path}"


def list_targets(bind: str, public_url: str, domain: str) -> list[Target]:
    """Readiness at the bound address; all else through the public one when there is one that answers.

    Few enough to stay below what one address may ask without a token. The token that is shown to
    `verify_credentials` is nobody's: that it is refused takes the way that every real one takes.
    """
    direct = f"http://{bind}"
    host = {"Host": domain, "User-Agent": _SEEN_BY}
    if public_url.startswith("https:"):
        host["X-Forwarded-Proto"] = "https"
    seen_as = public_url.rstrip("/") or f"http://{domain}"
    outside, headers = direct, host
    if public_url and answers(public_url):
        outside, headers = seen_as, {"Host": urlsplit(seen_as).netloc, "User-Agent": _SEEN_BY}
    nobody = {**headers, "Authorization": "Bearer asked-by-an-upgrade"}
    return [
        Target("ready", direct, "/health/ready", host, 200),
        Target("page", outside, "/about", headers, 200, 1.0),
        Target("signed in", outside, "/api/v1/accounts/verify_credentials", nobody, 401, 4.0),
        Target("write", outside, TRIAL, headers, 200, 2.0, WRITE),
        Target("inbox", outside, "/inbox", headers, 202, 2.0, LETTER, seen_as),
        Target("stream", outside, "/api/v1/streaming?stream=user", headers, 101, 1.0, STREAM),
    ]


def answers(public_url: str) -> bool:
    """Whether the public address can be reached from here."""
    from phiomia.upgrade.prober.ask import ask  # who only reads what was seen does without HTTP

    return ask("GET", f"{public_url.rstrip('/')}/about", {"User-Agent": _SEEN_BY}).status == 200
