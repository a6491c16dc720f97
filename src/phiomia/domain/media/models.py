"""The tables of media attachments, and of copies of what other servers show."""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, UniqueConstraint

from phiomia.platform.db.tables import PartialIndex, count, id_column, metadata, moment, reference, small, words

media = Table(
    "media",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    reference("status_id", "statuses.id", nullable=True, on_delete="SET NULL"),
    Column("position", SmallInteger, nullable=False, server_default="0"),
    small("kind"),  # see kinds.py: unknown, image, gifv, video, audio
    small("state"),  # see kinds.py: processing, ready, failed
    words("failure"),
    words("key"),  # storage key of the picture
    words("preview_key"),
    words("remote_url", nullable=True),
    words("remote_preview_url"),
    moment("fetched_at", nullable=True),
    words("content_type"),
    Column("bytes", Integer, nullable=False, server_default="0"),
    Column("preview_bytes", Integer, nullable=False, server_default="0"),
    words("meta", default="{}"),  # JSON, as the entity shows it
    words("description", nullable=True),
    words("blurhash", nullable=True),
    moment("created_at"),
    moment("freed_at", nullable=True),  # when a status that had it let it go
    Column("scheduled_id", BigInteger, nullable=True),  # the status that waits for its time with it
    Index("ix_media_status_id_position", "status_id", "position"),
    Index("ix_media_account_id_id", "account_id", "id"),
    PartialIndex("ix_media_scheduled", "scheduled_id", where="scheduled_id IS NOT NULL"),
)

# A copy is no part of what it shows: it comes when somebody looks and goes when room is needed.
remote_files = Table(
    "remote_files",
    metadata,
    id_column(),
    small("kind"),  # see proxied.py: of an attachment, its preview, an avatar, a header, an emoji
    Column("owner_id", BigInteger, nullable=False),
    words("digest"),  # of the address that it came from
    words("host"),
    words("key"),
    words("small_key"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    words("failure"),
    count("attempts"),
    moment("retry_at", nullable=True),
    moment("fetched_at"),
    moment("used_at"),
    UniqueConstraint("kind", "owner_id"),
    Index("ix_remote_files_used_at", "used_at", "bytes"),
    Index("ix_remote_files_host", "host"),
)
