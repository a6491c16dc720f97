"""A member who blocks a whole server."""

from types import SimpleNamespace

from phiomia.domain.relationships.domain_block import EndTies, blocks_server_of, run_end_ties
from phiomia.domain.relationships.follow import follow
from world import Account, World, story

MODULES = ("accounts", "domain_blocks", "timelines", "statuses", "notifications")
THERE = "there.example"


async def _run_ties(world: World, who: Account) -> None:
    await run_end_ties(SimpleNamespace(db=world.db), EndTies(who.id, THERE))


async def _remote_status(world: World, author: Account, status_id: int) -> None:
    await world.execute(
        "INSERT INTO statuses (id, account_id, local, uri, content, visibility, conversation_id, created_at)"
        " VALUES (:id, :account, false, :uri, 'hello', 0, :id, 1)",
        id=status_id, account=author.id, uri=f"https://{THERE}/{status_id}",
    )  # fmt: skip


@story(*MODULES, effects=True)
async def test_follows_end_and_can_not_begin_again(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob", domain=THERE)
    carol = await world.account("carol", domain="elsewhere.example")
    await world.write(lambda session: follow(session, bob.id, alice.id))
    await world.write(lambda session: follow(session, carol.id, alice.id))
    await world.execute(
        "INSERT INTO follows (id, account_id, target_id, created_at) VALUES (5, :alice, :bob, 1)",
        alice=alice.id, bob=bob.id,
    )  # fmt: skip
    query = {"domain": THERE}
    cut = await world.client.check("GET /api/v1/domain_blocks/preview", alice, query=query)
    assert cut == {"following_count": 1, "followers_count": 1}
    assert await world.client.check("POST /api/v1/domain_blocks", alice, form={"domain": f"https://{THERE}/"}) == {}
    assert await world.client.check("POST /api/v1/domain_blocks", alice, form=query) == {}
    await _run_ties(world, alice)
    assert await world.value("SELECT count(*) FROM follows") == 1
    async with world.db.read() as session:
        assert await blocks_server_of(session, alice.id, bob.id)
        assert not await blocks_server_of(session, alice.id, carol.id)
    relation = (await world.client.get("/api/v1/accounts/relationships", alice, id=[bob.id, carol.id])).json
    assert [one["domain_blocking"] for one in relation] == [True, False]
    refused = None
    try:
        await world.write(lambda session: follow(session, bob.id, alice.id))
    except Exception as error:
        refused = type(error).__name__
    assert refused == "NotAllowed"
    assert await world.value("SELECT count(*) FROM notifications WHERE from_account_id = :id", id=bob.id) == 0
    assert await world.value("SELECT count(*) FROM notifications WHERE from_account_id = :id", id=carol.id) == 1


@story(*MODULES, effects=True)
async def test_nothing_from_there_is_shown(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob", domain=THERE)
    await _remote_status(world, bob, 77)
    await world.execute("INSERT INTO home_feed (account_id, status_id, original_id) VALUES (:id, 77, 77)", id=alice.id)
    assert (await world.client.get("/api/v1/timelines/public", alice)).ids == ["77"]
    assert (await world.client.get("/api/v1/timelines/home", alice)).ids == ["77"]
    await world.client.post("/api/v1/domain_blocks", alice, form={"domain": THERE})
    assert (await world.client.get("/api/v1/timelines/public", alice)).ids == []
    assert (await world.client.get("/api/v1/timelines/home", alice)).ids == []
    assert (await world.client.get("/api/v1/timelines/public")).ids == ["77"]
    assert (await world.client.delete("/api/v1/domain_blocks", alice, domain=THERE)).json == {}
    assert (await world.client.get("/api/v1/timelines/public", alice)).ids == ["77"]


@story(*MODULES)
async def test_the_list_has_pages(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    for name in ("a.example", "b.example", "c.example"):
        assert (await world.client.post("/api/v1/domain_blocks", alice, form={"domain": name})).status == 200
    first = await world.client.get("/api/v1/domain_blocks", alice, limit=2)
    assert first.json == ["c.example", "b.example"]
    assert (await world.client.get("/api/v1/domain_blocks", alice, **first.links["next"])).json == ["a.example"]
    assert await world.client.check("GET /api/v1/domain_blocks", bob) == []
    for wrong in ("", "no domain", "phiomia.example"):
        assert (await world.client.post("/api/v1/domain_blocks", alice, form={"domain": wrong})).status == 422
    assert (await world.client.post("/api/v1/domain_blocks", alice, form={})).status == 422
    assert (await world.client.get("/api/v1/domain_blocks")).status == 401
