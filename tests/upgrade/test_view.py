"""What stands on a terminal while an upgrade is under way and becomes a program of the new release."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest

_WIDTH, _HEIGHT = 100, 30
_PIECE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n])", re.DOTALL)
_PROGRAM = """
import os, sys, time
from phiomia.cli.upgrade_view import LiveReport

names = ["fetch", "build", "switch"]
steps = [{"id": name, "phase": name, "title": f"Do the {name}"} for name in names]
plan = {"installed": "0.1.0", "target": "0.2.0", "legs": [{"steps": steps}]}
report = LiveReport()
if sys.argv[1] == "old":
    print("Upgrade from 0.1.0 to 0.2.0", flush=True)
    report.plan(plan, {}, time.time())
    for step in steps[:2]:
        report.start(0, step)
        report.say("a line of it")
        time.sleep(0.3)
        report.finish(0, step, 0.3)
    report.hand_over()
    os.execv(sys.executable, [sys.executable, __file__, "new"])
done = {(0, step["id"]): {"seconds": 0.3} for step in steps[:2]}
report.plan(plan, done, time.time())
report.start(0, steps[2])
time.sleep(0.3)
report.finish(0, steps[2], 0.3)
report.close()
print("0.1.0 is 0.2.0 now", flush=True)
"""


class Screen:
    """As much of a terminal as the view makes use of."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.hides_cursor = False

    def take(self, text: str) -> None:
        """Shows it."""
        for arguments, command, move, letter in _PIECE.findall(text):
            if move == "\n":
                self._go(self.row + 1)
            elif move == "\r":
                self.column = 0
            elif letter:
                self._put(letter)
            else:
                self._obey(arguments, command)

    @property
    def text(self) -> str:
        """What stands there."""
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()

    def _obey(self, arguments: str, command: str) -> None:
        if command == "A":
            self._go(max(0, self.row - int(arguments or 1)))
        elif command == "K" and arguments == "2":
            self.lines[self.row] = []
        elif arguments == "?25":
            self.hides_cursor = command == "l"
        else:
            assert command == "m", f"what is {arguments}{command}?"

    def _go(self, row: int) -> None:
        self.row = row
        self.lines += [[] for _ in range(row + 1 - len(self.lines))]

    def _put(self, letter: str) -> None:
        line = self.lines[self.row]
        line += [" "] * (self.column + 1 - len(line))
        line[self.column] = letter
        self.column += 1


@pytest.mark.timeout(60)
def test_there_is_one_picture_whichever_release_draws_it(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _HEIGHT, _WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "PYTHONUTF8": "1"}
    command = [sys.executable, str(program), "old"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    try:
        while data := os.read(ours, 65536):
            said += data
    except OSError:
        pass  # so Linux says that nobody holds the other end any more
    assert process.wait(30) == 0
    screen = Screen()
    screen.take(said.decode())
    os.close(ours)
    assert not screen.hides_cursor
    shown = [re.sub(r"\s+", " ", line).strip() for line in screen.text.split("\n") if line.strip()]
    assert shown[0] == "Upgrade from 0.1.0 to 0.2.0" and shown[-1] == "0.1.0 is 0.2.0 now"
    assert sum("0.1.0 → 0.2.0" in line for line in shown) == 1, screen.text
    assert shown[1].startswith("0.1.0 → 0.2.0 3 of 3")
    for name in ("fetch", "build", "switch"):
        assert shown.count(f"{name} ✔ Do the {name} 0.3 s") == 1, screen.text
    assert len(shown) == 8, screen.text
