"""What counts as one emoji."""

import re
from typing import Final

# Pictographs, regional indicators and keycaps, with what may follow and join them. Newer pictographs lie in the same
# blocks, so that nothing has to be learned with each release of Unicode.
_PICTOGRAPH: Final = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
)
_ONE: Final = rf"{_PICTOGRAPH}\ufe0f?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
_EMOJI: Final = re.compile(rf"(?:{_ONE}(?:\u200d{_ONE})*|[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3)")


def is_emoji(text: str) -> bool:
    """Whether the text is one emoji of Unicode and nothing else."""
    return len(text) <= 32 and _EMOJI.fullmatch(text) is not None
