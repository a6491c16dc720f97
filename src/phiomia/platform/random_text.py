"""Random text that opens something: tokens, codes, passwords."""

import secrets


def make_random_text(size: int = 32) -> str:
    """`size` random bytes as characters for a URL, a cookie or a command line.

    It never begins with a dash: commands would take that for an option.
    """
    while (text := secrets.token_urlsafe(size)).startswith("-"):
        pass
    return text
