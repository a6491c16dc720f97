"""Whether something went wrong more often than chance explains. Standard library only."""

import math

# One comparison in a hundred may be wrong, and nothing is judged by one or two cases.
LIKELY = 0.01
FEWEST = 3
# A hundredth more requests that fail than before is too much.
MORE_ERRORS = 0.01
_MANY = 200.0


def fails_more(wrong: int, requests: int, usual: float) -> bool:
    """Whether more requests fail than the usual share, by more than is borne and by more than chance explains."""
    return is_more_than_chance(wrong, requests * (usual + MORE_ERRORS))


def is_more_than_chance(wrong: int, expected: float) -> bool:
    """Whether so many are too many where `expected` would be usual."""
    return wrong >= FEWEST and wrong > expected and _chance_of(wrong, expected) < LIKELY


def _chance_of(least: int, expected: float) -> float:
    """How likely it is to see so many or more of what happens independently."""
    if expected > _MANY:
        return 0.5 * math.erfc((least - 0.5 - expected) / math.sqrt(2 * expected))
    term = math.exp(-expected)
    below = term
    for number in range(1, least):
        term *= expected / number
        below += term
    return max(0.0, 1.0 - below)
