"""Log lines, as another process writes them."""

import json
import subprocess
import sys
from typing import Any


def lines(code: str, *, level: str = "info", format_: str = "json") -> list[str]:
    """What a program that logs writes to standard error; nothing goes to standard output."""
    begin = f"from phiomia.platform import log\nimport logging\nlog.configure({level!r}, {format_!r})\n"
    done = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def parsed(code: str, **options: Any) -> list[dict[str, Any]]:
    """The same as data."""
    return [json.loads(line) for line in lines(code, **options)]


def test_json_lines_carry_level_source_moment_and_values() -> None:
    (line,) = parsed("log.get_logger('here').info('an event', n=1)\nlog.get_logger('here').debug('hidden')")
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "an event", "level": "info", "source": "here", "n": 1}


def test_what_cannot_be_encoded_is_logged_all_the_same() -> None:
    code = "log.get_logger('x').info('odd', a=object, b='\\ud800', c=10**30, d={1: {2}})"
    (line,) = parsed(code)
    assert line["event"].strip("'") == "odd"


def test_an_error_brings_its_trace() -> None:
    code = """
try:
    1 / 0
except ZeroDivisionError as error:
    log.get_logger('x').error('failed', exc_info=error)
    log.get_logger('x').error('failed', exc_info=True)
    logging.getLogger('lib').exception('in a %s', 'library')
"""
    for line in parsed(code):
        assert "ZeroDivisionError" in line["exception"]


def test_the_request_id_belongs_to_its_task() -> None:
    code = """
import asyncio
class Request:
    def __init__(self, id_):
        self.id_ = id_
    def describe(self):
        return {"request": self.id_, "n": 0}
async def request(id_):
    log.bind_request(Request(id_))
    await asyncio.sleep(0)
    log.get_logger('x').info('served', n=1)
    log.unbind_request()
    log.get_logger('x').info('idle')
async def main():
    await asyncio.gather(request('a'), request('b'))
asyncio.run(main())
"""
    assert [(line.get("request"), line.get("n")) for line in parsed(code)] == [
        ("a", 1),
        (None, None),
        ("b", 1),
        (None, None),
    ]


def test_libraries_come_out_the_same_way_without_access_lines() -> None:
    code = """
logging.getLogger('uvicorn.error').info('started on %s', 3000)
logging.getLogger('uvicorn.access').info('GET /')
logging.getLogger('alembic.runtime').info('chatter')
logging.getLogger('lib').log(35, 'odd %d', 'level')
"""
    assert [(line["source"], line["event"]) for line in parsed(code)] == [
        ("uvicorn", "started on 3000"),
        ("lib", "odd %d ('level',)"),
    ]


def test_text_lines_are_for_people_and_have_no_colours_in_a_file() -> None:
    (line,) = lines("log.get_logger('here').warning('an event', n=1)", level="warning", format_="text")
    assert "warning" in line and "an event" in line and "n=1" in line and "\x1b" not in line


def test_before_it_is_configured_nothing_goes_to_standard_output() -> None:
    code = "from phiomia.platform import log; log.get_logger('x').warning('early'); log.get_logger('x').info('hidden')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "" and "early" in done.stderr and "hidden" not in done.stderr


def test_rich_is_not_loaded_and_can_be_later() -> None:
    code = "import sys, phiomia.platform.log; assert 'rich' not in sys.modules; import rich.console, rich.table"
    subprocess.run([sys.executable, "-c", code], check=True)
