"""What an author allows others to do, and from whom: quoting a post, recommending an account."""

from typing import Any

from phiomia.domain.statuses.quote_policy import FOLLOWERS, FOLLOWING, NOBODY, UNSUPPORTED, make_policy
from phiomia.domain.statuses.quote_policy import PUBLIC as EVERYBODY
from phiomia.federation.parse.values import PUBLIC, Document, first, ids, values


def parse_policy(document: Document, name: str) -> list[list[str]]:
    """Who may do that at once, and who after its author has agreed; empty if it does not say."""
    policy = first(document.get("interactionPolicy"))
    rule = first(policy.get(name)) if isinstance(policy, dict) else None
    if not isinstance(rule, dict):
        return []
    return [_named(rule.get("automaticApproval")), _named(rule.get("manualApproval"))]


def weigh_policy(policy: list[list[str]], author: str, followers: str, following: str) -> int:
    """The same as a number, as far as the groups are known here."""
    groups = {followers: FOLLOWERS, following: FOLLOWING, author: NOBODY}
    halves = []
    for named in policy:
        half = NOBODY
        for uri in named:
            half |= EVERYBODY if uri in PUBLIC else groups.get(uri, UNSUPPORTED)
        halves.append(half)
    return make_policy(*halves) if halves else NOBODY


def _named(value: Any) -> list[str]:
    public = ["as:Public"] if any(one in PUBLIC for one in values(value, 16) if isinstance(one, str)) else []
    return public + ids(value, 16)
