"""The one table: what follows each event, at once in its transaction or later as a job."""

from collections.abc import Mapping

from phiomia.domain.accounts.events import AccountDeleted, AccountMoved, AccountUpdated
from phiomia.domain.accounts.verify_links import want_verification
from phiomia.domain.collections import events as collections
from phiomia.domain.filters.changed import tell_streams
from phiomia.domain.filters.events import FiltersChanged
from phiomia.domain.moderation.events import AccountWarned, ReportFiled
from phiomia.domain.moderation.warn import mail_warning
from phiomia.domain.notifications import effects as tell
from phiomia.domain.notifications.domain_blocked import retract_domain
from phiomia.domain.notifications.events import Notified
from phiomia.domain.notifications.mails import queue_mails
from phiomia.domain.notifications.push import queue_pushes
from phiomia.domain.relationships import events as relationships
from phiomia.domain.search.effects import (
    index_new_account,
    index_new_status,
    index_updated_account,
    note_boost,
    note_mark,
    reindex_edited_status,
    unindex_deleted_status,
)
from phiomia.domain.statuses import events as statuses
from phiomia.domain.statuses.attach_card import attach_card
from phiomia.domain.statuses.conversations import keep_conversations
from phiomia.domain.statuses.featured_tags import count_new_use, recount_uses
from phiomia.domain.statuses.tombstones import leave_tombstone
from phiomia.domain.tags import events as tags
from phiomia.domain.timelines.deliver import (
    deliver_adopted,
    deliver_boosted,
    deliver_created,
    deliver_deleted,
    deliver_edited,
    deliver_repolicied,
    deliver_requoted,
)
from phiomia.domain.timelines.domain_blocked import forget_domain
from phiomia.domain.timelines.effects import (
    on_blocked,
    on_followed,
    on_muted,
    on_tag_followed,
    on_tag_unfollowed,
    on_unfollowed,
)
from phiomia.domain.users import jobs as notices
from phiomia.domain.users.events import EmailChanged, PasswordChanged, SignedInAnew, UserApproved, UserSignedUp
from phiomia.federation.inbox.effects import bring_followers, erase_who_left
from phiomia.federation.outbox import effects as outbox
from phiomia.federation.outbox.collections import (
    tell_collection_changed,
    tell_collection_removed,
    tell_item_removed,
    tell_item_settled,
)
from phiomia.federation.outbox.flags import tell_reported
from phiomia.federation.outbox.quotes import tell_policy_changed, tell_quote_changed
from phiomia.platform.events import Event, SideEffects

# What appends to the streaming log stands last: on PostgreSQL it orders the commits from there on.
SIDE_EFFECTS: Mapping[type[Event], SideEffects] = {
    AccountUpdated: SideEffects(now=(index_updated_account, want_verification, outbox.tell_profile)),
    AccountDeleted: SideEffects(now=(outbox.tell_deleted_account, erase_who_left)),
    AccountMoved: SideEffects(now=(outbox.tell_moved, bring_followers)),
    UserSignedUp: SideEffects(now=(index_new_account, tell.on_signed_up)),
    UserApproved: SideEffects(later=(notices.tell_approved,)),
    PasswordChanged: SideEffects(later=(notices.tell_password_changed,)),
    EmailChanged: SideEffects(later=(notices.tell_email_changed,)),
    SignedInAnew: SideEffects(later=(notices.tell_signed_in,)),
    statuses.StatusCreated: SideEffects(
        now=(
            index_new_status,
            attach_card,
            count_new_use,
            tell.on_status_created,
            keep_conversations,
            outbox.tell_created,
            deliver_created,
        )
    ),
    statuses.StatusEdited: SideEffects(
        now=(
            reindex_edited_status,
            attach_card,
            recount_uses,
            tell.on_status_edited,
            outbox.tell_edited,
            deliver_edited,
        )
    ),
    statuses.ReplyAdopted: SideEffects(now=(deliver_adopted,)),
    statuses.StatusDeleted: SideEffects(
        now=(
            unindex_deleted_status,
            recount_uses,
            leave_tombstone,
            tell.on_status_deleted,
            outbox.tell_deleted,
            deliver_deleted,
        )
    ),
    statuses.StatusBoosted: SideEffects(now=(note_boost, tell.on_status_boosted, outbox.tell_boosted, deliver_boosted)),
    statuses.StatusFavourited: SideEffects(now=(note_mark, outbox.tell_favourited, tell.on_status_favourited)),
    statuses.StatusUnfavourited: SideEffects(now=(note_mark, outbox.tell_unfavourited, tell.on_status_unfavourited)),
    statuses.StatusBookmarked: SideEffects(now=(note_mark,)),
    statuses.StatusPinned: SideEffects(now=(outbox.tell_pinned,)),
    statuses.QuoteChanged: SideEffects(now=(tell_quote_changed, tell.on_quote_changed, deliver_requoted)),
    statuses.QuotePolicyChanged: SideEffects(now=(tell_policy_changed, deliver_repolicied)),
    statuses.PollVoted: SideEffects(now=(outbox.tell_voted,)),
    statuses.PollEnded: SideEffects(now=(outbox.tell_poll_ended, tell.on_poll_ended)),
    relationships.Followed: SideEffects(now=(on_followed, tell.on_followed)),
    relationships.FollowRequested: SideEffects(now=(outbox.tell_follow_requested, tell.on_follow_requested)),
    relationships.FollowAccepted: SideEffects(now=(outbox.tell_accepted, tell.on_request_over)),
    relationships.FollowRejected: SideEffects(now=(outbox.tell_rejected, tell.on_request_over)),
    relationships.FollowWithdrawn: SideEffects(now=(outbox.tell_withdrawn, tell.on_request_over)),
    relationships.Unfollowed: SideEffects(now=(on_unfollowed, outbox.tell_unfollowed, tell.on_unfollowed)),
    relationships.Blocked: SideEffects(now=(on_blocked, outbox.tell_blocked, tell.on_blocked)),
    relationships.Unblocked: SideEffects(now=(outbox.tell_unblocked,)),
    relationships.Muted: SideEffects(now=(on_muted, tell.on_muted)),
    FiltersChanged: SideEffects(now=(tell_streams,)),
    relationships.DomainBlocked: SideEffects(now=(retract_domain, forget_domain)),
    ReportFiled: SideEffects(now=(tell_reported, tell.on_report_filed)),
    AccountWarned: SideEffects(now=(tell.on_warned,), later=(mail_warning,)),
    relationships.TiesSevered: SideEffects(now=(tell.on_ties_severed,)),
    tags.TagFeatured: SideEffects(now=(outbox.tell_tag_featured,)),
    collections.CollectionChanged: SideEffects(now=(tell_collection_changed,)),
    collections.CollectionRemoved: SideEffects(now=(tell_collection_removed, tell.on_collection_gone)),
    collections.CollectionForgotten: SideEffects(now=(tell.on_collection_gone,)),
    collections.CollectionRedescribed: SideEffects(now=(tell.on_redescribed,)),
    collections.ItemSettled: SideEffects(now=(tell_item_settled,)),
    collections.ItemRemoved: SideEffects(now=(tell_item_removed,)),
    collections.MemberFeatured: SideEffects(now=(tell.on_featured,)),
    collections.MemberUnfeatured: SideEffects(now=(tell.on_unfeatured,)),
    Notified: SideEffects(now=(queue_pushes, queue_mails)),
    tags.TagFollowed: SideEffects(now=(on_tag_followed,)),
    tags.TagUnfollowed: SideEffects(now=(on_tag_unfollowed,)),
}
