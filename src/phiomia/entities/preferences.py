"""The entity Preferences."""

from typing import Any

from phiomia.domain.statuses.visibility import Visibility
from phiomia.domain.users.preferences import Preferences


def render_preferences(chosen: Preferences) -> dict[str, Any]:
    """What somebody has chosen for posting and reading."""
    return {
        "posting:default:visibility": Visibility(chosen.visibility).word,
        "posting:default:sensitive": chosen.sensitive,
        "posting:default:language": chosen.posting_language,
        "posting:default:quote_policy": chosen.quote_policy,
        "reading:expand:media": chosen.reading.expand_media,
        "reading:expand:spoilers": chosen.reading.expand_spoilers,
        "reading:autoplay:gifs": chosen.reading.autoplay_gifs,
    }
