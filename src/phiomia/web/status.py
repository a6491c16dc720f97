"""The page of a status, for everybody."""

from phiomia.domain.errors import NotFound
from phiomia.domain.statuses.queries import load_row
from phiomia.domain.statuses.thread import load_thread
from phiomia.domain.statuses.views import FeedRow
from phiomia.platform.db import ReadSession
from phiomia.web.shown import Post, find_shown_account, read_id, read_posts, summarise, words_for
from phiomia.web.visit import Visit, announce


async def show_status(visit: Visit) -> None:
    """A status with what it answers above it and what answers it below. A boost leads to what it shares."""
    fragments = visit.context.fragments
    async with visit.context.db.read() as session:
        row = await _find(visit, session)
        if row.original_id is not None:
            (boost,) = await read_posts(fragments, session, [row])
            _go_to_original(visit, boost)
            return
        thread = await load_thread(session, row.id, None)
        above = await read_posts(fragments, session, thread.ancestors)
        posts = await read_posts(fragments, session, [row])
        below = await read_posts(fragments, session, thread.descendants)
    if not posts:  # deleted in this moment
        raise NotFound
    announce(visit, posts[0].uri)
    visit.show_public(
        "status", above=above, post=posts[0], below=below, summary=_summarise(posts[0]), **words_for(visit)
    )


async def go_to_status(visit: Visit) -> None:
    """From the status's id in the network to its page."""
    async with visit.context.db.read() as session:
        row = await _find(visit, session)
        view = await find_shown_account(session, visit.path["username"])
    visit.go(f"/@{view.username}/{row.id}")


async def _find(visit: Visit, session: ReadSession) -> FeedRow:
    view = await find_shown_account(session, visit.path["username"])
    status_id = read_id(visit.path["status_id"])
    if status_id is None:
        raise NotFound
    row = await load_row(session, status_id, None)
    if row.account_id != view.id:
        raise NotFound
    return row


def _go_to_original(visit: Visit, boost: Post) -> None:
    address = boost.reblog.url if boost.reblog else None
    if not address or not address.startswith(("https://", "http://")):
        raise NotFound
    visit.go(address.removeprefix(visit.context.config.base_url))


def _summarise(post: Post) -> str:
    # A warning says what one may not want to see, also in the preview of a link.
    text = post.spoiler_text or summarise(post.content)
    count = len(post.media_attachments)
    return text or (f"{count} attachments" if count > 1 else "An attachment" if count else "A post")
