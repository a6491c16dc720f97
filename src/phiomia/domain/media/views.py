"""A media attachment as it is shown."""

import msgspec


class MediaView(msgspec.Struct, frozen=True):
    """Everything the entity MediaAttachment shows. The order is that of the columns in `queries.py`."""

    id: int
    account_id: int
    status_id: int | None
    position: int
    kind: int
    state: int
    failure: str
    key: str
    preview_key: str
    remote_url: str | None
    remote_preview_url: str
    meta: str
    description: str | None
    blurhash: str | None
