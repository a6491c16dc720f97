"""The Link header: the same question for the next page, whatever stood in it."""

from types import SimpleNamespace
from typing import Any

import pytest

from phiomia.api.paging import link


def _link(path: str, query: str = "", **more: Any) -> str:
    headers: dict[str, str] = {}
    call: Any = SimpleNamespace(
        api=SimpleNamespace(base_url="https://phiomia.example"),
        req=SimpleNamespace(path=path, query_string=query),
        header=headers.__setitem__,
    )
    link(call, 9, 3, **more)
    return headers["Link"]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("limit=5", "limit=5&"),
        ("limit=5&max_id=7&since_id=1&min_id=2", "limit=5&"),
        ("types[]=mention&types%5B%5D=poll", "types%5B%5D=mention&types%5B%5D=poll&"),
        ("access_token=secret&local=true", "local=true&"),
        ("access%5Ftoken=secret", ""),
        ('q=">;&empty=', "q=%22%3E%3B&empty=&"),
    ],
)
def test_other_parameters_are_kept(query: str, kept: str) -> None:
    base = f"https://phiomia.example/api/v1/timelines/home?{kept}"
    expected = f'<{base}max_id=3>; rel="next", <{base}min_id=9>; rel="prev"'
    assert _link("/api/v1/timelines/home", query) == expected


def test_the_last_page_has_no_next() -> None:
    assert _link("/a", full=False) == '<https://phiomia.example/a?min_id=9>; rel="prev"'


def test_paths_are_written_in_ascii() -> None:
    assert "/tag/%E6%97%A5%E6%9C%AC?" in _link("/tag/日本")
    assert "/tag/a%3Eb?" in _link("/tag/a>b")
