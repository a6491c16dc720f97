"""Mails through a real SMTP server, and what they say."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from phiomia.domain.notifications.mails import MailNotifications, run_mail
from phiomia.domain.users.approve import approve_user
from phiomia.domain.users.change_email import request_email_change
from phiomia.domain.users.confirm import confirm_by_link
from phiomia.domain.users.jobs import HANDLERS
from phiomia.domain.users.mail import Mail
from phiomia.domain.users.reset_password import reset_password
from phiomia.domain.users.sessions import open_session
from phiomia.domain.users.smtp import SmtpMailer
from phiomia.platform.db import Query
from phiomia.platform.jobs.handlers import Discard, Retry
from phiomia.platform.json import decode
from phiomia.platform.settings import Config, Instance
from phiomia.platform.settings import Mail as MailSettings
from world import BASE, Account, World, story

_RUN = {handler.job_type.TYPE: handler for handler in HANDLERS}


class Post:
    """Takes mails, or answers as it is told to."""

    def __init__(self) -> None:
        self.answer = "250 OK"
        self.got: list[tuple[str, list[str], EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            message: Any = message_from_bytes(envelope.content, policy=policy.default)
            self.got.append((envelope.mail_from, envelope.rcpt_tos, message))
        return self.answer


@contextmanager
def _post_office(user: str = "") -> Iterator[tuple[Post, Config]]:
    post = Post()

    def judge(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        # Not handled: the answer to a wrong password is still to be given.
        return AuthResult(success=(data.login, data.password) == (b"server", b"secret"), handled=False)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    office = Controller(
        post,
        hostname="127.0.0.1",
        port=port,
        auth_require_tls=False,
        auth_required=bool(user),
        authenticator=judge,
    )
    office.start()
    settings = MailSettings(
        host="127.0.0.1", port=port, security="none", user=user, password="secret", sender="server@phiomia.example"
    )
    try:
        yield (
            post,
            Config(public_url=BASE, mail=settings, instance=Instance(title="Größe", contact_email="x@y.example")),
        )
    finally:
        office.stop()


def _send(config: Config, **more: Any) -> None:
    mail = Mail("alice@mail.example", "Grüße", "Hello\n\n" + "ü" * 2_000 + "\n", **more)
    asyncio.run(SmtpMailer(config).send(mail))


def test_a_mail_arrives_as_text_and_html() -> None:
    with _post_office("server") as (post, config):
        _send(config, html="<p>Hello</p>", unsubscribe="https://phiomia.example/unsubscribe/now?token=1")
    ((sender, recipients, message),) = post.got
    assert (sender, recipients) == ("server@phiomia.example", ["alice@mail.example"])
    assert message["From"] == "Größe <server@phiomia.example>"
    assert (message["Subject"], message["Auto-Submitted"]) == ("Grüße", "auto-generated")
    assert message["List-Unsubscribe"] == "<https://phiomia.example/unsubscribe/now?token=1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None and html is not None
    assert "ü" * 2_000 in text.get_content()
    assert "<p>Hello</p>" in html.get_content()


def test_a_wrong_password_and_a_busy_server_are_tried_again() -> None:
    with _post_office("somebody") as (post, config):
        with pytest.raises(Retry, match="535"):
            _send(config)
        assert post.got == []
    with _post_office() as (post, config):
        post.answer = "451 later"
        with pytest.raises(Retry, match="451 later"):
            _send(config)
        post.answer = "550 no such person"
        with pytest.raises(Discard, match="550 no such person"):
            _send(config)
        post.answer = "250 OK"
        _send(config)
        assert len(post.got) == 1
    with pytest.raises(Retry):
        _send(config)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_nothing_is_sent_in_the_clear_where_that_was_not_chosen(security: Any) -> None:
    from msgspec.structs import replace

    with _post_office("server") as (post, config):
        settings = replace(config.mail, security=security, seconds=2.0)
        with pytest.raises(Retry):
            _send(replace(config, mail=settings))
        assert post.got == []


async def _run_jobs(world: World, config: Config) -> None:
    async with world.db.read() as session:
        rows = await session.all(Query.raw(sqlite="SELECT type, args FROM jobs WHERE queue = 'mail' ORDER BY id"))
    context = SimpleNamespace(db=world.db, config=config, mailer=SmtpMailer(config))
    for type_, args in rows:
        handler = _RUN[type_]
        await handler.run(context, handler.job_type(**decode(args)))
    await world.execute("DELETE FROM jobs")


def _link(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    lines: list[str] = body.get_content().splitlines()
    return next(line for line in lines if line.startswith("https://"))


@story(effects=True)
async def test_members_are_told_of_what_happens_to_their_account(world: World) -> None:
    alice = await world.account("alice")
    await world.execute("UPDATE users SET approved_at = NULL")
    with _post_office() as (post, config):
        await world.write(lambda session: approve_user(session, alice.user_id))
        for agent, ip in (("one", "192.0.2.1"), ("one", "192.0.2.2"), ("two", "192.0.2.2"), ("three", "192.0.2.3")):
            await world.write(partial(open_session, user_id=alice.user_id, user_agent=agent, ip=ip))
        await world.write(lambda session: reset_password(session, alice.user_id, "hash"))
        await _run_jobs(world, config)
    assert [message["Subject"] for _, _, message in post.got] == [
        "Welcome to Größe",
        "A new sign-in on Größe",
        "Your password on Größe has changed",
    ]
    told = post.got[1][2].get_body(("plain",))
    assert told is not None and "three, 192.0.2.3" in told.get_content()


@story(effects=True)
async def test_another_address_counts_once_it_is_confirmed(world: World) -> None:
    alice, bob = await world.account("alice"), await world.account("bob")
    with _post_office() as (post, config):
        await world.write(lambda session: request_email_change(session, alice.user_id, "New@mail.example"))
        await _run_jobs(world, config)
        _, recipients, message = post.got.pop()
        assert recipients == ["New@mail.example"]
        assert await world.value("SELECT email FROM users WHERE id = :id", id=alice.user_id) == "alice@mail.example"
        secret = _link(message).partition("token=")[2]
        assert await world.write(lambda session: confirm_by_link(session, secret)) == alice.user_id
        assert await world.value("SELECT email_key FROM users WHERE id = :id", id=alice.user_id) == "new@mail.example"
        await _run_jobs(world, config)
        _, recipients, message = post.got.pop()
        assert recipients == ["alice@mail.example"]
        body = message.get_body(("html",))
        assert body is not None and "New@mail.example" in body.get_content()
        from phiomia.domain.errors import Invalid

        for taken in ("new@mail.example", "no address"):
            with pytest.raises(Invalid):
                await world.write(partial(request_email_change, user_id=bob.user_id, email=taken))
        with pytest.raises(Invalid):
            await world.write(lambda session: confirm_by_link(session, secret))


@story("accounts", "statuses", "push", effects=True)
async def test_one_mail_tells_of_all_that_came_in_a_while(world: World) -> None:
    alice, bob, carol = [await world.account(name) for name in ("alice", "bob", "carol")]

    async def waiting() -> list[MailNotifications]:
        async with world.db.read() as session:
            rows = await session.all(Query.raw(sqlite="SELECT args FROM jobs WHERE type = 'notifications.mail'"))
        return [MailNotifications(**decode(row[0])) for row in rows]

    async def say(who: Account, text: str) -> str:
        answer = await world.client.post("/api/v1/statuses", who, form={"status": text})
        return str(answer.json["id"])

    await say(bob, "first <3 @alice")
    gone = await say(carol, "second @alice")
    await say(carol, "third @alice")
    mine = await say(alice, "hello")
    await world.client.post(f"/api/v1/statuses/{mine}/favourite", bob)
    await world.client.delete(f"/api/v1/statuses/{gone}", carol)
    jobs = await waiting()
    assert {job.type for job in jobs} == {"mention"}, "favourites are mailed only to those who want that"
    with _post_office() as (post, config):
        context: Any = SimpleNamespace(db=world.db, config=config, mailer=SmtpMailer(config))
        for job in jobs:  # two of them, if a span has just ended
            await run_mail(context, job)
        told = "".join(str(message.get_body(("plain",))) for _, _, message in post.got)
        _, recipients, message = post.got[-1]
        assert recipients == ["alice@mail.example"]
        if len(jobs) == 1:
            assert message["Subject"] == "Carol and one more mentioned you"
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        assert plain is not None and html is not None
        assert "third" in plain.get_content() and "second" not in told
        assert "<3" not in html.get_content()
        ending = str(message["List-Unsubscribe"]).strip("<>")
        assert ending.startswith(f"{BASE}/unsubscribe/now?token=")
        assert ending.replace("/now", "") in plain.get_content()
        await world.execute("UPDATE users SET mail_alerts = 0")
        with pytest.raises(Discard):
            await run_mail(context, jobs[0])
        assert len(post.got) == len(jobs)
    await world.execute("DELETE FROM jobs")
    await say(bob, "fourth @alice")
    assert await waiting() == []
