"""Addresses with passwords in them, as they may be shown."""


def hide_password(url: str) -> str:
    """An address that may be shown."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    if not at:
        return url
    name = credentials.partition(":")[0]
    return f"{scheme}{separator}{name}{':****' if ':' in credentials else ''}@{place}"
