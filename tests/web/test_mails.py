"""Choosing mails, and the way out that stands in each of them."""

from __future__ import annotations

from phiomia.domain.instance.vapid_key import load_vapid_key
from phiomia.domain.users.mail_alerts import FOR_STAFF, load_mail_alerts
from phiomia.domain.users.unsubscribe import Ending, sign_ending
from web.browser import Site, scene

PATH = "/settings/mails"


async def _chosen(site: Site, user_id: int) -> list[str]:
    async with site.db.read() as session:
        return [
            type_ for type_, on in (await load_mail_alerts(session, user_id)).items() if on and type_ not in FOR_STAFF
        ]


@scene()
async def test_choosing_mails(site: Site) -> None:
    user_id, browser = await site.member("alice"), site.browser()
    assert (await browser.get(PATH)).location.startswith("/auth/sign_in?")
    await browser.sign_in("alice@mail.example")
    page = await browser.get(PATH)
    assert page.text.count(" checked") == 3
    done = await browser.submit(page, PATH, favourite="1", mention="1", nonsense="1")
    assert (done.status, done.location) == (303, f"{PATH}?saved=1")
    assert await _chosen(site, user_id) == ["mention", "favourite"]
    page = await browser.get(done.location)
    assert 'role="status"' in page.text and page.text.count(" checked") == 2
    assert (await browser.post(PATH, {"mention": "1"})).status == 403


@scene()
async def test_the_way_out(site: Site) -> None:
    user_id, key = await site.member("alice"), await load_vapid_key(site.db)
    token = sign_ending(key, Ending(user_id, "follow"))
    browser = site.browser()
    page = await browser.get(f"/unsubscribe?token={token}")
    assert "Somebody follows me" in page.text and len(await _chosen(site, user_id)) == 3
    assert (await browser.submit(page, "/unsubscribe")).status == 200
    assert await _chosen(site, user_id) == ["mention", "follow_request"]
    other = sign_ending(key, Ending(user_id, "mention"))
    assert (await site.browser().get(f"/unsubscribe/now?token={other}")).location == f"/unsubscribe?token={other}"
    one_click = await site.browser().post(f"/unsubscribe/now?token={other}", {"List-Unsubscribe": "One-Click"})
    assert one_click.status == 204
    assert await _chosen(site, user_id) == ["follow_request"]
    for wrong in ("", "1", token.replace("follow", "reblog"), token[:-1] + ("0" if token[-1] != "0" else "1"), "1-x-y"):
        assert (await browser.get(f"/unsubscribe?token={wrong}")).status == 404
        assert (await browser.post(f"/unsubscribe/now?token={wrong}", {})).status == 404
