"""Tables of what holds between two accounts."""

from typing import Any

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table

from phiomia.platform.db.tables import PartialIndex, count, flag, id_column, metadata, moment, reference, small, words


def _pair(name: str, *more: Column[Any]) -> Table:
    """`account_id` does it to `target_id`; `id` orders lists and is their cursor."""
    return Table(
        name,
        metadata,
        id_column(),
        reference("account_id", "accounts.id"),
        reference("target_id", "accounts.id"),
        moment("created_at"),
        *more,
        Index(f"uq_{name}_pair", "account_id", "target_id", unique=True),
        Index(f"ix_{name}_target", "target_id", "id"),
        Index(f"ix_{name}_account", "account_id", "id"),
    )


follows = _pair(
    "follows",
    flag("show_boosts", default=True),
    flag("notify"),
    words("languages", nullable=True),  # JSON list, NULL: all
    words("uri"),
)
follow_requests = _pair(
    "follow_requests",
    flag("show_boosts", default=True),
    flag("notify"),
    words("languages", nullable=True),
    words("uri"),
)
blocks = _pair("blocks", words("uri"))
mutes = _pair("mutes", flag("hide_notifications", default=True), moment("expires_at", nullable=True))
endorsements = _pair("endorsements")

account_notes = Table(
    "account_notes",
    metadata,
    reference("account_id", "accounts.id"),
    reference("target_id", "accounts.id"),
    words("comment"),
    PrimaryKeyConstraint("account_id", "target_id"),
)

lists = Table(
    "lists",
    metadata,
    id_column(),
    reference("account_id", "accounts.id", index=True),
    words("title"),
    small("replies_policy"),
    flag("exclusive"),
)

list_accounts = Table(
    "list_accounts",
    metadata,
    reference("list_id", "lists.id"),
    reference("account_id", "accounts.id", index=True),
    PrimaryKeyConstraint("list_id", "account_id"),
)

account_domain_blocks = Table(
    "account_domain_blocks",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),
    words("domain"),
    moment("created_at"),
    Index("uq_account_domain_blocks_pair", "account_id", "domain", unique=True),
    Index("ix_account_domain_blocks_domain", "domain"),
)

suggestion_dismissals = Table(
    "suggestion_dismissals",
    metadata,
    reference("account_id", "accounts.id"),
    reference("target_id", "accounts.id", index=True),
    PrimaryKeyConstraint("account_id", "target_id"),
)

severances = Table(
    "severances",
    metadata,
    id_column(),
    reference("account_id", "accounts.id"),  # whose follows ended
    small("kind"),  # see severance.py
    words("target_name"),  # the server
    count("followers"),
    count("following"),
    moment("created_at"),
    flag("open"),  # still being counted
    Index("ix_severances_account", "account_id"),
    PartialIndex("ix_severances_open", "target_name", "kind", "account_id", where="open"),
)
