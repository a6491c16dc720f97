"""Takes values out of TOML and is strict: what is misspelt or of the wrong kind is refused with file, line and key."""

import datetime
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar, cast

from phiomia.upgrade.manifest_parts import ManifestError

T = TypeVar("T")
_KIND_NAMES = {str: "text", bool: "switch (true or false)", dict: "table", list: "list", datetime.date: "date"}


class Reader:
    """Takes values out of a TOML text and says where one is wrong."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._lines = text.splitlines()
        try:
            self.table: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ManifestError(f"{name}: {error}") from None

    def fail(self, key: str, why: str, *, section: str = "", place: int = 0) -> NoReturn:
        """Raises ManifestError; `place` counts tables of the same name."""
        line = self._line(key, section, place)
        where = f"{self.name}:{line}" if line else self.name
        raise ManifestError(f"{where}: {section}{'.' if section else ''}{key}: {why}")

    def take(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type[T],
        default: T,
        *,
        required: bool = False,
        section: str = "",
        place: int = 0,
    ) -> T:
        """A value of one kind."""
        if key not in table:
            if required:
                self.fail(key, "is missing", section=section, place=place)
            return default
        value = table[key]
        right = isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
        if isinstance(value, datetime.datetime) or not right:
            self.fail(key, f"must be a {_KIND_NAMES.get(kind, kind.__name__)}", section=section, place=place)
        return cast("T", value)

    def text(self, table: Mapping[str, Any], key: str, **where: Any) -> str:
        """A text; empty unless it is there."""
        value = self.take(table, key, str, "", **where)
        if where.pop("required", False) and not value.strip():
            self.fail(key, "must not be empty", **where)
        return value

    def number(self, table: Mapping[str, Any], key: str, **where: Any) -> float:
        """A number that is not negative; 0 unless it is there."""
        value = table.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            self.fail(key, "must be a number, 0 or more", **where)
        return value

    def choice(self, table: Mapping[str, Any], key: str, choices: Sequence[str], default: str, **where: Any) -> str:
        """One of several words."""
        value = self.take(table, key, str, default, **where)
        if value not in choices:
            where.pop("required", None)
            self.fail(key, f"is {value!r}, but must be one of {', '.join(choices)}", **where)
        return value

    def texts(self, table: Mapping[str, Any], key: str, **where: Any) -> tuple[str, ...]:
        """A list of texts."""
        values = self.take(table, key, list, [], **where)
        if not all(isinstance(value, str) and value for value in values):
            self.fail(key, "must be a list of texts", **where)
        return tuple(values)

    def part(self, key: str) -> Mapping[str, Any]:
        """A table of the file; empty unless it is there."""
        return self.take(self.table, key, dict, {})

    def list(self, key: str) -> list[tuple[int, Mapping[str, Any]]]:
        """The tables `[[key]]` with their number."""
        found = self.take(self.table, key, list, [])
        if not all(isinstance(one, dict) for one in found):
            self.fail(key, f"must be written as [[{key}]]")
        return list(enumerate(found))

    def allow(
        self, table: Mapping[str, Any], section: str, names: Sequence[str], *, but: Sequence[str] = (), place: int = 0
    ) -> None:
        """Refuses keys with other names."""
        for key in table:
            if key not in names or key in but:
                self.fail(key, "is not known", section=section, place=place)

    def _line(self, key: str, section: str, place: int) -> int:
        wanted, seen, within = section, -1, not section
        for number, line in enumerate(self._lines, 1):
            heading = re.match(r"\s*\[\[?\s*([\w.\"-]+)\s*\]\]?\s*(?:#.*)?$", line)
            if heading:
                seen += heading[1] == wanted
                within = heading[1] == wanted and seen == place
                if not section and heading[1] == key:
                    return number
            elif within and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
                return number
        return self._line_of(section, place)

    def _line_of(self, section: str, place: int) -> int:
        headings = [
            number
            for number, line in enumerate(self._lines, 1)
            if re.match(rf"\s*\[\[?\s*{re.escape(section)}\s*\]", line)
        ]
        return headings[place] if section and place < len(headings) else 0
