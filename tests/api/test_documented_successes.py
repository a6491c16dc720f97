"""Each successful status that the description promises is really given, with a body that is what the facts say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import msgspec

from contract import assert_answers
from phiomia.api import media
from phiomia.api.endpoint import Endpoint
from phiomia.domain.instance.probes import PROBE_BEARER
from phiomia.domain.instance.vapid_key import load_vapid_key
from phiomia.domain.media.kinds import MediaState
from phiomia.domain.moderation.announcements import NewAnnouncement, announce
from phiomia.domain.moderation.texts import TextKind, write_text
from phiomia.domain.notifications.push_seal import sign_subscription
from phiomia.domain.statuses.card_views import CardState
from phiomia.domain.users.invites import invite
from phiomia.platform.clock import DAY, now_ms
from phiomia.platform.settings import Registrations
from world import BASE, Account, Answer, World, story

from .test_documented_statuses import ALL, MODULES, _described
from .test_media import PNG, at_work, encode_multipart, furnished
from .test_oauth import CALLBACK, App, app_token, make_code, redeem, register
from .test_push import Device
from .test_translation import serve

GOOD = re.compile("[23]..")
LATER = "2999-01-01T00:00:00Z"
LINK = "https://there.example/page"
UPLOADS = {"POST /api/v1/media", "POST /api/v2/media"}
# Which nobody here offers; it promises no success either.
REFUSED = {"POST /api/v1/accounts/:id/email_subscriptions"}
Find = Callable[["Tour", Endpoint], Awaitable[Any]]


class Tour:
    """Asks for everything, each time with something of its own, so that the order does not matter."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.given: dict[str, set[str]] = {}
        self.faults: list[str] = []
        self.number = 0
        self.files: Any = None

    async def prepare(self) -> None:
        """What all of it needs."""
        world = self.world
        self.alice, self.bob = await world.account("alice"), await world.account("bob")
        self.app: App = await register(world, "read write follow push profile")
        await self.act("POST /api/v1/accounts/:id/follow", self.alice, id=self.bob.id)
        await self.act("POST /api/v1/accounts/:id/follow", self.bob, id=self.alice.id)
        privacy = TextKind.PRIVACY, "Words", ""
        for kind, text, date in (privacy, (TextKind.TERMS, "Terms", "2020-01-01")):
            await world.write(partial(write_text, kind=kind, source=text, effective_date=date))
        await world.execute(
            "INSERT INTO upgrade_probes (id, secret_hash, expires_at) VALUES ('p', :hash, :until)",
            hash=hashlib.sha256(f"{PROBE_BEARER}x".encode()).hexdigest(),
            until=now_ms() + DAY,
        )

    def name(self) -> str:
        """Something that was not said before."""
        self.number += 1
        return f"name{self.number}"

    async def act(self, endpoint: str, who: Account, *, id: Any = None, **sent: Any) -> Any:
        """What the server answers to something that must succeed."""
        method, _, path = endpoint.partition(" ")
        answer = await self.world.client.request(method, path.replace(":id", str(id)), who, json=sent or None)
        assert answer.status == 200, f"{endpoint}: {answer.body!r}"
        return answer.json

    async def post(self, who: Account | None = None, **more: Any) -> str:
        """The id of a new status."""
        sent = {"status": self.name(), "quote_approval_policy": "public"} | more
        made: str = (await self.act("POST /api/v1/statuses", who or self.alice, **sent))["id"]
        return made

    async def visit(self, one: Endpoint) -> None:
        """Asks for one operation and looks at the answer."""
        name = f"{one.method} {one.path}"
        path, sent = await self._address(one), await self._words(one)
        who = sent.pop("who", self.alice)
        self.note(one, name, await self.world.client.request(one.method, path, who, **sent))

    def note(self, one: Endpoint, name: str, answer: Answer) -> None:
        """Keeps the status; whatever is wrong with the body is a fault."""
        self.given.setdefault(name, set()).add(str(answer.status))
        if answer.status >= 400:
            self.faults.append(f"{name}: {answer.status} {answer.body!r:.200}")
        elif answer.status in (204, 302):
            if answer.body:
                self.faults.append(f"{name}: a body with {answer.status}")
        else:
            try:
                assert_answers(name, one.returns, answer.json)
            except AssertionError as error:
                self.faults.append(f"{name}: {error}")

    async def _address(self, one: Endpoint) -> str:
        path = one.path
        for before, find in PLACES.items():
            if re.search(before, path):
                ids = await find(self, one)
                for id_ in ids if isinstance(ids, tuple) else (ids,):
                    path = re.sub(r":\w+", str(id_), path, count=1)
        return path

    async def _words(self, one: Endpoint) -> dict[str, Any]:
        name = f"{one.method} {one.path}"
        find = WORDS.get(name) or WORDS.get(f"{one.method} {re.sub('v1_alpha', 'v1', one.path)}")
        if find is None:
            return {}
        found = find(self)
        return dict(found if isinstance(found, dict) else await found)


