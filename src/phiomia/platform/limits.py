"""The one place for limits: sizes, counts, lengths, pages. The values are those of Mastodon 4.6.

Rates are settings (`platform/settings.py`), since operators change them.
"""

from typing import Final

STATUS_CHARACTERS: Final = 500
CHARACTERS_PER_URL: Final = 23
MEDIA_ATTACHMENTS: Final = 4
REMOTE_MEDIA: Final = 16  # of one status of another server
MEDIA_DESCRIPTION: Final = 10_000
POLL_OPTIONS: Final = 4
POLL_OPTION_CHARACTERS: Final = 50
POLL_MIN_SECONDS: Final = 300
POLL_MAX_SECONDS: Final = 2_629_746
POLL_FRESH_SECONDS: Final = 60  # polls of other servers are asked for no more often
PINNED_STATUSES: Final = 5
MOVE_EVERY_SECONDS: Final = 7 * 86_400  # followers are sent along no more often
SCHEDULED_TOTAL: Final = 300
SCHEDULED_PER_DAY: Final = 25
SCHEDULED_NOT_BEFORE_SECONDS: Final = 300
FEATURED_TAGS: Final = 10
ANNOUNCEMENT_REACTIONS: Final = 8  # kinds of them
LISTS: Final = 50
COLLECTIONS: Final = 10
COLLECTION_ITEMS: Final = 25
COLLECTIONS_OF_OTHERS: Final = 50  # of one account of another server
COLLECTION_ITEMS_READ: Final = 100  # of one of its collections
COLLECTION_NAME: Final = 40
COLLECTION_DESCRIPTION: Final = 100
REPORT_COMMENT: Final = 1_000
WARNING_TEXT: Final = 5_000
LIST_TITLE: Final = 256
# Mastodon bounds the lengths alone. What a member has is held against each status that is shown to them.
FILTERS: Final = 100
FILTER_TITLE: Final = 256
FILTER_KEYWORD: Final = 512
FILTER_KEYWORDS: Final = 1_000
FILTER_STATUSES: Final = 2_000
FILTER_MATCHES: Final = 10
FILTERED_TEXT: Final = 10_000

USERNAME: Final = 30
DISPLAY_NAME: Final = 40
NOTE: Final = 500
PROFILE_FIELDS: Final = 4
PROFILE_FIELD: Final = 255
IMAGE_DESCRIPTION: Final = 150
ATTRIBUTION_DOMAINS: Final = 100
SIGN_UP_REASON: Final = 4096
PASSWORD_MIN: Final = 8
PASSWORD_MAX: Final = 72

APP_NAME: Final = 60
APP_URI: Final = 2_000

IMAGE_BYTES: Final = 16 * 1024 * 1024
AVATAR_BYTES: Final = 8 * 1024 * 1024
HEADER_BYTES: Final = 8 * 1024 * 1024
VIDEO_BYTES: Final = 99 * 1024 * 1024
PASSING_BYTES: Final = 32 * 1024 * 1024  # of other servers' files, shown without being kept
IMAGE_PIXELS: Final = 33_177_600
VIDEO_PIXELS: Final = 8_294_400
VIDEO_FRAME_RATE: Final = 120
VIDEO_FRAMES: Final = 36_000  # of those that are encoded again
FILM_SECONDS: Final = 4 * 3_600
EMOJI_BYTES: Final = 256 * 1024
IMAGE_TYPES: Final = (
    *("image/jpeg", "image/png", "image/gif"),
    *("image/heic", "image/heif", "image/webp", "image/avif"),
)
VIDEO_TYPES: Final = ("video/webm", "video/mp4", "video/quicktime", "video/ogg")
AUDIO_TYPES: Final = (
    *("audio/wave", "audio/wav", "audio/x-wav", "audio/x-pn-wave", "audio/vnd.wave", "audio/ogg", "audio/vorbis"),
    *("audio/mpeg", "audio/mp3", "audio/webm", "audio/flac", "audio/aac", "audio/m4a", "audio/x-m4a", "audio/mp4"),
    *("audio/3gpp", "video/x-ms-asf"),
)

JSON_BODY_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 60.0
UPLOAD_SECONDS: Final = 900.0
PARAMETERS: Final = 1_000
PARAMETER_DEPTH: Final = 8

HOME_FEED: Final = 800
FAN_OUT_AT_ONCE: Final = 500
CONTEXT_ANCESTORS: Final = 40
CONTEXT_DESCENDANTS: Final = 60
CONTEXT_DEPTH: Final = 20
CONTEXT_SIGNED_IN: Final = 4_096

# Of other servers. What is older than news is stored without telling anybody; what was delivered may have waited for
# us to come back.
NEWS_SECONDS: Final = 6 * 3_600
DELIVERED_NEWS_SECONDS: Final = 3 * 24 * 3_600
UNKNOWN_UPDATE_SECONDS: Final = 24 * 3_600
THREAD_DEPTH: Final = 100
REPLIES_WITH_STATUS: Final = 5
REPLIES_AT_ONCE: Final = 40
REPLY_PAGES: Final = 4
REPLIES_NOT_BEFORE_SECONDS: Final = 5 * 60
REPLIES_EVERY_SECONDS: Final = 15 * 60
UNKNOWN_MENTIONS: Final = 5
WAITING_OF_SERVER: Final = 3_000  # activities that were accepted and are not carried out yet
TAKEN_BACK_SECONDS: Final = 6 * 3_600
TOMBSTONE_SECONDS: Final = 90 * 24 * 3_600

FOLLOWS_BEFORE_RATIO: Final = 7_500
FOLLOW_RATIO: Final = 1.1
SEARCH_QUERY: Final = 200

PUSH_ENDPOINT: Final = 2_000
IDEMPOTENCY_SECONDS: Final = 3_600
AUTHORIZATION_CODE_SECONDS: Final = 600
SESSION_SECONDS: Final = 365 * 24 * 3600
STREAM_LOG_SECONDS: Final = 15 * 60

# (default, most) per kind of list.
PAGE_STATUSES: Final = (20, 40)
PAGE_ACCOUNTS: Final = (40, 80)
PAGE_OF_ALL: Final = 1_000  # where limit=0 asks for all there are
PAGE_NOTIFICATIONS: Final = (40, 80)
PAGE_UNREAD: Final = (100, 1_000)
PAGE_SEARCH: Final = (20, 40)
PAGE_TAGS: Final = (100, 200)
PAGE_DOMAINS: Final = (100, 200)
PAGE_TRENDS: Final = (10, 20)
PAGE_COLLECTIONS: Final = 40
PAGE_COLLECTIONS_MOST: Final = 100
