"""The map is of this country: what ARCHITECTURE.md names is there, what is there is named, every page can be found."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "phiomia"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
# What a path may be short for.
_BASES = (ROOT, SOURCE, SOURCE / "domain", SOURCE / "platform")


def _names_below(folder: Path) -> set[str]:
    """Packages with a slash, modules with their ending, without what begins with an underscore."""
    found = {f"{path.name}/" for path in folder.iterdir() if (path / "__init__.py").exists()}
    return found | {path.name for path in folder.glob("*.py") if not path.name.startswith("_")}


def test_the_tree_is_the_tree() -> None:
    drawn = set(re.findall(r"^[├└]── (\S+)", ARCHITECTURE, re.MULTILINE))
    assert drawn == _names_below(SOURCE)


def test_the_domain_is_drawn_whole() -> None:
    lines = re.search(r"└── (errors .*\n│ {7}.*)\n├──", ARCHITECTURE)
    assert lines
    drawn = set(lines[1].replace("│", " ").split())
    assert drawn == {name.removesuffix("/").removesuffix(".py") for name in _names_below(SOURCE / "domain")}


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "STYLE.md", "docs/develop/a-feature-end-to-end.md"])
def test_every_path_and_module_that_is_named_exists(page: str) -> None:
    named = {word for word in re.findall(r"`([\w.][\w./-]+)`", (ROOT / page).read_text("utf-8")) if "/" in word}
    assert len(named) > 3
    assert {word for word in named if not any(_exists(base / word) for base in _BASES)} == set()


def test_the_ladder_of_the_domain_is_the_one_that_is_checked() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    checked = re.findall(r"\w+", contracts["importlinter:contract:domain"]["layers"])
    told = re.search(r"Inside the domain: (.*?)\. The", ARCHITECTURE, re.DOTALL)
    assert told and re.findall(r"\w+", told[1]) == checked


def test_the_list_of_pages_is_complete() -> None:
    listed = _targets(ROOT / "docs" / "README.md") | _targets(ROOT / "docs" / "decisions" / "README.md")
    pages = {path.resolve() for path in (ROOT / "docs").rglob("*.md")} | {path.resolve() for path in ROOT.glob("*.md")}
    assert pages - listed - {(ROOT / "docs" / "README.md").resolve()} == set()
    assert ROOT / "docs" / "README.md" in _targets(ROOT / "README.md")


def _exists(path: Path) -> bool:
    return path.exists() or path.with_name(f"{path.name}.py").exists()


def _targets(page: Path) -> set[Path]:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    return {(page.parent / link).resolve() for link in links if ":" not in link}