async def _status(tour: Tour, one: Endpoint) -> Any:
    if one.path.endswith("/revoke"):
        quoted = await tour.post()
        return quoted, await tour.post(tour.bob, quoted_status_id=quoted)
    more: dict[str, Any] = {}
    if one.path.endswith("/translate"):
        more = {"status": "Hello", "language": "en"}
    return await tour.post(**more)


async def _collection(tour: Tour, one: Endpoint) -> Any:
    revoking = one.path.endswith("/revoke")
    owner, other = (tour.bob, tour.alice) if revoking else (tour.alice, tour.bob)
    await tour.world.execute("UPDATE accounts SET discoverable = true WHERE id = :id", id=other.id)
    await tour.world.execute("DELETE FROM collections")
    made = await tour.act("POST /api/v1/collections", owner, name=tour.name())
    id_ = made["collection"]["id"]
    if "/items" not in one.path or one.path.endswith("/items"):
        return id_
    item = await tour.act("POST /api/v1/collections/:id/items", owner, id=id_, account_id=str(other.id))
    return id_, item["collection_item"]["id"]


async def _conversation(tour: Tour, one: Endpoint) -> Any:
    await tour.post(tour.bob, status="@alice psst", visibility="direct")
    return (await tour.act("GET /api/v1/conversations", tour.alice))[0]["id"]


async def _filter(tour: Tour, one: Endpoint) -> Any:
    made = await tour.act(
        "POST /api/v2/filters",
        tour.alice,
        title=tour.name(),
        context=["home"],
        keywords_attributes=[{"keyword": tour.name()}],
    )
    keyword = made["keywords"][0]["id"]
    if "keywords/:id" in one.path or "/v1/" in one.path:
        return keyword
    if "statuses/:id" not in one.path:
        return made["id"]
    status = await tour.post()
    return (await tour.act("POST /api/v2/filters/:id/statuses", tour.alice, id=made["id"], status_id=status))["id"]


async def _request(tour: Tour, one: Endpoint) -> Any:
    fan = await tour.world.account(tour.name())
    await tour.world.execute("UPDATE accounts SET locked = true WHERE id = :id", id=tour.alice.id)
    await tour.act("POST /api/v1/accounts/:id/follow", fan, id=tour.alice.id)
    return fan.id


async def _list(tour: Tour, one: Endpoint) -> Any:
    made = (await tour.act("POST /api/v1/lists", tour.alice, title=tour.name()))["id"]
    await tour.act("POST /api/v1/lists/:id/accounts", tour.alice, id=made, account_ids=[str(tour.bob.id)])
    return made


async def _media(tour: Tour, one: Endpoint) -> Any:
    return await tour.world.picture(tour.alice)


async def _notification(tour: Tour, one: Endpoint) -> Any:
    await tour.act("POST /api/v1/statuses/:id/favourite", tour.bob, id=await tour.post())
    told = (await tour.act("GET /api/v1/notifications", tour.alice))[0]
    return told["group_key"] if "group_key" in one.path else told["id"]


async def _notification_request(tour: Tour, one: Endpoint) -> Any:
    await tour.act("PATCH /api/v2/notifications/policy", tour.alice, for_not_following="filter")
    stranger = await tour.world.account(tour.name())
    await tour.post(stranger, status="@alice hello")
    return (await tour.act("GET /api/v1/notifications/requests", tour.alice))[0]["id"]


async def _poll(tour: Tour, one: Endpoint) -> Any:
    id_ = await tour.post(tour.bob, poll={"options": ["a", "b"], "expires_in": 600})
    return (await tour.act("GET /api/v1/statuses/:id", tour.alice, id=id_))["poll"]["id"]


