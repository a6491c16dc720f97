"""The process that asks: one thread for each target, one for the stream and one for the database.

A release that does not know what is asked for says so (404 and the like). That is no failure: nobody is harmed. Neither
is it one that somebody has asked too often, or that there is no stream where there has never been one.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from phiomia.upgrade.database import Connection, connect
from phiomia.upgrade.prober.ask import PATIENCE_S, ask
from phiomia.upgrade.prober.enrolment import (
    Identity,
    Signing,
    enrol,
    look_up,
    make_identity,
    oldest_job,
    renew,
    strike_off,
)
from phiomia.upgrade.prober.samples import SampleFile
from phiomia.upgrade.prober.stream import Dropped, Listener, Refused
from phiomia.upgrade.prober.targets import LETTER, READ, STREAM, WRITE, Target

LOOK_EVERY_S = 2.0
SOON_S = 0.2
RENEW_EVERY_S = 60.0
# What a stream listens to it does not listen to from the very moment on that it is open.
LISTENS_AFTER_S = 1.0
# What was accepted last gets this long to arrive.
LAST_S = 5.0
# How an older release answers to what it does not know.
_ABSENT = {WRITE: (404, 405), LETTER: (403, 404), STREAM: (400, 401, 404)}
_TOO_OFTEN = 429


@dataclass
class _Heard:
    """What the stream was asked to tell, and what it has told."""

    begun: dict[int, float] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    got: set[int] = field(default_factory=set)
    listens_since: float | None = None
    ever: bool = False

    @property
    def listens(self) -> bool:
        since = self.listens_since
        return since is not None and time.monotonic() - since > LISTENS_AFTER_S

    @property
    def misses(self) -> bool:
        return bool(self.sent - self.got)


class Prober:
    """Asks until it is told that it is enough."""

    def __init__(self, path: Path, targets: Iterable[Target], database_url: str, signing: Signing) -> None:
        self._file = SampleFile(path)
        self._targets = list(targets)
        self._database_url = database_url
        self._signing = signing
        self._identity = make_identity(signing.make_keys)
        self._enough = threading.Event()
        self._all_heard = threading.Event()
        self._enrolled = threading.Event()
        self._heard = _Heard()
        self._renewed = 0.0
        self._numbers = {WRITE: 0, LETTER: 0}

    def run(self, is_enough: Callable[[], bool]) -> None:
        """Asks; looks now and then whether it is enough."""
        how = {READ: self._read, WRITE: self._write, LETTER: self._send_letter}
        asking = [self._start(self._repeat, one, how[one.kind]) for one in self._targets if one.kind in how]
        listening = [self._start(self._listen, one) for one in self._targets if one.kind == STREAM]
        attending = [self._start(self._attend)] if self._database_url else []
        while not is_enough():
            time.sleep(0.1)
        self._enough.set()
        _join(asking)
        self._wait(lambda: not self._heard.misses)
        self._all_heard.set()
        _join([*listening, *attending])
        self._leave()
        self._file.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        return thread

    def _repeat(self, target: Target, once: Callable[[Target], None]) -> None:
        while not self._enough.is_set():
            if target.kind != READ and not self._enrolled.wait(SOON_S):
                continue
            began = time.monotonic()
            once(target)
            self._enough.wait(max(0.0, target.period_s - (time.monotonic() - began)))

    # Requests

    def _read(self, target: Target) -> None:
        self._request(target, "GET", target.headers)

    def _write(self, target: Target) -> None:
        number = self._next(WRITE)
        listening = self._heard.listens
        self._heard.begun[number] = time.monotonic()
        body = json.dumps({"n": number, "listening": listening}).encode()
        headers = {**target.headers, **self._identity.headers, "Content-Type": "application/json"}
        if self._request(target, "POST", headers, body) and listening:
            self._heard.sent.add(number)
            self._file.note("sent", n=number)

    def _send_letter(self, target: Target) -> None:
        actor = f"{target.seen_as}/upgrade-probe/{self._identity.id}"
        letter = {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": f"{actor}/{self._next(LETTER)}",
            "type": "Create",
            "actor": actor,
            "object": {"type": "Note", "attributedTo": actor, "content": "Is anybody there?"},
        }
        body = json.dumps(letter).encode()
        url = f"{target.seen_as}{target.path}"
        signed = self._signing.sign(url, f"{actor}#main-key", self._identity.private_key, body)
        headers = {**target.headers, **signed, "Content-Type": "application/activity+json"}
        self._request(target, "POST", headers, body)

    def _request(self, target: Target, method: str, headers: dict[str, str], body: bytes | None = None) -> bool:
        at = time.time()
        answer = ask(method, target.url, headers, body)
        if answer.status in _ABSENT.get(target.kind, ()):
            self._file.note("absent", target=target.name)
            return False
        if answer.status == _TOO_OFTEN:
            self._file.note("limited", target=target.name)
            return False
        right = answer.status == target.status
        wrong = "" if right else f"{target.path}: {answer.why or f'status {answer.status}'}"
        self._file.request(at, target.name, answer.ms, wrong)
        return right

    def _next(self, kind: str) -> int:
        self._numbers[kind] += 1
        return self._numbers[kind]

    # The stream

    def _listen(self, target: Target) -> None:
        while not self._enough.is_set():
            if not self._enrolled.wait(SOON_S):
                continue
            listener = self._open(target)
            if listener is not None:
                self._hear(listener)
            self._enough.wait(target.period_s)

    def _open(self, target: Target) -> Listener | None:
        at, began, wrong = time.time(), time.monotonic(), ""
        try:
            listener = Listener(target.url, {**target.headers, **self._identity.headers})
        except Refused as error:
            if error.status in _ABSENT[STREAM]:
                self._file.note("absent", target=target.name)
                return None
            wrong = str(error)
        except (OSError, Dropped) as error:
            wrong = str(error) or type(error).__name__
        if wrong and not self._heard.ever:
            self._file.note("absent", target=target.name)
            return None
        path = target.path.partition("?")[0]
        took = (time.monotonic() - began) * 1000
        self._file.request(at, target.name, took, f"{path}: {wrong}" if wrong else "")
        return None if wrong else listener

    def _hear(self, listener: Listener) -> None:
        self._file.note("opened")
        self._heard.ever = True
        self._heard.listens_since = time.monotonic()
        try:
            while not self._all_heard.is_set():
                for text in listener.read():
                    self._take(text)
        except Dropped as error:
            self._file.note("dropped", why=str(error))
        finally:
            self._heard.listens_since = None
            listener.close()

    def _take(self, text: str) -> None:
        message = json.loads(text)
        if message.get("event") != "probe":
            return
        told = json.loads(message["payload"])
        if told["probe"] == self._identity.id:
            number = int(told["n"])
            late = time.monotonic() - self._heard.begun.get(number, time.monotonic())
            self._heard.got.add(number)
            self._file.note("event", n=number, ms=round(late * 1000, 2))

    # The database

    def _attend(self) -> None:
        while not self._enough.is_set():
            try:
                self._look()
            except Exception as error:
                # Whatever is wrong with it: that it could not be asked is a part of what was seen.
                self._file.note("trouble", why=str(error) or type(error).__name__)
            self._enough.wait(LOOK_EVERY_S)

    def _look(self) -> None:
        with connect(self._database_url) as connection:
            if not self._enrolled.is_set():
                if enrol(connection, self._identity):
                    self._renewed = time.monotonic()
                    self._enrolled.set()
            elif time.monotonic() - self._renewed > RENEW_EVERY_S:
                renew(connection, self._identity)
                self._renewed = time.monotonic()
            self._file.note("jobs", age_s=oldest_job(connection))

    def _leave(self) -> None:
        if not self._enrolled.is_set():
            return
        try:
            with connect(self._database_url) as connection:
                self._wait(lambda: _all_taken(connection, self._identity))
                self._file.note("arrived", **look_up(connection, self._identity)._asdict())
                strike_off(connection, self._identity)
        except Exception as error:
            self._file.note("trouble", why=str(error) or type(error).__name__)

    def _wait(self, enough: Callable[[], bool]) -> None:
        until = time.monotonic() + LAST_S
        while not enough() and time.monotonic() < until:
            time.sleep(0.05)


def _all_taken(connection: Connection, identity: Identity) -> bool:
    arrived = look_up(connection, identity)
    return arrived.taken >= arrived.letters or arrived.waiting == 0


def _join(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE_S)
