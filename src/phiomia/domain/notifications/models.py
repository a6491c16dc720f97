"""Tables of notifications: what members are told, what waits until they ask for it, and whom it is pushed to."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, PrimaryKeyConstraint, Table

from phiomia.platform.db.tables import PartialIndex, count, flag, id_column, metadata, moment, reference, small, words

notifications = Table(
    "notifications",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    reference("from_account_id", "accounts.id"),
    reference("status_id", "statuses.id", nullable=True),
    words("type"),  # as the entity spells it
    words("group_key"),
    flag("filtered"),
    moment("created_at"),
    Column("event_id", BigInteger, nullable=True),  # a report, a severance, a warning or a collection, by the type
    Index("ix_notifications_account", "account_id", "id"),
    Index("ix_notifications_from", "from_account_id", "account_id"),
    Index("ix_notifications_status", "status_id"),
    PartialIndex("ix_notifications_filtered", "account_id", "from_account_id", where="filtered"),
)

# Who has no row has the defaults. The numbers are those of `policy.Answer`.
notification_policies = Table(
    "notification_policies",
    metadata,
    reference("account_id", "accounts.id", primary_key=True, autoincrement=False),
    small("for_not_following"),
    small("for_not_followers"),
    small("for_new_accounts"),
    small("for_bots"),
    small("for_private_mentions", default=1),
    small("for_limited_accounts", default=1),
)

notification_permissions = Table(
    "notification_permissions",
    metadata,
    reference("account_id", "accounts.id"),
    reference("from_account_id", "accounts.id", index=True),
    moment("created_at"),
    PrimaryKeyConstraint("account_id", "from_account_id"),
)

notification_requests = Table(
    "notification_requests",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    reference("from_account_id", "accounts.id"),
    reference("last_status_id", "statuses.id", nullable=True, on_delete="SET NULL"),
    moment("created_at"),
    moment("updated_at"),
    Index("uq_notification_requests_pair", "account_id", "from_account_id", unique=True),
    Index("ix_notification_requests_account", "account_id", "id"),
    Index("ix_notification_requests_from", "from_account_id"),
    Index("ix_notification_requests_status", "last_status_id"),
)

push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    id_column(),
    reference("token_id", "access_tokens.id"),
    reference("account_id", "accounts.id"),
    words("endpoint"),
    Column("p256dh", LargeBinary, nullable=False),
    Column("auth", LargeBinary, nullable=False),
    flag("standard"),
    count("alerts"),  # bits: see push_alerts.py
    words("policy", default="all"),
    Column("sealed_token", LargeBinary, nullable=False),
    moment("created_at"),
    Index("uq_push_subscriptions_token", "token_id", unique=True),
    Index("ix_push_subscriptions_account", "account_id"),
)
