"""Who may quote a status: at once (`automatic`) or after the author has agreed (`manual`).

Both are sets of groups, kept in one number: the automatic one in its upper half, the manual one in its lower.
"""

from typing import Final

from phiomia.domain.statuses.visibility import Visibility

UNSUPPORTED: Final = 1  # somebody whom only the author's server knows
PUBLIC: Final = 2
FOLLOWERS: Final = 4
FOLLOWING: Final = 8
NOBODY: Final = 0

_HALF: Final = 16
_LOWER: Final = (1 << _HALF) - 1
_NAMES: Final = {
    PUBLIC: "public",
    FOLLOWERS: "followers",
    FOLLOWING: "following",
    UNSUPPORTED: "unsupported_policy",
}
CHOICES: Final = {"public": PUBLIC << _HALF, "followers": FOLLOWERS << _HALF, "nobody": NOBODY}


def choice_of(policy: int) -> str:
    """Which of the choices of members a policy is."""
    return next((word for word, number in CHOICES.items() if number == policy), "nobody")


def make_policy(automatic: int, manual: int = NOBODY) -> int:
    """The number of two sets of groups."""
    return automatic << _HALF | manual


def automatic_of(policy: int) -> int:
    """Who may quote without being asked about."""
    return policy >> _HALF


def manual_of(policy: int) -> int:
    """Who may quote once the author has agreed."""
    return policy & _LOWER


def group_names(groups: int) -> list[str]:
    """The REST API's words for a set of groups."""
    return [name for flag, name in _NAMES.items() if groups & flag]


def allowed_policy(policy: int, visibility: int) -> int:
    """The policy of a member's status: what not everybody can read nobody else may quote."""
    return policy if visibility <= Visibility.UNLISTED else NOBODY


def needs_relations(policy: int) -> bool:
    """Whether the answer depends on who follows whom."""
    if automatic_of(policy) & PUBLIC:
        return False
    return bool((automatic_of(policy) | manual_of(policy)) & (FOLLOWERS | FOLLOWING))


def may_quote(policy: int, visibility: int, *, own: bool, follows: bool, followed: bool) -> str:
    """What somebody who sees the status is told: automatic, manual, unknown or denied.

    `follows`: they follow the author; `followed`: the author follows them.
    """
    if visibility == Visibility.DIRECT:
        return "denied"
    if own:
        return "automatic"
    if visibility == Visibility.PRIVATE:
        return "denied"
    groups = PUBLIC | (FOLLOWERS if follows else 0) | (FOLLOWING if followed else 0)
    if automatic_of(policy) & groups:
        return "automatic"
    if manual_of(policy) & groups:
        return "manual"
    return "unknown" if (automatic_of(policy) | manual_of(policy)) & UNSUPPORTED else "denied"
