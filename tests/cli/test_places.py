"""Commands for announcements, reports, texts, invitations and trends, as an operator types them."""

from pathlib import Path

import pytest

from .test_commands import Shell


@pytest.fixture
def shell(migrated_database_url: str, tmp_path: Path) -> Shell:
    """A shell whose server has a database."""
    return Shell(tmp_path, PHIOMIA_DATABASE_URL=migrated_database_url)


def test_announcements(shell: Shell) -> None:
    number = shell("announcements", "add", "Party! #fun", "--ends", "2999-01-01").split()[-1].rstrip(".")
    assert "until 2999-01-01" in shell("announcements", "list")
    assert "take moments" in shell("announcements", "add", "x", "--starts", "soon", status=1)
    shell("announcements", "remove", number)
    assert "There is no announcement" in shell("announcements", "remove", number, status=1)
    assert "Nothing is announced" in shell("announcements", "list")


def test_texts_and_invitations(shell: Shell) -> None:
    file = shell.folder / "terms.txt"
    file.write_text("Be kind.", encoding="utf-8")
    assert "need the date" in shell("texts", "set", "terms", str(file), status=1)
    shell("texts", "set", "terms", str(file), "--effective", "2026-05-01")
    assert "2026-05-01" in shell("texts", "list")
    shell("texts", "remove", "terms", "--effective", "2026-05-01")
    assert "There are no texts" in shell("texts", "list")
    code = shell("invites", "add", "--comment", "for Bob").strip().rpartition("/")[2]
    assert "for Bob" in shell("invites", "list")
    shell("invites", "remove", code)
    assert "There is no invitation" in shell("invites", "remove", code, status=1)


def test_reports_and_trends(shell: Shell) -> None:
    assert "No report waits" in shell("reports", "list")
    assert "No report 5 waits" in shell("reports", "resolve", "5", status=1)
    assert "Nothing is talked about" in shell("trends", "list", "link")
    assert "There is no tag 5" in shell("trends", "reject", "tag", "5", status=1)
    shell.execute("INSERT INTO tags (id, name, display_name, created_at) VALUES (5, 'fun', 'fun', 0)")
    assert "tag 5: rejected" in shell("trends", "reject", "tag", "5")
