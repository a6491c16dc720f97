"""Everything that statuses are shown with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Select, and_, select

from phiomia.domain.accounts.models import accounts
from phiomia.domain.instance.emojis import EmojiView
from phiomia.domain.instance.models import custom_emojis
from phiomia.domain.media.models import media
from phiomia.domain.media.views import MediaView
from phiomia.domain.oauth.models import apps
from phiomia.domain.statuses.card_views import CardState, CardView
from phiomia.domain.statuses.models import cards, poll_options, polls, quotes, status_mentions, status_tags, statuses
from phiomia.domain.statuses.quote_views import QuoteView
from phiomia.domain.statuses.views import MentionView, PollOptionView, PollView, StatusRow, StatusView, TagView
from phiomia.domain.tags.models import tags
from phiomia.platform.db import ReadSession, any_of, listed
from phiomia.platform.db.together import Together, strings_of
from phiomia.platform.json import decode_strings

V = TypeVar("V")

_POLL_COLUMNS = [polls.c[name] for name in PollView.__struct_fields__ if name in polls.c]
_MEDIA_STATUS = MediaView.__struct_fields__.index("status_id")
# Short, since it stands before each of many columns.
_short = statuses.alias("s")
_wanted_emoji = strings_of(statuses.c.emojis).table_valued("value").alias("wanted_emoji")


def select_whole(are_wanted: Callable[[ColumnElement[int]], ColumnElement[bool]]) -> Mapping[str, Select[Any]]:
    """The parts of a statement of `Together` for statuses whose ids meet a condition."""
    of_wanted = are_wanted(statuses.c.id)
    return {
        "statuses": select(*[_short.c[name] for name in StatusRow.__struct_fields__]).where(are_wanted(_short.c.id)),
        "media": select(*[media.c[name] for name in MediaView.__struct_fields__])
        .where(are_wanted(media.c.status_id))
        .order_by(media.c.status_id, media.c.position),
        "mentions": select(
            status_mentions.c.status_id,
            accounts.c.id,
            accounts.c.username,
            accounts.c.domain,
            accounts.c.url,
            accounts.c.uri,
        )
        .select_from(status_mentions.join(accounts, accounts.c.id == status_mentions.c.account_id))
        .where(are_wanted(status_mentions.c.status_id), status_mentions.c.silent.is_(False))
        .order_by(status_mentions.c.status_id, accounts.c.id),
        "tags": select(status_tags.c.status_id, tags.c.name, status_tags.c.display_name)
        .select_from(status_tags.join(tags, tags.c.id == status_tags.c.tag_id))
        .where(are_wanted(status_tags.c.status_id))
        .order_by(status_tags.c.status_id, tags.c.name),
        "emojis": select(statuses.c.id, *[custom_emojis.c[name] for name in EmojiView.__struct_fields__])
        .select_from(
            statuses.join(accounts, accounts.c.id == statuses.c.account_id)
            .join(_wanted_emoji, statuses.c.emojis != "[]")
            .join(
                custom_emojis,
                and_(custom_emojis.c.shortcode == _wanted_emoji.c.value, custom_emojis.c.domain == accounts.c.domain),
            )
        )
        .where(of_wanted, custom_emojis.c.disabled.is_(False)),
        "polls": select(*_POLL_COLUMNS).where(are_wanted(polls.c.status_id)),
        "options": select(poll_options.c.poll_id, poll_options.c.title, poll_options.c.votes_count)
        .select_from(polls.join(poll_options, poll_options.c.poll_id == polls.c.id))
        .where(are_wanted(polls.c.status_id))
        .order_by(poll_options.c.poll_id, poll_options.c.position),
        "apps": select(apps.c.id, apps.c.name, apps.c.website).where(
            apps.c.id.in_(select(statuses.c.application_id).where(of_wanted))
        ),
        "quotes": select(
            quotes.c.status_id, quotes.c.state, quotes.c.quoted_id, quotes.c.quoted_uri, quotes.c.approval_uri
        ).where(are_wanted(quotes.c.status_id)),
        "cards": select(*[cards.c[name] for name in CardView.__struct_fields__]).where(
            cards.c.id.in_(select(statuses.c.card_id).where(of_wanted)), cards.c.state == CardState.SHOWN
        ),
    }


WHOLE: Final = select_whole(lambda id_: any_of(id_, listed("ids")))
"""The same for the statuses `ids`."""
_WHOLE = Together(WHOLE)


async def load_statuses(session: ReadSession, ids: Sequence[int]) -> dict[int, StatusView]:
    """Whole views, in one statement for any number of ids."""
    return read_statuses(await _WHOLE.ask(session, ids=list(ids))) if ids else {}


def read_statuses(found: Mapping[str, Sequence[Sequence[Any]]]) -> dict[int, StatusView]:
    """What such parts of a statement gave, by id."""
    rows = [StatusRow(*row) for row in found["statuses"]]
    attached = _by_first((row[_MEDIA_STATUS], MediaView(*row)) for row in found["media"])
    mentions = _by_first(
        (status_id, MentionView(account_id, username, domain, url or uri))
        for status_id, account_id, username, domain, url, uri in found["mentions"]
    )
    tagged = _by_first((row[0], TagView(*row[1:])) for row in found["tags"])
    emojis = _read_emojis(rows, found["emojis"])
    polled = _read_polls(found, emojis)
    applications = {row[0]: (row[1], row[2]) for row in found["apps"]}
    quoted = {row[0]: QuoteView(*row[1:]) for row in found["quotes"]}
    shown = {row[0]: CardView(*row) for row in found["cards"]}
    return {
        row.id: StatusView(
            row=row,
            media=attached.get(row.id, []),
            mentions=mentions.get(row.id, []),
            tags=tagged.get(row.id, []),
            emojis=emojis.get(row.id, []),
            poll=polled.get(row.id),
            application=applications.get(row.application_id or 0),
            quote=quoted.get(row.id),
            card=shown.get(row.card_id or 0),
        )
        for row in rows
    }


def _by_first(pairs: Iterable[tuple[int, V]]) -> dict[int, list[V]]:
    found: dict[int, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _read_emojis(rows: Sequence[StatusRow], found: Sequence[Sequence[Any]]) -> dict[int, list[EmojiView]]:
    """The emoji of each status that has any, in the order in which it names them."""
    known = {(status_id, columns[0]): EmojiView(*columns) for status_id, *columns in found}
    return {
        row.id: [known[row.id, name] for name in decode_strings(row.emojis) if (row.id, name) in known]
        for row in rows
        if row.emojis != "[]"
    }


def _read_polls(
    found: Mapping[str, Sequence[Sequence[Any]]], emojis: Mapping[int, list[EmojiView]]
) -> dict[int, PollView]:
    options = _by_first((poll_id, PollOptionView(title, votes)) for poll_id, title, votes in found["options"])
    polled = {}
    for row in found["polls"]:
        answers = tuple(options.get(row[0], ()))
        titles = "\n".join(answer.title for answer in answers)
        used = tuple(emoji for emoji in emojis.get(row[1], ()) if f":{emoji.shortcode}:" in titles)
        polled[row[1]] = PollView(*(*row, answers, used))
    return polled
