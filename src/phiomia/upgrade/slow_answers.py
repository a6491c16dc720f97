"""From when on answers are slow, by what was usual before. Standard library only."""

# Twice as long, and a little more: on a quiet server one slow disk access is twice the usual.
TIMES = 2.0
FLOOR_S = 0.1


def longest_answer(usual_s: float) -> float:
    """The seconds that nearly all answers may take where they took `usual_s` before."""
    return TIMES * usual_s + FLOOR_S