async def _announcement(tour: Tour, one: Endpoint) -> Any:
    id_ = await tour.world.write(lambda session: announce(session, NewAnnouncement(tour.name()), base=BASE))
    if one.method == "DELETE":
        answer = await tour.world.client.put(f"/api/v1/announcements/{id_}/reactions/%F0%9F%90%98", tour.alice)
        assert answer.status == 200, answer.body
    return id_, "%F0%9F%90%98"


async def _featured_tag(tour: Tour, one: Endpoint) -> Any:
    return (await tour.act("POST /api/v1/featured_tags", tour.alice, name=tour.name()))["id"]


async def _scheduled(tour: Tour, one: Endpoint) -> Any:
    return await tour.post(scheduled_at=LATER)


async def _subscription(tour: Tour, one: Endpoint) -> Any:
    key = await load_vapid_key(tour.world.db)
    await _subscribe(tour)
    return sign_subscription(key, await tour.world.value("SELECT id FROM push_subscriptions"))


async def _subscribe(tour: Tour) -> Any:
    return await tour.act("POST /api/v1/push/subscription", tour.alice, **Device().form("https://push.example/1"))


async def _refresh(tour: Tour, one: Endpoint) -> Any:
    return f"{await tour.post()}-0"


async def _account(tour: Tour, one: Endpoint) -> Any:
    own = ("/in_collections", "/identity_proofs")
    if one.path.endswith("/remove_from_followers"):
        return await _request(tour, one)
    # Whom they endorse they follow, which other visits may have ended.
    if one.method == "POST" and one.path.endswith(("/endorse", "/pin")):
        await tour.act("POST /api/v1/accounts/:id/follow", tour.alice, id=tour.bob.id)
    return tour.alice.id if one.path.endswith(own) else tour.bob.id


async def _invite(tour: Tour, one: Endpoint) -> Any:
    return await tour.world.write(lambda session: invite(session, max_uses=1))


async def _text(tour: Tour, one: Endpoint) -> Any:
    return "2020-01-01"


async def _tag(tour: Tour, one: Endpoint) -> Any:
    name = tour.name()
    await tour.post(status=f"#{name}")
    return name


# What the parameters of a path stand for.
PLACES: dict[str, Find] = {
    r"/filters/": _filter,
    r"/statuses/:id": _status,
    r"/collections/:id": _collection,
    r"/conversations/:id": _conversation,
    r"/follow_requests/:|/suggestions/:": _request,
    r"/lists?/:": _list,
    r"/media/:id": _media,
    r"/notifications/:": _notification,
    r"/notifications/requests/:": _notification_request,
    r"/polls/:id": _poll,
    r"/announcements/:id": _announcement,
    r"/featured_tags/:id": _featured_tag,
    r"/scheduled_statuses/:id": _scheduled,
    r"/push_subscriptions/:id": _subscription,
    r"/async_refreshes/:id": _refresh,
    r"/accounts/:id": _account,
    r"/invite/:": _invite,
    r"/terms_of_service/:": _text,
    r"/tags?/:(name|hashtag)": _tag,
}


def _json(**sent: Any) -> Callable[[Tour], Any]:
    return lambda tour: {"json": sent}


def _query(**asked: Any) -> Callable[[Tour], Any]:
    return lambda tour: {"query": asked}


async def _token_words(tour: Tour) -> dict[str, Any]:
    form = {"grant_type": "client_credentials", "scope": "read", **tour.app.credentials}
    return {"form": form, "who": None}


async def _revoke_words(tour: Tour) -> dict[str, Any]:
    return {"form": {"token": await app_token(tour.world, tour.app), **tour.app.credentials}, "who": None}


async def _app_words(tour: Tour) -> dict[str, Any]:
    return {"who": await app_token(tour.world, tour.app, "read write")}


async def _sign_up_words(tour: Tour) -> dict[str, Any]:
    name = tour.name()
    form = {"username": name, "email": f"{name}@mail.example", "password": "correct horse", "agreement": True}
    return {"json": form} | await _app_words(tour)


async def _unconfirmed_words(tour: Tour) -> dict[str, Any]:
    signed_up = await tour.world.client.request("POST", "/api/v1/accounts", **await _sign_up_words(tour))
    assert signed_up.status == 200, signed_up.body
    return {"who": signed_up.json["access_token"]}


