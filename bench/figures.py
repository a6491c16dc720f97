"""A measured figure beside what it should be: its budget and what GoToSocial needs for the same."""

from __future__ import annotations

from typing import Any

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One line of the report. `budget` is a limit from above, or from below for what is `better` when "more"."""

    group: str
    name: str
    value: float
    unit: str
    budget: float | None = None
    gotosocial: float | None = None
    baseline: float | None = None  # the ratio to the hello of the same run
    better: str = "less"
    more: dict[str, Any] = {}

    @property
    def kept(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        if self.budget is None:
            return None
        return self.value <= self.budget if self.better == "less" else self.value >= self.budget
