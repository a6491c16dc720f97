"""The table of attacks says nothing that is not so: forty of them, and each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
TABLE = (TESTS.parent / "docs" / "develop" / "attacks.md").read_text(encoding="utf-8")


def test_every_attack_has_a_row_and_every_test_exists() -> None:
    rows = [line.split("|")[1:-1] for line in TABLE.splitlines() if re.match(r"\| [0-9–]", line)]
    numbers = [int(found[1]) for row in rows if (found := re.match(r" (\d+) ", row[0]))]
    assert sorted(numbers) == list(range(1, 41))
    named = 0
    for row in rows:
        file = Path()
        for path, test in re.findall(r"`([\w/.]*?)(?:::(\w+))?`", row[2]):
            if path:
                file = TESTS / path if not path.startswith("attacks/") else TESTS / "federation" / path
            assert file.is_file(), (path, row[0])
            assert not test or f"def {test}(" in file.read_text(encoding="utf-8"), (file, test)
            named += 1
    assert named > 50
