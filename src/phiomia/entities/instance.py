"""The entities Instance (v2) and V1::Instance."""

from typing import Any

from phiomia.domain.accounts.statistics import Statistics
from phiomia.platform import limits
from phiomia.platform.config import Config
from phiomia.platform.version import describe_version

MASTODON = "4.6.5"
API_VERSION = 11
# There is a file of each size in web/static.
_ICONS = (36, 48, 72, 96, 144, 192, 256, 384, 512)


def render_instance(
    config: Config, numbers: Statistics, contact: dict[str, Any] | None, vapid: str, *, has_terms: bool
) -> dict[str, Any]:
    """The document of /api/v2/instance."""
    base = config.base_url
    return {
        "domain": config.domain,
        "title": config.instance.title,
        "version": version(),
        "source_url": config.instance.source_url or f"{base}/about",
        "description": config.instance.description,
        "wrapstodon": None,
        "usage": {"users": {"active_month": numbers.active_month}},
        "thumbnail": {"url": f"{base}/static/preview.png", "description": None},
        "icon": [{"src": f"{base}/static/icon-{size}.png", "size": f"{size}x{size}"} for size in _ICONS],
        "languages": config.instance.languages,
        "configuration": {
            "urls": {
                "streaming": config.streaming_url,
                "status": None,
                "about": f"{base}/about",
                "privacy_policy": f"{base}/privacy-policy",
                "terms_of_service": f"{base}/terms-of-service" if has_terms else None,
            },
            "vapid": {"public_key": vapid},
            "accounts": {
                "max_display_name_length": limits.DISPLAY_NAME,
                "max_note_length": limits.NOTE,
                "max_avatar_description_length": limits.IMAGE_DESCRIPTION,
                "max_header_description_length": limits.IMAGE_DESCRIPTION,
                "max_featured_tags": limits.FEATURED_TAGS,
                "max_pinned_statuses": limits.PINNED_STATUSES,
                "max_profile_fields": limits.PROFILE_FIELDS,
                "profile_field_name_limit": limits.PROFILE_FIELD,
                "profile_field_value_limit": limits.PROFILE_FIELD,
            },
            "statuses": _statuses(),
            "media_attachments": {**_media(), "description_limit": limits.MEDIA_DESCRIPTION},
            "polls": _polls(),
            "translation": {"enabled": bool(config.translation.service)},
            "timelines_access": {
                name: {"local": "public", "remote": "public"}
                for name in ("live_feeds", "hashtag_feeds", "trending_link_feeds")
            },
            "limited_federation": False,
        },
        "registrations": {
            "enabled": config.registrations.mode != "closed",
            "approval_required": config.registrations.mode == "approval",
            "reason_required": config.registrations.mode == "approval",
            "message": (config.registrations.message or None) if config.registrations.mode == "closed" else None,
            "min_age": None,
            "url": None,
        },
        "api_versions": {"mastodon": API_VERSION},
        "contact": {"email": config.instance.contact_email, "account": contact},
        "rules": _rules(config),
    }


def render_instance_v1(config: Config, numbers: Statistics, contact: dict[str, Any] | None) -> dict[str, Any]:
    """The document of /api/v1/instance."""
    return {
        "uri": config.domain,
        "title": config.instance.title,
        "short_description": config.instance.description,
        "description": config.instance.description,
        "email": config.instance.contact_email,
        "version": version(),
        "urls": {"streaming_api": config.streaming_url},
        "stats": {
            "user_count": numbers.users,
            "status_count": numbers.statuses,
            "domain_count": numbers.domains,
        },
        "thumbnail": f"{config.base_url}/static/preview.png",
        "languages": config.instance.languages,
        "registrations": config.registrations.mode != "closed",
        "approval_required": config.registrations.mode == "approval",
        "invites_enabled": False,
        "configuration": {
            "accounts": {"max_featured_tags": limits.FEATURED_TAGS},
            "statuses": _statuses(),
            "media_attachments": _media(),
            "polls": _polls(),
        },
        "contact_account": contact,
        "rules": _rules(config),
    }


def version() -> str:
    """The version as apps parse it: Mastodon's, then who it really is."""
    return f"{MASTODON} (compatible; Phiomia {describe_version()})"


def _statuses() -> dict[str, Any]:
    return {
        "max_characters": limits.STATUS_CHARACTERS,
        "max_media_attachments": limits.MEDIA_ATTACHMENTS,
        "characters_reserved_per_url": limits.CHARACTERS_PER_URL,
    }


def _media() -> dict[str, Any]:
    return {
        "supported_mime_types": [*limits.IMAGE_TYPES, *limits.VIDEO_TYPES, *limits.AUDIO_TYPES],
        "image_size_limit": limits.IMAGE_BYTES,
        "image_matrix_limit": limits.IMAGE_PIXELS,
        "video_size_limit": limits.VIDEO_BYTES,
        "video_frame_rate_limit": limits.VIDEO_FRAME_RATE,
        "video_matrix_limit": limits.VIDEO_PIXELS,
    }


def _polls() -> dict[str, Any]:
    return {
        "max_options": limits.POLL_OPTIONS,
        "max_characters_per_option": limits.POLL_OPTION_CHARACTERS,
        "min_expiration": limits.POLL_MIN_SECONDS,
        "max_expiration": limits.POLL_MAX_SECONDS,
    }


def _rules(config: Config) -> list[dict[str, Any]]:
    return [
        {"id": str(number), "text": text, "hint": "", "translations": {}}
        for number, text in enumerate(config.instance.rules, 1)
    ]
