"""What is written holds: links lead somewhere, and nothing speaks of one machine or one tracker."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Facts and texts of others, and what tools write.
NOT_OURS = ("tests/facts/", "tests/node/package-lock.json", "uv.lock", "LICENSE")
BINARY = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".ico", ".woff2", ".gz", ".sqlite3", ".heic", ".bmp")

FORBIDDEN = {
    # /home/phiomia is where everybody installs it.
    "a path of one machine": re.compile(r"(?<![\w.:/])/(?:work|root|Users|home/(?!phiomia/)\w+|tmp/\w)/"),
    "the number of an issue": re.compile(
        r"(?i)\b(?:issues?|tickets?|bugs?|pull requests?|pr)\s+#?\d+\b|\bGH-\d+|\(#\d+\)"
    ),
    "unfinished work": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b"),
}


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        return []  # an archive without its history
    names = [name for name in listed.stdout.split("\0") if name]
    ours = [name for name in names if not name.startswith(NOT_OURS) and not name.lower().endswith(BINARY)]
    return [ROOT / name for name in ours if (ROOT / name).is_file()]


FILES = _files()
PAGES = [path for path in FILES if path.suffix == ".md"]


@pytest.mark.skipif(not FILES, reason="needs the git checkout")
@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_names(what: str) -> None:
    found = []
    for path in FILES:
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            if FORBIDDEN[what].search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} does not exist"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file), f"{target} has no such heading"


def test_every_decision_is_numbered_once() -> None:
    pages = [path for path in (ROOT / "docs/decisions").glob("*.md") if path.name != "README.md"]
    numbers = sorted(int(path.name.partition("-")[0]) for path in pages)
    assert numbers == list(range(1, len(numbers) + 1))


def _anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
