"""A measured figure beside what it should be: its budget and what GoToSocial needs for the same."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_POSTGRESQL_COSTS: Final = 1.5


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

    def judged_on(self, database: str) -> Figure:
        """The same with what is asked of this database: budgets are written for SQLite."""
        if database == "sqlite" or self.budget is None:
            return self
        if self.group == "reads" and self.unit == "CPU ms":
            return msgspec.structs.replace(self, budget=self.budget * _POSTGRESQL_COSTS)
        # How many posts fit into a second is up to the machine of the database server.
        return msgspec.structs.replace(self, budget=None) if self.unit == "1/s" else self
