"""How often one may ask: by account, token and address, with the headers that tell apps when to wait."""

import pytest

from phiomia.api.endpoint import ENDPOINTS
from phiomia.api.routes import load_endpoints
from phiomia.domain.errors import Limited
from phiomia.domain.oauth.bearers import hash_secret
from phiomia.domain.oauth.models import access_tokens
from phiomia.domain.users.sign_in import MAILS_PER_EMAIL, PER_EMAIL, count_mail, count_sign_in
from phiomia.platform.addresses import client_address, network_of
from phiomia.platform.clock import now_ms
from phiomia.platform.db import insert_into
from phiomia.platform.ids import new_id
from phiomia.platform.rates import Rates
from phiomia.platform.settings import RateLimits
from world import Account, Answer, World, story

# So long that no test sees the end of it.
FOR_EVER = 4_000_000_000
MODULES = ("accounts", "accounts_update", "statuses", "timelines", "notifications", "instance", "apps", "reports")
_TOKEN = insert_into(access_tokens, "id", "token_hash", "user_id", "scopes", "created_at")


async def _another_token(world: World, who: Account | None, secret: str) -> str:
    user_id = None if who is None else who.user_id
    values = {"id": new_id(), "token_hash": hash_secret(secret), "user_id": user_id, "created_at": now_ms()}
    await world.write(lambda session: session.execute(_TOKEN, scopes="read write follow", **values))
    return secret


def _left(answer: Answer) -> tuple[int, int, int]:
    headers = answer.headers
    assert headers["x-ratelimit-reset"].endswith("Z")
    return answer.status, int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])


def test_the_defaults_are_those_of_mastodon() -> None:
    rules = RateLimits()
    assert (rules.account, rules.token, rules.ip) == ((1500, 300), (300, 300), (300, 300))
    assert (rules.media, rules.paging, rules.delete) == ((30, 1800), (300, 900), (30, 1800))
    assert (rules.apps, rules.sign_up, rules.sign_in) == ((5, 600), (5, 1800), (25, 300))
    assert (rules.follows, rules.statuses, rules.reports) == ((400, 86400), (300, 10800), (400, 86400))
    assert (PER_EMAIL, MAILS_PER_EMAIL) == ((25, 3600), (5, 1800))


def test_every_endpoint_with_a_limit_of_its_own_has_it() -> None:
    load_endpoints()
    found = {(one.method, one.path): one.rate for one in ENDPOINTS if one.rate}
    for method, path, rate in (
        ("POST", "/api/v1/media", "media"),
        ("POST", "/api/v2/media", "media"),
        ("POST", "/api/v1/accounts", "sign_up"),
        ("POST", "/api/v1/apps", "apps"),
        ("DELETE", "/api/v1/statuses/:id", "delete"),
        ("POST", "/api/v1/statuses/:id/unreblog", "delete"),
        ("POST", "/api/v1/statuses", "statuses"),
        ("POST", "/api/v1/statuses/:id/reblog", "statuses"),
        ("POST", "/api/v1/accounts/:id/follow", "follows"),
        ("POST", "/api/v1/reports", "reports"),
    ):
        assert found[method, path] == rate


@story(*MODULES, rate_limits=RateLimits(token=(3, FOR_EVER), account=(5, FOR_EVER), ip=(2, FOR_EVER)))
async def test_tokens_accounts_and_addresses_are_counted(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    path = "/api/v1/accounts/verify_credentials"
    # The limit that is closest is told of: that of the token first, then that of the account.
    assert [_left(await world.client.get(path, alice)) for _ in range(3)] == [(200, 3, 2), (200, 3, 1), (200, 3, 0)]
    refused = await world.client.get(path, alice)
    assert refused.status == 429 and int(refused.headers["retry-after"]) > 0
    assert refused.json == {"error": "Too many requests"}
    second = await _another_token(world, alice, "second")
    assert _left(await world.client.get(path, second)) == (200, 5, 0)
    assert _left(await world.client.get(path, second)) == (429, 5, 0)
    assert _left(await world.client.get(path, bob)) == (200, 3, 2)
    # Who has no token is counted by address; an app by its token.
    public = "/api/v1/timelines/public"
    app = await _another_token(world, None, "app")
    assert [_left(await world.client.get(public))[0] for _ in range(3)] == [200, 200, 429]
    assert [_left(await world.client.get(public, app))[0] for _ in range(4)] == [200, 200, 200, 429]


@story(*MODULES, rate_limits=RateLimits(ip=(2, FOR_EVER)))
async def test_addresses_behind_the_proxy(world: World) -> None:
    async def ask(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return (await world.client.request("GET", "/api/v1/timelines/public", headers=headers)).status

    assert [await ask("198.51.100.1") for _ in range(3)] == [200, 200, 429]
    assert await ask("198.51.100.2") == 200
    # What a client writes in front of the proxy's own word changes nothing.
    assert await ask("203.0.113.9, 198.51.100.1") == 429
    households = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::7", "2001:db8:1:2::3", "2001:db8:1:3::1")
    assert [await ask(address) for address in households] == [200, 200, 429, 200]


def test_only_configured_proxies_are_believed() -> None:
    trusted = ["127.0.0.0/8", "10.0.0.0/8"]
    assert client_address("198.51.100.1", "203.0.113.9", trusted) == "198.51.100.1"
    assert client_address("127.0.0.1", "203.0.113.9", trusted) == "203.0.113.9"
    assert client_address("127.0.0.1", "1.2.3.4, 203.0.113.9, 10.1.1.1", trusted) == "203.0.113.9"
    assert client_address("127.0.0.1", "203.0.113.9", []) == "127.0.0.1"
    assert network_of("2001:db8:1:2:ffff::7") == network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")


@story(
    *MODULES,
    rate_limits=RateLimits(paging=(1, FOR_EVER), delete=(1, FOR_EVER), apps=(1, FOR_EVER), reports=(1, FOR_EVER)),
)
async def test_limits_of_their_own(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    home = "/api/v1/timelines/home"
    assert [(await world.client.get(home, alice, max_id=5)).status for _ in range(2)] == [200, 429]
    assert (await world.client.get(home, alice)).status == 200
    ids = [(await world.client.post("/api/v1/statuses", alice, form={"status": text})).json["id"] for text in "ab"]
    assert [(await world.client.delete(f"/api/v1/statuses/{id_}", alice)).status for id_ in ids] == [200, 429]
    form = {"client_name": "App", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob"}
    assert [(await world.client.post("/api/v1/apps", form=form)).status for _ in range(2)] == [200, 429]
    report = {"account_id": bob.id}
    assert [(await world.client.post("/api/v1/reports", alice, form=report)).status for _ in range(2)] == [200, 429]


def test_guessing_and_mails_are_counted_by_what_they_are_about() -> None:
    rates, rules = Rates(), RateLimits(sign_in=(100, FOR_EVER))
    for number in range(MAILS_PER_EMAIL[0]):
        count_mail(rates, rules, f"network {number}", "Alice@mail.example", about="password")
    with pytest.raises(Limited):
        count_mail(rates, rules, "another", "alice@mail.example ", about="password")
    count_mail(rates, rules, "another", "alice@mail.example", about="confirmation")
    count_sign_in(rates, rules, "another", "alice@mail.example")
    count_mail(rates, RateLimits(enabled=False), "another", "alice@mail.example", about="password")
    few = RateLimits(sign_in=(2, FOR_EVER))
    for name in "ab":
        count_sign_in(rates, few, "one network", name)
    with pytest.raises(Limited):
        count_sign_in(rates, few, "one network", "c")
