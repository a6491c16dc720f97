"""How others find us."""

from __future__ import annotations

import json
from urllib.parse import quote

from phiomia.activitypub.webfinger import read_answer, read_host_meta
from phiomia.domain.accounts.state import AccountState
from phiomia.domain.peers.tombstones import bury
from phiomia.platform.settings import Registrations
from world import make_account

from .published import BASE, Site, publishing
from .strict import check

ALICE = f"{BASE}/users/alice"
WEBFINGER = "/.well-known/webfinger?resource="


@publishing()
async def test_an_account_is_found_by_all_its_names(site: Site) -> None:
    await make_account(site.db, "alice")
    names = ["acct:alice@phiomia.example", "alice@phiomia.example", "@alice@phiomia.example"]
    names += ["acct:ALICE@Phiomia.Example", "ACCT:alice@phiomia.example", "acct:@alice@phiomia.example"]
    names += [ALICE, f"{BASE}/@alice", f"{BASE}/@alice/", f"{BASE}/users/Alice", "http://phiomia.example/users/alice"]
    for name in names:
        for resource in (quote(name, safe=""), quote(name, safe=":/@")):
            answer = await site.get(f"{WEBFINGER}{resource}", "application/jrd+json, application/json")
            assert (answer.status, answer.type) == (200, "application/jrd+json"), resource
            found = read_answer(answer.body)
            assert (found.subject.acct, found.actor) == ("acct:alice@phiomia.example", ALICE)
            assert found.aliases == (f"{BASE}/@alice", ALICE)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=259200"
    again = await site.get(f"{WEBFINGER}acct:alice@phiomia.example", "", If_None_Match=answer.headers["etag"])
    assert again.status == 304


@publishing()
async def test_the_answer_names_page_and_picture(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    path = f"{WEBFINGER}acct:alice@phiomia.example"
    before = (await site.get(path)).document["links"]
    page = {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": f"{BASE}/@alice"}
    template = f"{BASE}/authorize_interaction"
    assert before == [
        page,
        {"rel": "self", "type": "application/activity+json", "href": ALICE},
        {"rel": "http://ostatus.org/schema/1.0/subscribe", "template": f"{template}?uri={{uri}}"},
        {"rel": "https://w3id.org/fep/3b86/Object", "template": f"{template}?uri={{object}}"},
    ]
    await site.execute("UPDATE accounts SET rev = rev + 1, avatar = 'a/1.png' WHERE id = :id", id=alice.id)
    after = (await site.get(path)).document["links"]
    picture = {"rel": "http://webfinger.net/rel/avatar", "type": "image/png", "href": f"{BASE}/media/a/1.png"}
    assert sorted(after, key=str) == sorted([*before, picture], key=str)


@publishing()
async def test_who_is_not_here_is_not_found(site: Site) -> None:
    await make_account(site.db, "alice")
    await make_account(site.db, "bob", domain="far.example")
    missing = ["acct:nobody@phiomia.example", "acct:alice@other.example", "acct:bob@far.example"]
    missing += ["acct:bob@phiomia.example", "https://far.example/users/bob", f"{BASE}/users/nobody"]
    missing += [f"{BASE}/users/alice/statuses/1", f"{BASE}/tags/alice"]
    for name in missing:
        answer = await site.get(f"{WEBFINGER}{quote(name)}")
        assert (answer.status, answer.headers["cache-control"]) == (404, "public, max-age=180"), name
    for resource in ("", "?resource=", "?resource=alice", "?resource=acct:", "?resource=https://", "?resource=%00@x"):
        assert (await site.get(f"/.well-known/webfinger{resource}")).status == 400, resource
    await site.db.write(lambda session: bury(session, f"{BASE}/users/gone"))
    assert (await site.get(f"{WEBFINGER}acct:gone@phiomia.example")).status == 410
    gone = await site.get("/users/gone")
    assert gone.status == 410
    check(json.loads(gone.body))


@publishing()
async def test_a_suspended_account_is_still_found(site: Site) -> None:
    await make_account(site.db, "alice", state=int(AccountState.SUSPENDED))
    found = read_answer((await site.get(f"{WEBFINGER}acct:alice@phiomia.example")).body)
    assert found.actor == ALICE


@publishing(local_domain="handle.example")
async def test_handles_may_have_a_domain_of_their_own(site: Site) -> None:
    await make_account(site.db, "alice")
    for name in ("acct:alice@handle.example", "acct:alice@phiomia.example", ALICE, "https://handle.example/@alice"):
        found = read_answer((await site.get(f"{WEBFINGER}{quote(name)}")).body)
        assert (found.subject.acct, found.actor) == ("acct:alice@handle.example", ALICE), name
    actor = (await site.get(ALICE)).document
    assert (actor["id"], actor["webfinger"]) == (ALICE, "alice@handle.example")


@publishing()
async def test_the_server_itself_is_an_actor(site: Site) -> None:
    actor = (await site.get("/actor")).document
    check(actor)
    assert (actor["id"], actor["type"]) == (f"{BASE}/actor", "Application")
    assert actor["preferredUsername"] == "phiomia.example"
    assert actor["publicKey"]["id"] == f"{BASE}/actor#main-key"
    assert actor["publicKey"]["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----\n")
    outbox = (await site.get(actor["outbox"])).document
    check(outbox)
    assert outbox["totalItems"] == 0
    for name in ("acct:phiomia.example@phiomia.example", f"{BASE}/actor"):
        found = read_answer((await site.get(f"{WEBFINGER}{quote(name)}")).body)
        assert (found.subject.acct, found.actor) == ("acct:phiomia.example@phiomia.example", f"{BASE}/actor")


@publishing()
async def test_host_meta_leads_to_webfinger(site: Site) -> None:
    template = f"{BASE}/.well-known/webfinger?resource={{uri}}"
    for accept in ("", "*/*", "application/xrd+xml", "text/html"):
        answer = await site.get("/.well-known/host-meta", accept)
        assert answer.type == "application/xrd+xml"
        assert read_host_meta(answer.body) == template
    for path, accept in (("/.well-known/host-meta.json", ""), ("/.well-known/host-meta", "application/json")):
        answer = await site.get(path, accept)
        assert answer.document == {"links": [{"rel": "lrdd", "template": template}]}


@publishing(registrations=Registrations(mode="open"))
async def test_nodeinfo_counts_what_is_here(site: Site) -> None:
    alice = await make_account(site.db, "alice")
    await make_account(site.db, "bob")
    far = await make_account(site.db, "carol", domain="far.example")
    await site.post(alice)
    await site.post(far, local=False, uri="https://far.example/1")
    links = (await site.get("/.well-known/nodeinfo", "")).document["links"]
    assert [link["rel"].rpartition("/")[2] for link in links] == ["2.0", "2.1", "activitystreams#Application"]
    assert links[2]["href"] == f"{BASE}/actor"
    for link, version in zip(links, ("2.0", "2.1"), strict=False):
        info = (await site.get(link["href"], "")).document
        assert info["version"] == version
        assert info["software"]["name"] == "phiomia"
        assert info["protocols"] == ["activitypub"]
        assert info["openRegistrations"] is True
        assert info["usage"] == {"users": {"total": 2, "activeMonth": 1, "activeHalfyear": 1}, "localPosts": 1}
        assert info.keys() == {"version", "software", "protocols", "services", "usage", "openRegistrations", "metadata"}
