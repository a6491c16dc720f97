"""Ids: 64 bits, sortable by time, 48 bits of milliseconds and 16 of sequence, as Mastodon's."""

import itertools
import os
import secrets

from phiomia.platform.clock import now_ms

SEQUENCE_BITS = 16
# Numbers of JavaScript have 53 bits, and ids of these decades 57: those that end in four zeros are whole there.
_EXACT = 16
_counter = itertools.count(secrets.randbelow(1 << SEQUENCE_BITS))
_last = _last_exact = 0


def new_id(at_ms: int | None = None) -> int:
    """A fresh id; `at_ms` backdates it, for things that others made earlier.

    Within one process ids made for the present never go backwards. Between processes the random
    start of the sequence keeps two of the same millisecond apart.
    """
    global _last
    sequence = next(_counter) & 0xFFFF
    if at_ms is not None:
        return (at_ms << SEQUENCE_BITS) | secrets.randbelow(1 << SEQUENCE_BITS)
    made = (now_ms() << SEQUENCE_BITS) | sequence
    if made <= _last:
        made = _last + 1
    _last = made
    return made


def new_exact_id() -> int:
    """A fresh id that JavaScript reads without rounding, for what apps get as a number and not as a text."""
    global _last_exact
    made = (now_ms() << SEQUENCE_BITS) | (next(_counter) * _EXACT & 0xFFFF)
    if made <= _last_exact:
        made = _last_exact + _EXACT
    _last_exact = made
    return made


def new_id_of_moment(at_ms: int) -> int:
    """A fresh id for what was made elsewhere at a moment.

    Most servers tell whole seconds: what they made in one is spread over it, lest two of many get the same id.
    """
    return new_id(at_ms + secrets.randbelow(1_000) if at_ms % 1_000 == 0 else at_ms)


def id_at(at_ms: int) -> int:
    """The smallest id of a moment, for range conditions."""
    return at_ms << SEQUENCE_BITS


def moment_of(id_: int) -> int:
    """The millisecond in which an id was made."""
    return id_ >> SEQUENCE_BITS


def _forget_after_fork() -> None:
    global _counter
    _counter = itertools.count(secrets.randbelow(1 << SEQUENCE_BITS))


os.register_at_fork(after_in_child=_forget_after_fork)
