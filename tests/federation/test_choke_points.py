"""There is one way out, one gate for what comes from elsewhere, one rule of who sees what, one sanitiser.

Read from the source: whoever adds another way has to say so here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import phiomia

ROOT = Path(phiomia.__file__).parent


@cache
def sources() -> dict[str, str]:
    """The text of every module by its path."""
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))}


@cache
def nodes(path: str) -> list[ast.AST]:
    """All that a module consists of."""
    return list(ast.walk(ast.parse(sources()[path])))


def modules(*words: str) -> dict[str, list[ast.AST]]:
    """The modules with one of these words in them, by path: no other can name it, and to parse them all takes long."""
    return {path: nodes(path) for path, text in sources().items() if any(word in text for word in words)}


def imports(inside: list[ast.AST]) -> Iterator[str]:
    """The full names of all that a module imports, wherever it does so."""
    for node in inside:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(*names: str) -> set[str]:
    """The modules that import one of these packages."""
    return {
        path
        for path, inside in modules(*(name.rpartition(".")[2] for name in names)).items()
        if any(found == name or found.startswith(f"{name}.") for found in imports(inside) for name in names)
    }


def mentions(*names: str) -> set[str]:
    """The modules that call something of these names, or get it as an attribute."""

    def is_named(node: ast.AST) -> bool:
        return (isinstance(node, ast.Attribute) and node.attr in names) or (
            isinstance(node, ast.Name) and node.id in names
        )

    return {path for path, inside in modules(*names).items() if any(map(is_named, inside))}


def within(found: set[str], allowed: set[str]) -> None:
    """Fails if something was found elsewhere, or if what is allowed is not needed any more."""
    assert found - allowed == set(), "goes round the one way"
    assert allowed - found == set(), "is allowed for nothing"


def test_one_fetcher() -> None:
    within(importers("aiohttp"), {"platform/http.py", "platform/pinned_names.py"})
    clients = ("httpx", "requests", "urllib3", "urllib.request", "http.client", "ftplib", "websockets", "pycurl")
    # An upgrade asks the server whose upgrade it is, at the addresses that the operator has set.
    within(importers(*clients), {"upgrade/prober/ask.py"})
    # Mail and files go where the operator says, and nobody else says where that is.
    within(importers("smtplib"), {"domain/users/smtp.py"})
    within(importers("obstore"), {"platform/object_storage.py"})


def test_nobody_opens_sockets_to_others() -> None:
    openers = ("open_connection", "create_connection", "sock_connect", "urlopen", "getaddrinfo", "gethostbyname")
    within(mentions(*openers) - {"platform/http.py"}, {"upgrade/prober/ask.py", "upgrade/prober/stream.py"})
    plain = {
        path
        for path, inside in modules(*CONNECTING).items()
        for node in inside
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CONNECTING
    }
    assert plain <= LOCAL_SOCKETS, plain - LOCAL_SOCKETS


CONNECTING = {"connect", "connect_ex"}
# The operator's databases, and unix sockets between the processes of one server.
LOCAL_SOCKETS = {
    "cli/open.py",
    "platform/bus.py",
    "platform/db/postgresql.py",
    "platform/db/sqlite.py",
    "platform/hub.py",
    "platform/listen.py",
    "platform/notify.py",
    "streaming/giving.py",
    "platform/park.py",
    "platform/passing.py",
    "platform/seat.py",
    "upgrade/database.py",
    "upgrade/migration_rules.py",  # a database in memory
    "upgrade/schema_postgresql.py",
}


def test_one_gate_for_documents() -> None:
    within(mentions("store_remote_account"), {"federation/resolve.py"})
    # Whoever asks for documents gets them with their origin checked; others get bytes and make nothing of them.
    asking = {
        path
        for path, inside in modules("client").items()
        for node in inside
        if isinstance(node, ast.Attribute) and node.attr in ("get", "post")
        if isinstance(node.value, ast.Attribute) and node.value.attr == "client"
    }
    within(asking, {"federation/documents_of_others.py", "federation/outbox/deliver.py"})


def test_what_comes_in_is_written_in_one_place() -> None:
    def of_federation(*names: str) -> set[str]:
        return {path for path in mentions(*names) if path.startswith("federation/")}

    # A document becomes a draft where its origin has just been checked, a draft becomes a status where that is placed.
    within(of_federation("parse_actor"), {"federation/resolve.py"})
    within(
        of_federation("parse_note"),
        {"federation/inbox/create.py", "federation/inbox/update.py", "federation/inbox/look_again.py"},
    )
    within(of_federation("StatusDraft"), {"federation/inbox/placing.py"})
    within(of_federation("create_status"), {"federation/inbox/create.py"})
    within(of_federation("edit_status"), {"federation/inbox/update.py"})
    # Bytes become an object where size and depth are bounded.
    decoding = {path for path in mentions("msgspec") if path.startswith("federation/")} & _decoding()
    within(
        decoding,
        {
            "federation/documents_of_others.py",
            "federation/inbox/receive.py",
            "federation/keys.py",  # keys as they are stored here
        },
    )


def _decoding() -> set[str]:
    """The modules that decode JSON by themselves."""
    return {
        path
        for path, inside in modules("decode", "Decoder").items()
        for node in inside
        if isinstance(node, ast.Attribute) and node.attr in ("decode", "Decoder")
        if isinstance(node.value, ast.Attribute) and node.value.attr == "json"
    }


def test_one_sanitiser() -> None:
    parsers = ("nh3", "bleach", "lxml", "html.parser", "html5lib", "bs4", "selectolax", "turbohtml", "justhtml")
    # Pages of others are read for their titles and links; nothing of their markup goes on.
    assert importers(*parsers) - {"domain/statuses/read_page.py"} == {"platform/html.py"}
    within(importers("markupsafe"), {"web/shown.py"})
    # Text of others is cleaned where it is read, and nowhere is it read without.
    within(
        {path for path in mentions("sanitise") if path.startswith("federation/")},
        {"federation/parse/actor.py", "federation/parse/note.py", "federation/parse/recommendations.py"},
    )
    within({path for path in importers("markupsafe") if not path.startswith("web/")}, set())


def test_one_rule_of_who_sees_what() -> None:
    # What compares visibilities in SQL. A place that shows posts to people uses `policy.py`, whatever else it asks.
    comparing = {path for path, inside in modules("visibility").items() if any(map(_compares_visibility, inside))}
    showing = {path for path in comparing if path.startswith(("api/", "web/", "entities/", "streaming/"))}
    assert showing == set(), "edges ask the domain"
    within(comparing, COMPARING | {"domain/statuses/policy.py"})


# Narrower than the rule, beside it, or about whom to tell rather than who may look.
COMPARING = {
    "domain/notifications/rules.py",  # with the rule
    "domain/search/queries.py",  # with the rule
    "domain/statuses/answered.py",  # counts what everybody may see
    "domain/statuses/documents.py",  # lists what everybody may see
    "domain/statuses/featured_tags.py",  # counts what everybody may see
    "domain/statuses/marks.py",  # with the rule
    "domain/statuses/recipients.py",  # where deliveries go
    "domain/statuses/replies.py",  # what is asked for elsewhere
    "domain/timelines/account.py",  # with the rule
    "domain/timelines/fan_out.py",  # whose feeds it goes into
    "domain/timelines/feeds.py",  # the same, for a new follow
    "domain/timelines/home.py",  # the same, by query
    "domain/timelines/public.py",  # what everybody may see
}


def _compares_visibility(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) and any(
        isinstance(side, ast.Attribute)
        and side.attr == "visibility"
        and isinstance(side.value, ast.Attribute)
        and side.value.attr == "c"
        for side in (node.left, *node.comparators)
    )


@pytest.mark.parametrize("name", ["platform/http.py", "platform/html.py", "domain/statuses/policy.py"])
def test_the_ways_are_where_they_are_said_to_be(name: str) -> None:
    assert name in sources()
