"""Everything that people do with each other, between our server and one on Fedify."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvips

from server import Member

from .fedify import Person, Strangers, run_strangers
from .peers import check_waits

pytestmark = pytest.mark.node
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strangers]:
    """Both servers, for all tests of this module."""
    with run_strangers(tmp_path_factory.mktemp("strangers")) as strangers:
        yield strangers
        check_waits(strangers.ours.waits)


@pytest.fixture
def strangers(running: Strangers) -> Iterator[Strangers]:
    """Both servers; ours must not log errors while the test runs."""
    running.ours.server.check_log()
    yield running
    running.ours.server.check_log()


@pytest.fixture(scope="module")
def friends(running: Strangers) -> tuple[Member, Person, str]:
    """Two who follow each other, with the id of the person at our server."""
    alice, gail = running.ours.sign_up("alice"), running.theirs.join("gail")
    return alice, gail, running.befriend(alice, gail)


Friends = tuple[Member, Person, str]


def write(strangers: Strangers, who: Member, text: str, **more: Any) -> dict[str, Any]:
    """A status of ours."""
    status: dict[str, Any] = strangers.ours.post("/api/v1/statuses", who, status=text, **more)
    return status


def uri_of(activity: dict[str, Any]) -> str:
    """The id of what an activity carries or names."""
    thing = activity["json"]["object"]
    return str(thing if isinstance(thing, str) else thing["id"])


def listed(value: Any) -> list[Any]:
    """A value of JSON-LD as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def audience(activity: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Whom the carried object is for."""
    note = activity["json"]["object"]
    return set(listed(note.get("to"))), set(listed(note.get("cc")))


def find_create(strangers: Strangers, status: dict[str, Any]) -> dict[str, Any]:
    """The Create of a status, once it has arrived over there."""

    def look() -> dict[str, Any] | None:
        made = (one for one in strangers.theirs.list_received() if one["type"] == "Create")
        return next((one for one in made if uri_of(one) == status["uri"]), None)

    found: dict[str, Any] = strangers.until(look, f"{status['uri']} arrives")
    return found


def list_votes(strangers: Strangers, uri: str) -> list[str]:
    """The answers that came to a poll."""
    things = [one["json"].get("object") for one in strangers.theirs.list_received() if one["type"] == "Create"]
    return [one["name"] for one in things if isinstance(one, dict) and one.get("inReplyTo") == uri and "name" in one]


def test_a_public_status_goes_there(strangers: Strangers, friends: Friends) -> None:
    alice, _, _ = friends
    arrived = find_create(strangers, write(strangers, alice, "Hello <strict> world"))
    assert "Hello &lt;strict&gt; world" in arrived["json"]["object"]["content"]
    to, _ = audience(arrived)
    assert to & {PUBLIC, "as:Public"}


@pytest.mark.parametrize("visibility", ["unlisted", "private", "direct"])
def test_visibilities_go_there(strangers: Strangers, friends: Friends, visibility: str) -> None:
    alice, gail, _ = friends
    status = write(strangers, alice, f"For {gail.handle} {visibility}", visibility=visibility)
    to, cc = audience(find_create(strangers, status))
    everybody, followers = {PUBLIC, "as:Public"}, f"{strangers.ours.actor(alice)}/followers"
    assert bool(cc & everybody) is (visibility == "unlisted")
    assert not to & everybody
    assert (followers in to) is (visibility != "direct")
    assert gail.uri in to | cc


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_visibilities_come_here(strangers: Strangers, friends: Friends, visibility: str) -> None:
    alice, gail, _ = friends
    uri = gail.does(
        "post",
        content=f"<p>Said {visibility}</p>",
        visibility=visibility,
        mentions=[strangers.ours.handle(alice)] if visibility == "direct" else [],
    )
    seen = strangers.ours.at_home(alice, uri)
    assert seen["visibility"] == visibility
    assert seen["content"] == f"<p>Said {visibility}</p>"
    carol = strangers.ours.sign_up("carol")
    found = strangers.ours.get("/api/v1/timelines/public", carol, remote="true", limit=40)
    assert (uri in [status["uri"] for status in found]) is (visibility == "public")


def test_a_mention_with_everything_comes_here(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    mine = write(strangers, alice, "What do you think?")
    uri = gail.does(
        "post",
        content=f'<p><a href="{strangers.ours.actor(alice)}" class="mention">@alice</a> fine :fennec: #desert</p>',
        mentions=[strangers.ours.handle(alice)],
        reply=mine["uri"],
        picture="A fennec at dusk",
        emoji="fennec",
        hashtag="desert",
    )
    seen = strangers.ours.at_home(alice, uri)
    assert seen["in_reply_to_id"] == mine["id"]
    assert [one["shortcode"] for one in seen["emojis"]] == ["fennec"]
    assert [one["name"] for one in seen["tags"]] == ["desert"]
    assert seen["media_attachments"][0]["description"] == "A fennec at dusk"
    notified = strangers.ours.notified(alice, "mention")
    assert notified["status"]["uri"] == uri


def test_edits_and_deletes_come_here(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    uri = gail.does("post", content="<p>Befor</p>")
    status = strangers.ours.at_home(alice, uri)
    gail.does("edit", uri=uri, content="<p>After</p>")
    path = f"/api/v1/statuses/{status['id']}"
    strangers.until(lambda: strangers.ours.get(path, alice)["content"] == "<p>After</p>" or None, "the edit")
    assert len(strangers.ours.get(f"{path}/history", alice)) == 2
    gail.does("delete", uri=uri)
    strangers.until(lambda: uri not in [one["uri"] for one in strangers.ours.home(alice)], "it is deleted")


def test_edits_and_deletes_go_there(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    status = write(strangers, alice, "Befor")
    find_create(strangers, status)
    strangers.ours.put(f"/api/v1/statuses/{status['id']}", alice, status="After")
    update = gail.receives("Update", object=status["uri"])
    assert "After" in update["json"]["object"]["content"]
    strangers.ours.delete(f"/api/v1/statuses/{status['id']}", alice)
    assert gail.receives("Delete", object=status["uri"])["json"]["object"]["type"] == "Tombstone"


def test_favourites_boosts_and_reactions_come_here(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    status = write(strangers, alice, "Like this")
    find_create(strangers, status)
    path = f"/api/v1/statuses/{status['id']}"

    def counts() -> tuple[int, int]:
        now = strangers.ours.get(path, alice)
        return now["favourites_count"], now["reblogs_count"]

    like = gail.does("act", kind="like", uri=status["uri"], whom=strangers.ours.actor(alice))
    boost = gail.does("act", kind="announce", uri=status["uri"], whom=strangers.ours.actor(alice))
    strangers.until(lambda: counts() == (1, 1) or None, "both are counted")
    strangers.ours.notified(alice, "favourite")
    strangers.ours.notified(alice, "reblog")
    gail.does("undo", kind="like", id=like, uri=status["uri"], whom=strangers.ours.actor(alice))
    gail.does("undo", kind="announce", id=boost, uri=status["uri"], whom=strangers.ours.actor(alice))
    strangers.until(lambda: counts() == (0, 0) or None, "both are taken back")


def test_favourites_and_boosts_go_there(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    uri = gail.does("post", content="<p>Worth it</p>")
    status = strangers.ours.at_home(alice, uri)
    strangers.ours.post(f"/api/v1/statuses/{status['id']}/favourite", alice)
    strangers.ours.post(f"/api/v1/statuses/{status['id']}/reblog", alice)
    like = gail.receives("Like", object=uri)
    announce = gail.receives("Announce", object=uri)
    strangers.ours.post(f"/api/v1/statuses/{status['id']}/unfavourite", alice)
    strangers.ours.post(f"/api/v1/statuses/{status['id']}/unreblog", alice)
    gail.receives("Undo", object=like["id"])
    gail.receives("Undo", object=announce["id"])


def test_their_poll_is_voted_on(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    uri = gail.does("post", content="<p>Which?</p>", options=["Sand", "Rock"])
    poll = strangers.ours.at_home(alice, uri)["poll"]
    assert [option["title"] for option in poll["options"]] == ["Sand", "Rock"]
    strangers.ours.post(f"/api/v1/polls/{poll['id']}/votes", alice, choices=[1])

    def is_counted() -> bool:
        now = strangers.ours.get(f"/api/v1/polls/{poll['id']}", alice)
        return [option["votes_count"] for option in now["options"]] == [0, 1] and now["own_votes"] == [1]

    strangers.until(is_counted, "the vote comes back counted")
    assert "Rock" in strangers.until(lambda: list_votes(strangers, uri), "the vote arrives")


def test_our_poll_is_understood(strangers: Strangers, friends: Friends) -> None:
    alice, _, _ = friends
    poll = {"options": ["Sand", "Rock"], "expires_in": 3600}
    question = find_create(strangers, write(strangers, alice, "Which?", poll=poll))["json"]["object"]
    assert question["type"] == "Question"
    assert [option["name"] for option in question["oneOf"]] == ["Sand", "Rock"]


def test_a_picture_goes_there(strangers: Strangers, friends: Friends, tmp_path: Path) -> None:
    alice, _, _ = friends
    file = tmp_path / "dunes.png"
    pyvips.Image.black(64, 48, bands=3).linear([0, 0, 0], [200, 120, 20]).cast("uchar").write_to_file(str(file))
    media = strangers.ours.upload(alice, file, "Dunes in the evening")
    status = write(strangers, alice, "Look", media_ids=[media])
    (picture,) = listed(find_create(strangers, status)["json"]["object"]["attachment"])
    assert picture["name"] == "Dunes in the evening"
    assert picture["mediaType"] == "image/png"


def test_documents_are_read_with_a_signature(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    status = write(strangers, alice, "For followers", visibility="private")
    find_create(strangers, status)
    assert gail.does("look", uri=status["uri"])["id"] == status["uri"]
    hugo = strangers.theirs.join("hugo")
    assert hugo.does("look", uri=status["uri"]) is None


def test_a_block_goes_both_ways(strangers: Strangers) -> None:
    alice, gina = strangers.ours.sign_up("alice"), strangers.theirs.join("gina")
    id_ = strangers.befriend(alice, gina)
    block = gina.does("act", kind="block", uri=strangers.ours.actor(alice), whom=strangers.ours.actor(alice))
    strangers.until_related(alice, id_, "following", False)
    strangers.until_related(alice, id_, "blocked_by")
    gina.does("undo", kind="block", id=block, uri=strangers.ours.actor(alice), whom=strangers.ours.actor(alice))
    strangers.until_related(alice, id_, "blocked_by", False)
    strangers.ours.post(f"/api/v1/accounts/{id_}/block", alice)
    gina.receives("Block", actor=strangers.ours.actor(alice), object=gina.uri)


def test_followers_come_along_to_another_server(strangers: Strangers) -> None:
    alice, gwen, bob = strangers.ours.sign_up("alice"), strangers.theirs.join("gwen"), strangers.ours.sign_up("bob")
    id_ = strangers.ours.find(alice, gwen.handle)["id"]
    strangers.ours.post(f"/api/v1/accounts/{id_}/follow", alice)
    strangers.until_related(alice, id_, "following")
    strangers.ours.server.command("accounts", "alias", bob.username, gwen.handle)
    gwen.does("move", target=strangers.ours.handle(bob))
    strangers.until_related(alice, bob.id, "following")
    strangers.until_related(alice, id_, "following", False)


def test_what_was_missed_arrives_once(strangers: Strangers) -> None:
    alice, gerda = strangers.ours.sign_up("alice"), strangers.theirs.join("gerda")
    strangers.befriend(alice, gerda)
    strangers.theirs.relay.is_away = True
    made = [write(strangers, alice, f"Missed {n}") for n in range(3)]

    def is_tried(status: Any) -> bool:
        told = strangers.ours.get(f"/api/phiomia/v1/statuses/{status['id']}/deliveries", alice)
        return any(one["attempts"] for one in told["deliveries"])

    # Once one has failed, the others may wait without having been tried.
    strangers.until(lambda: any(map(is_tried, made)), "the first try fails")
    strangers.theirs.relay.is_away = False
    uri = gerda.does("post", content="<p>Back again</p>")
    strangers.ours.at_home(alice, uri)
    for status in made:
        find_create(strangers, status)
    uris = [uri_of(one) for one in strangers.theirs.list_received() if one["type"] == "Create"]
    assert [uris.count(status["uri"]) for status in made] == [1, 1, 1]


def test_what_we_missed_arrives_once(strangers: Strangers, friends: Friends) -> None:
    alice, gail, _ = friends
    strangers.ours.server.stop()
    made = [gail.does("post", content=f"<p>While you slept {n}</p>") for n in range(3)]
    strangers.ours.server.start()
    for uri in made:
        strangers.ours.at_home(alice, uri)
    uris = [one["uri"] for one in strangers.ours.home(alice)]
    assert len(uris) == len(set(uris))
