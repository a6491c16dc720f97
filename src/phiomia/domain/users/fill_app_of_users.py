"""Which app somebody signed up with: found out for those of whom only the app's name was kept."""

from phiomia.platform.db import Query, WriteSession

_NEXT = Query.raw(
    sqlite="SELECT id FROM users WHERE id > :after AND created_by_app_id IS NULL ORDER BY id LIMIT :limit"
)
# Signing up gives the app a token at once: the person's first one is its. Without one the name has to do.
_FIND = Query.raw(
    sqlite="""UPDATE users SET rev = rev + 1, created_by_app_id = coalesce(
        (SELECT t.app_id FROM access_tokens t JOIN apps a ON a.id = t.app_id
         WHERE t.user_id = users.id AND a.name = users.invited_with_app ORDER BY t.id LIMIT 1),
        (SELECT max(a.id) FROM apps a WHERE a.name = users.invited_with_app AND a.created_at <= users.created_at))
    WHERE id IN (SELECT value FROM json_each(:ids_list)) AND invited_with_app IS NOT NULL""",
    postgresql="""UPDATE users SET rev = rev + 1, created_by_app_id = coalesce(
        (SELECT t.app_id FROM access_tokens t JOIN apps a ON a.id = t.app_id
         WHERE t.user_id = users.id AND a.name = users.invited_with_app ORDER BY t.id LIMIT 1),
        (SELECT max(a.id) FROM apps a WHERE a.name = users.invited_with_app AND a.created_at <= users.created_at))
    WHERE id = ANY(:ids_list) AND invited_with_app IS NOT NULL""",
)


async def find_apps_of_users(session: WriteSession, after: int, limit: int) -> tuple[int | None, int]:
    """The verb of the backfill: the last id that was looked at, None behind the end, and how many rows."""
    ids = await session.column(_NEXT, after=after, limit=limit)
    if not ids:
        return None, 0
    await session.execute(_FIND, ids_list=ids)
    return ids[-1], len(ids)
