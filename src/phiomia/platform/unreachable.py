"""What to tell an operator whose database can't be reached, without the password that stands in its address."""


def hide_password(url: str) -> str:
    """An address that may be shown."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    if not at:
        return url
    name = credentials.partition(":")[0]
    return f"{scheme}{separator}{name}{':****' if ':' in credentials else ''}@{place}"


def explain_unreachable(url: str, error: Exception) -> str:
    """Which database it is and what its driver said."""
    reason = str(error) or type(error).__name__
    return f"The database {hide_password(url)} can't be reached: {reason.rstrip('.')}."


def mend_unreachable(url: str) -> str:
    """What to do about a database that can't be reached."""
    if url.startswith("sqlite:"):
        return "let this user read and write the file and its folder; if it is damaged, put a backup back"
    return "start the database, or correct `database.url`"