async def _info_words(tour: Tour) -> dict[str, Any]:
    code = await make_code(tour.world, tour.app, tour.alice)
    return {"who": (await redeem(tour.world, tour.app, code)).json["access_token"]}


async def _request_words(tour: Tour) -> dict[str, Any]:
    return {"json": {"id": [await _notification_request(tour, ALL[0])]}}


async def _subscribed_words(tour: Tour) -> dict[str, Any]:
    await _subscribe(tour)
    return {"json": {"data": {"alerts": {"mention": True}}}}


async def _linked_words(tour: Tour) -> dict[str, Any]:
    id_ = await tour.post()
    await tour.world.execute("DELETE FROM cards")
    columns = "id, rev, url, state, kind, title, created_at"
    values = f"{int(id_)}, 1, '{LINK}', {int(CardState.SHOWN)}, 0, 'A page', 1"
    await tour.world.execute(f"INSERT INTO cards ({columns}) VALUES ({values})")
    await tour.world.execute("UPDATE statuses SET card_id = :id WHERE id = :id", id=int(id_))
    return {"query": {"url": LINK}}


async def _embed_words(tour: Tour) -> dict[str, Any]:
    return {"query": {"url": f"{BASE}/@alice/{await tour.post()}"}, "who": None}


async def _filtered_words(tour: Tour) -> dict[str, Any]:
    return {"json": {"status_id": await tour.post()}}


async def _item_words(tour: Tour) -> dict[str, Any]:
    return {"json": {"account_id": str(tour.bob.id)}}


async def _new_collection_words(tour: Tour) -> dict[str, Any]:
    await tour.world.execute("DELETE FROM collections")
    return {"json": {"name": tour.name()}}


async def _listed_words(tour: Tour) -> dict[str, Any]:
    third = await tour.world.account(tour.name())
    await tour.act("POST /api/v1/accounts/:id/follow", tour.alice, id=third.id)
    return {"json": {"account_ids": [str(third.id)]}}


_FILTER = {"phrase": "x", "context": ["home"]}
# What an operation needs besides.
WORDS: dict[str, Callable[[Tour], Any]] = {
    "GET /api/v1/accounts/lookup": _query(acct="bob"),
    "GET /api/v1/accounts/relationships": lambda tour: {"query": {"id": [tour.bob.id]}},
    "GET /api/v1/accounts": lambda tour: {"query": {"id": [tour.bob.id]}},
    "GET /api/v1/accounts/search": _query(q="bob"),
    "GET /api/v1/accounts/familiar_followers": lambda tour: {"query": {"id": [tour.bob.id]}},
    "GET /api/v1/domain_blocks/preview": _query(domain="far.example"),
    "GET /.well-known/proxy": _query(uri=f"{BASE}/@alice"),
    "GET /api/v1/timelines/link": _linked_words,
    "GET /api/v1/peers/search": _query(q="far"),
    "GET /api/v2/search": _query(q="bob"),
    "GET /api/oembed": _embed_words,
    "GET /invite/:invite_code": lambda tour: {"headers": {"Accept": "application/json"}, "who": None},
    "GET /oauth/token/info": _info_words,
    "GET /api/v1/apps/verify_credentials": _app_words,
    "GET /api/v1/push/subscription": _subscribed_words,
    "POST /oauth/token": _token_words,
    "POST /oauth/revoke": _revoke_words,
    "POST /oauth/introspect": _revoke_words,
    "POST /api/v1/accounts": _sign_up_words,
    "POST /api/v1/apps": _json(client_name="x", redirect_uris=CALLBACK),
    "POST /api/v1/accounts/:id/note": _json(comment="kind"),
    "POST /api/v1/collections": _new_collection_words,
    "POST /api/v1/collections/:id/items": _item_words,
    "POST /api/v1/domain_blocks": _json(domain="far.example"),
    "DELETE /api/v1/domain_blocks": _query(domain="far.example"),
    "POST /api/v1/emails/confirmations": _unconfirmed_words,
    "POST /api/v1/featured_tags": lambda tour: {"json": {"name": tour.name()}},
    "POST /api/v2/filters": _json(title="x", context=["home"]),
    "POST /api/v2/filters/:id/keywords": _json(keyword="x"),
    "PATCH /api/v2/filters/keywords/:id": _json(keyword="y"),
    "PUT /api/v2/filters/keywords/:id": _json(keyword="y"),
    "POST /api/v2/filters/:id/statuses": _filtered_words,
    "POST /api/v1/filters": _json(**_FILTER),
    "PATCH /api/v1/filters/:id": _json(**_FILTER),
    "PUT /api/v1/filters/:id": _json(**_FILTER),
    "POST /api/v1/lists": _json(title="Some"),
    "POST /api/v1/lists/:id/accounts": _listed_words,
    "DELETE /api/v1/lists/:id/accounts": lambda tour: {"query": {"account_ids": [tour.bob.id]}},
    "POST /api/v1/markers": _json(home={"last_read_id": "1"}),
    "GET /api/v1/markers": _query(timeline=["home"]),
    "POST /api/v1/notifications/requests/accept": _request_words,
    "POST /api/v1/notifications/requests/dismiss": _request_words,
    "POST /api/v1/polls/:id/votes": _json(choices=[0]),
    "POST /api/v1/push/subscription": lambda tour: {"json": Device().form("https://push.example/2")},
    "PATCH /api/v1/push/subscription": _subscribed_words,
    "PUT /api/v1/push/subscription": _subscribed_words,
    "DELETE /api/v1/push/subscription": _subscribed_words,
    "PATCH /api/v1/statuses/:id/interaction_policy": _json(quote_approval_policy="nobody"),
    "PUT /api/v1/statuses/:id/interaction_policy": _json(quote_approval_policy="nobody"),
    "POST /api/v1/reports": lambda tour: {"json": {"account_id": str(tour.bob.id)}},
    "POST /api/v1/statuses": _json(status="x"),
    "PATCH /api/v1/statuses/:id": _json(status="y"),
    "PUT /api/v1/statuses/:id": _json(status="z"),
    "POST /api/v1/statuses/:id/translate": _json(lang="de"),
    "POST /api/phiomia/v1/upgrade_probe": lambda tour: {"json": {"n": 1}, "who": f"{PROBE_BEARER}x"},
}


