"""Puts the children of another release into the places: beside the old ones, or after them. All of them or none.

Standard library only.
"""

import signal
import time

from phiomia.platform.chance import fails_more
from phiomia.platform.crew import Crew, Slot, Steps, in_order
from phiomia.platform.orders import Order
from phiomia.platform.spawn import FOREVER, Process, count_wait
from phiomia.platform.topology import Release, Settings


class Renewal:
    """One order, and the release whose children shall take the places that it concerns."""

    def __init__(
        self, crew: Crew, order: Order, settings: Settings, release: Release, template: Process | None, limit_s: float
    ) -> None:
        self.crew = crew
        self.order = order
        self.settings = settings
        self.release = release
        self.template = template
        self.limit_s = limit_s
        self.tried_s = 0.0

    def reload(self, deadline: float) -> Steps:
        """New children beside the old ones, which drain when all new ones serve; gives why not."""
        candidates: list[Slot] = []
        failure = yield from self._bring_up(deadline, candidates)
        if not failure:
            failure = yield from self._try_out(candidates)
        if failure:
            self.crew.discard(candidates)
            return failure
        for slot in candidates:
            slot.process.admit()
        kept = [slot for slot in self.crew.slots if self._is_kept(slot)]
        for slot in self.crew.slots:
            if slot not in kept:
                slot.process.leave(signal.SIGTERM, self.settings.drain_limit_s)
        self.crew.slots = in_order(self.settings, [*kept, *candidates])
        return ""

    def _bring_up(self, deadline: float, candidates: list[Slot]) -> Steps:
        for child in self.settings.children:
            if not self.order.concerns(child.role):
                continue
            limit_s = max(0.1, deadline - time.monotonic())
            added = [self._fill(child.role, limit_s) for _ in range(child.processes)]
            for slot in added:
                slot.process.held = True
            candidates += added
            failure = yield from self.crew.wait_ready(candidates)
            if failure:
                return failure
            deadline += max((count_wait(slot.process.pid) for slot in added), default=0.0)
        # A child that falls over soon is found out before it was given a single request.
        return (yield from self._settle(candidates))

    def _fill(self, role: str, limit_s: float) -> Slot:
        child = next(child for child in self.settings.children if child.role == role)
        return self.crew.fill(child, self.release, self.template, limit_s)

    def _settle(self, candidates: list[Slot]) -> Steps:
        settled_at = time.monotonic() + self.settings.settle_s
        while time.monotonic() < settled_at:
            yield settled_at
            failure = yield from self.crew.wait_ready(candidates)
            if failure:
                return failure
        return ""

    def _try_out(self, candidates: list[Slot]) -> Steps:
        """Lets one process of another release answer beside the old ones, which lose nothing if it is no good."""
        canary = next((slot for slot in candidates if slot.child.canary), None)
        if canary is None:
            return ""
        old = [slot for slot in self.crew.slots if slot.child.role == canary.child.role]
        if not self.settings.canary_s or all(slot.release.python == self.release.python for slot in old):
            return ""
        begun = time.monotonic()
        canary.process.admit()
        while not (failure := _judge(canary, old)) and time.monotonic() < begun + self.settings.canary_s:
            yield begun + self.settings.canary_s
            gone = yield from self.crew.wait_ready(candidates)
            if gone:
                return f"{gone} while the first one was tried out"
        self.tried_s = time.monotonic() - begun
        return failure

    def restart(self, deadline: float) -> Steps:
        """Ends the old children, then starts new ones; when these fail, the old release again; gives why.

        Those that hand their connections over end last, when there is somebody to take them.
        """
        crew, settings = self.crew, self.settings
        replaced = [slot for slot in crew.slots if not self._is_kept(slot)]
        handing = [slot for slot in replaced if slot.child.hands_over and self.order.concerns(slot.child.role)]
        before = [slot for slot in replaced if slot not in handing]
        crew.slots = [slot for slot in crew.slots if slot not in before]
        for slot in before:
            slot.process.leave(slot.process.stop_signal, settings.stop_limit_s)
        while any(slot.process.state != "gone" for slot in before):
            yield FOREVER
        # The wait for the old ones must not be counted against the new ones.
        limit_s = max(self.limit_s, deadline - time.monotonic())
        children = [child for child in settings.children if self.order.concerns(child.role)]
        candidates = [self._fill(child.role, limit_s) for child in children for _ in range(child.processes)]
        for slot in candidates:
            slot.process.held = slot.child.hands_over
        failure = yield from crew.wait_ready(candidates)
        if not failure:
            failure = yield from self._settle(candidates)
        if not failure:
            crew.slots = [slot for slot in crew.slots if slot not in handing]
            for slot in candidates:
                slot.process.admit()
            for slot in handing:
                slot.process.leave(signal.SIGTERM, settings.drain_limit_s)
            crew.slots = in_order(settings, [*crew.slots, *candidates])
            return ""
        crew.discard(candidates)
        back = [crew.vacant(slot.child, slot.release) for slot in before]
        crew.slots = in_order(crew.settings, [*crew.slots, *back])
        yield from self._wait_back(back)
        return failure

    def _wait_back(self, slots: list[Slot]) -> Steps:
        until = time.monotonic() + self.crew.settings.ready_limit_s
        while time.monotonic() < until and any(slot.process.state != "ready" for slot in slots):
            yield until
        return ""

    def _is_kept(self, slot: Slot) -> bool:
        wanted = {child.role for child in self.settings.children}
        return not self.order.concerns(slot.child.role) and slot.child.role in wanted


def _judge(canary: Slot, old: list[Slot]) -> str:
    """Why one that is tried out is worse than the old ones; empty when it is not."""
    requests, errors = (sum(counts) for counts in zip((0, 0), *(slot.process.answered for slot in old), strict=True))
    usual = errors / requests if requests else 0.0
    requests, errors = canary.process.answered
    if not fails_more(errors, requests, usual):
        return ""
    return f"{canary.child.role} failed at {errors} of {requests} requests when it was tried out (before {usual:.1%})"
