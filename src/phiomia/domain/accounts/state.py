"""What moderation has decided about an account. The numbers are stored."""

from enum import IntEnum


class AccountState(IntEnum):
    """Active, limited (hidden from those who don't follow it) or suspended."""

    ACTIVE = 0
    LIMITED = 1
    SUSPENDED = 2


class StateOrigin(IntEnum):
    """Who decided: a moderator on the account, the rule for its server, its server itself, or who left from here."""

    MODERATION = 0
    DOMAIN = 1
    REMOTE = 2
    LEFT = 3