async def _upload(tour: Tour, path: str, kept: str) -> None:
    """An upload that is decoded at once, and one that nobody decodes in time."""
    one = next(each for each in ALL if f"{each.method} {each.path}" == f"POST {path}")
    body, headers = encode_multipart({}, {"file": PNG})

    async def send() -> None:
        answer = await tour.world.client.request("POST", path, tour.alice, body=body, headers=headers)
        tour.note(one, f"POST {path}", answer)

    with patch.object(media, kept, 0.0):
        await send()
    with patch.object(media, kept, 60.0):
        async with at_work(tour.files):
            await send()


async def _undecoded(tour: Tour) -> None:
    """What is not decoded yet."""
    for one in ALL:
        if one.path == "/api/v1/media/:id" and one.method != "DELETE":
            waiting = await tour.world.picture(tour.alice, state=MediaState.PROCESSING)
            path = f"/api/v1/media/{waiting}"
            tour.note(one, f"{one.method} {one.path}", await tour.world.client.request(one.method, path, tour.alice))


@story(*MODULES, effects=True)
async def test_successes_are_as_described(world: World) -> None:
    tour = Tour(world)
    world.api.config = msgspec.structs.replace(world.api.config, registrations=Registrations(mode="open"))
    async with furnished(world) as tour.files, serve(world):
        await tour.prepare()
        for one in ALL:
            if f"{one.method} {one.path}" not in UPLOADS | REFUSED:
                try:
                    await tour.visit(one)
                except AssertionError as error:
                    tour.faults.append(f"{one.method} {one.path} can't be asked: {error}")
        await _upload(tour, "/api/v2/media", "_SOON_SECONDS")
        await _upload(tour, "/api/v1/media", "_LONG_SECONDS")
        await _undecoded(tour)
    for name, statuses in _described().items():
        promised = {status for status in statuses if GOOD.fullmatch(status)}
        given = {status for status in tour.given.get(name, set()) if GOOD.fullmatch(status)}
        if promised != given:
            tour.faults.append(f"{name} promises {sorted(promised)}, gave {sorted(given)}")
    assert tour.faults == [], "\n".join(tour.faults)
